# SPDX-License-Identifier: MIT
"""kill -9 at random moments: nothing stays in the kernel, and the next start works.

The moments come from a seed, which a failure prints; SEED=… tries the same ones again.
"""

import os
import random
import re
import signal
import time

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

from attaching import places, write_config
from configs import LABEL, add_config
from daemon import PATIENCE, SANITIZED
from kernel import assert_untouched, filters, has_clsact, unowned, until_only
from waiting import until

# Under the sanitizers each start takes a second and more; in a virtual machine everything does.
KILLS = 20 if SANITIZED or os.environ.get("VMTEST") else 100
PAIRS = 6
WIDE = 40000
HOOKS = {
    "on_xdp": "hook: xdp, interfaces: wire",
    "on_netfilter": "hook: netfilter, family: ipv4, netfilter_hook: prerouting",
    "on_skb_ingress": "hook: cgroup_skb_ingress",
    "on_skb_egress": "hook: cgroup_skb_egress",
    "on_sock_ops": "hook: sock_ops",
    "on_connect4": "hook: cgroup",
    "on_perf_event": "hook: perf_event, "
                     "event: 'type=software,config=cpu-clock,frequency=50'",
}
FRAME = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP() / UDP() / bytes(50)
COUNTED = re.compile(rb'^wiregauge_interface_packets_total\{direction="egress",interface="wire",'
                     rb'.*\} (\d+)$', re.M)
MANIFEST = f"""\
metrics:
  counters:
    - {{name: execs_total, help: x}}
    - {{name: wide_total, help: x, labels: [{LABEL % ("number", 4)}]}}
"""


class Victims:
    """Daemons that are killed, each followed by one that has to work."""

    def __init__(self, here, launch, daemon_file):
        self.here = here
        self.launch = launch
        self.daemon_file = daemon_file
        self.daemon = None
        self.sock = None
        self.lasts = self.measure()
        self.hooks = self.attached_hooks()

    def launch_ready(self):
        self.daemon = self.launch().wait_ready()

    def end(self):
        self.daemon.stop()
        self.daemon = None

    # --- phases: each begins something that ends by itself

    def start(self):
        """From exec to ready: open, load, the first interfaces."""
        self.end()
        self.daemon = self.launch()

    def attach(self):
        """The interfaces that are left once it is ready."""
        self.end()
        self.launch_ready()

    def scrape(self):
        self.sock = self.daemon.connect()
        self.sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")

    def reload(self):
        """To another configuration: it is loaded beside the old one and takes over."""
        sizes = "true" if "false" in self.daemon_file.read_text() else "false"
        self.daemon_file.write_text(f"modules: {{packets: {{sizes: {sizes}}}}}")
        self.daemon.process.send_signal(signal.SIGHUP)

    def stop(self):
        self.daemon.process.send_signal(signal.SIGTERM)

    PHASES = (start, attach, scrape, reload, stop)

    def measure(self):
        """How many seconds each phase takes here: {phase: seconds}"""
        waits = {
            Victims.start: lambda: self.daemon.wait_ready(),
            Victims.attach: self.wait_attached,
            Victims.scrape: lambda: self.daemon.request(),
            Victims.reload: lambda: until(lambda: "configuration runs" in self.daemon.log(),
                                          5 * PATIENCE, "it is reloaded"),
            Victims.stop: self.end,
        }
        lasts = {}
        self.launch_ready()
        for phase, wait in waits.items():
            phase(self)
            began = time.monotonic()
            wait()
            lasts[phase] = time.monotonic() - began
        self.sock.close()
        return lasts

    def wait_attached(self):
        """Both ends of all pairs, "lo" and "wire"."""
        until(lambda: len(self.daemon.attached("tc_egress")) == 2 * PAIRS + 2, 20 * PATIENCE,
              "all are attached")

    def attached_hooks(self):
        """Which programs of HOOKS are attached, and where; a kernel may lack some of the hooks."""
        if not self.daemon:
            self.launch_ready()
            self.wait_attached()
        return {program: places(self.daemon, program) for program in HOOKS}

    # --- killing

    def kill_in(self, phase, part):
        """When @part of @phase is over: a number between 0 and 1."""
        if not self.daemon:
            self.launch_ready()
        phase(self)
        time.sleep(self.lasts[phase] * part)
        ended = self.daemon.process.poll()
        assert ended is None or (phase, ended) == (Victims.stop, 0), self.daemon.log()
        self.daemon.kill()
        self.daemon = None
        if self.sock:
            self.sock.close()

    def assert_next_works(self):
        self.launch_ready()
        until(lambda: "wire" in self.daemon.attached("tc_egress"), 5 * PATIENCE, "it is attached")
        self.here.send_frames("wire", [FRAME] * 3)
        status, _, page = self.daemon.request()
        assert status == 200
        assert [int(count) for count in COUNTED.findall(page)] == [3]
        assert page.count(b"\nebpf_exporter_wide_total{") == WIDE
        until(lambda: self.attached_hooks() == self.hooks, 5 * PATIENCE,
              lambda: f"attached are {self.attached_hooks()}, not {self.hooks}")


def count_filters(namespace):
    """Programs at "wire", both ways."""
    return sum("direct-action" in line for line in filters(namespace, "wire"))


@pytest.fixture
def moments():
    """Random numbers between 0 and 1."""
    seed = int(os.environ.get("SEED", random.randrange(2**32)))
    print(f"SEED={seed}")
    return iter(random.Random(seed).random, None)


@pytest.fixture
def victims(here, there, launch, folder, tmp_path, mechanism):
    """With some more interfaces, so that attaching takes a while, and a program at each hook."""
    here.ip_batch([f"link add a{number} type veth peer name b{number}" for number in range(PAIRS)])
    add_config(folder, "fault", MANIFEST, "tests/system/fault")
    rows = [f"program: {program}, {row}" for program, row in HOOKS.items()]
    write_config(folder, "hooks", "attach_hooks", rows)
    daemon_file = tmp_path / "wiregauge.yaml"
    daemon_file.write_text("")
    return Victims(here, lambda: launch("--tc.mechanism", mechanism, "--config", daemon_file,
                                        "--config.dir", folder), daemon_file)


@pytest.mark.parametrize("mechanism", ["tcx", "clsact"])
def test_killed_at_any_moment(here, victims, moments, mechanism):
    before, expected = unowned(), 0 if mechanism == "tcx" else 2
    for number in range(KILLS // 2):
        phase, part = Victims.PHASES[number % len(Victims.PHASES)], next(moments)
        what = f"kill {number}, at {part:.3f} of {phase.__name__}"
        victims.kill_in(phase, part)
        if mechanism == "tcx":
            until_only(before, f"{what}, after it")
        victims.assert_next_works()
        until_only(before, f"{what}, after the next start")
        assert count_filters(here) == expected, what
    victims.end()
    until_only(before, "at the end")
    assert victims.hooks["on_xdp"] and victims.hooks["on_skb_egress"], victims.hooks
    assert not has_clsact(here, "wire")
    assert_untouched(here)
