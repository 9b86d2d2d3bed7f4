# SPDX-License-Identifier: MIT
"""From ready to gone: what it leaves, what it tells its manager, what SIGHUP changes."""

import json
import shutil
import signal
import socket
import time

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

from bpf import object_path
from daemon import PATIENCE, ROOT, command
from kernel import assert_released, assert_untouched, filters, has_clsact, holdings
from netns import connect
from waiting import until

MECHANISMS = pytest.mark.parametrize("mechanism", ["tcx", "clsact"])
FRAME = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP() / UDP() / bytes(50)
# What is attached for slices of time has links that come and go.
UNSAMPLED = ("--option", "latency.sampling=always", "--option", "tcp.sampling=always")
PACKETS = "wiregauge_interface_packets_total"
SIZES = "wiregauge_interface_packet_size_bytes_count"


def egress(daemon):
    return daemon.scrape().total(PACKETS, interface="wire", direction="egress")


def test_counters_grow_within_two_seconds_of_ready(here, there, run):
    run()
    ready = time.monotonic()
    for frames in (3, 5):
        here.send_frames("wire", [FRAME] * frames)
        text = here.run("curl", "--silent", "--fail", "localhost:9435/metrics")
        seen = [line for line in text.splitlines() if line.startswith(PACKETS + "{")]
        assert seen
    series = 'direction="egress",interface="wire",ip_version="4",protocol="udp"}'
    assert [line for line in seen if line.endswith(f"{series} {3 + 5}")], seen
    assert time.monotonic() - ready < 2 * PATIENCE


@MECHANISMS
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ends_on_signal_within_a_second_and_leaves_nothing(here, there, run, mechanism, number):
    daemon = run("--tc.mechanism", mechanism)
    here.send_frames("wire", [FRAME])
    assert egress(daemon) == 1
    assert has_clsact(here, "wire") == (mechanism == "clsact")
    held = holdings(daemon)
    assert daemon.stop(number) < 1 * PATIENCE
    assert_released(held)
    assert_untouched(here)
    assert not daemon.control.exists()


def test_kill_with_tcx_leaves_nothing(here, there, run):
    daemon = run("--tc.mechanism", "tcx")
    held = holdings(daemon)
    assert held["link"]
    daemon.kill()
    assert_released(held)
    assert_untouched(here)


@pytest.mark.parametrize("remedy", ["next start", "cleanup"])
def test_kill_with_clsact_is_cleaned_up(here, there, run, remedy):
    killed = run("--tc.mechanism", "clsact")
    held = holdings(killed)
    killed.kill()
    assert has_clsact(here, "wire") and filters(here, "wire")
    if remedy == "cleanup":
        with here.entered():
            done = command("cleanup")
        # lo and wire, both ways
        assert (done.returncode, done.stdout) == (0, "removed 4 filters\n")
    else:
        after = run()  # by the other mechanism, where there is one
        here.send_frames("wire", [FRAME])
        assert egress(after) == 1
        after.stop()
    assert_released(held)
    assert_untouched(here)


def test_cleanup_leaves_a_running_daemon_alone(here, there, run):
    daemon = run("--tc.mechanism", "clsact")
    with here.entered():
        done = command("cleanup")
    assert done.returncode == 1 and "a daemon runs in this network namespace" in done.stderr
    here.send_frames("wire", [FRAME])
    assert egress(daemon) == 1


def test_two_daemons_leave_each_other_alone(here, there, run):
    first = run("--tc.mechanism", "clsact")
    second = run("--tc.mechanism", "clsact", listen="127.0.0.1:9436")
    here.send_frames("wire", [FRAME])
    text = here.run("curl", "--silent", "--fail", "localhost:9436/metrics")
    assert f'direction="egress",interface="wire",ip_version="4",protocol="udp"}} 1\n' in text
    assert egress(first) == 1
    second.stop()
    here.send_frames("wire", [FRAME])
    assert egress(first) == 2


@pytest.fixture
def foreign_count(here, there):
    """Someone else's filter, which copies all that leaves to "mirror"; how much that was."""
    connect(here, there, "mirror")
    here.tc("qdisc add dev wire clsact")
    here.tc("filter add dev wire egress pref 50000 protocol all u32 match u32 0 0 "
            "action mirred egress mirror dev mirror")
    return lambda: here.counters("mirror").tx_packets


@MECHANISMS
@pytest.mark.parametrize("end", ["stop", "kill and cleanup"])
def test_foreign_clsact_and_filter_stay_and_work(here, run, foreign_count, mechanism, end):
    before = filters(here, "wire")
    daemon = run("--tc.mechanism", mechanism)
    here.send_frames("wire", [FRAME] * 7)
    assert egress(daemon) == 7
    assert foreign_count() == 7
    end_daemon(here, daemon, end)
    assert has_clsact(here, "wire")
    assert filters(here, "wire") == before
    here.send_frames("wire", [FRAME])
    assert foreign_count() == 8


@pytest.mark.parametrize("end", ["stop", "kill and cleanup"])
def test_foreign_clsact_without_filters_stays(here, there, run, end):
    here.tc("qdisc add dev wire clsact")
    daemon = run("--tc.mechanism", "clsact")
    here.send_frames("wire", [FRAME])
    assert egress(daemon) == 1
    end_daemon(here, daemon, end)
    assert has_clsact(here, "wire") and filters(here, "wire") == []
    assert not has_clsact(here, "lo")


def end_daemon(namespace, daemon, how):
    if how == "stop":
        daemon.stop()
        return
    daemon.kill()
    with namespace.entered():
        assert command("cleanup").returncode == 0


def test_descriptors_do_not_leak(here, there, run):
    daemon = run(*UNSAMPLED)

    def use_it():
        daemon.scrape({"Accept-Encoding": "gzip"})
        daemon.request("/")
        daemon.request("/nothing")
        daemon.status()
        daemon.reload()

    use_it()  # what is opened once and kept
    before = until_descriptors_stand(daemon)
    for _ in range(20):
        use_it()
    assert until_descriptors_stand(daemon) == before


def until_descriptors_stand(daemon):
    """How many descriptors there are, once those of closed connections are gone."""
    until(lambda: not any(is_connection(daemon, to) for to in daemon.descriptors().values()), 10,
          "connections are closed")
    return len(daemon.descriptors())


def is_connection(daemon, target):
    if not target.startswith("socket:"):
        return False
    with daemon.namespace.entered(), open("/proc/net/tcp") as table:
        established = [line.split()[9] for line in table if line.split()[3] == "01"]
    return target[len("socket:["):-1] in established


def test_service_manager_is_told(here, run, tmp_path):
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.settimeout(5 * PATIENCE)
        daemon = run(env={"NOTIFY_SOCKET": str(path)})
        first = manager.recv(1000).decode().split("\n")
        assert first[0] == "READY=1" and first[1].startswith("STATUS=")
        daemon.reload()
        assert manager.recv(1000).startswith(b"STATUS=")
        assert manager.recv(1000).startswith(b"STATUS=")
        daemon.stop()
        assert b"STOPPING=1" in manager.recv(1000)


def test_log_as_text_and_json(launch):
    text = launch().wait_ready()
    text.stop()
    for line in text.log().splitlines():
        stamp, level, message = line.split(maxsplit=2)
        time.strptime(stamp, "%Y-%m-%dT%H:%M:%S." + stamp[20:23] + "Z")
        assert level in ("error", "warn", "info", "debug") and message
    lines = launch("--log.format", "json", "--log.level", "debug").wait_ready()
    lines.stop()
    rows = [json.loads(line) for line in lines.log().splitlines()]
    assert all(row.keys() == {"time", "level", "message"} for row in rows)
    assert {row["level"] for row in rows} == {"info", "debug"}
    bare = launch("--log.no-timestamps").wait_ready()
    bare.stop()
    assert bare.log().startswith("info  ready: ")


def test_log_level_error_is_silent(launch):
    daemon = launch("--log.level", "error")
    until(daemon.control.exists, 5 * PATIENCE, "the control socket")
    until(lambda: daemon.status(), 5 * PATIENCE, "the status")
    daemon.stop()
    assert daemon.log() == ""


# --- SIGHUP



@pytest.fixture
def daemon_file(tmp_path):
    path = tmp_path / "wiregauge.yaml"
    path.write_text("")
    return path


def test_reload_changes_options(here, there, run, daemon_file):
    daemon = run("--config", daemon_file)
    here.send_frames("wire", [FRAME])
    assert daemon.scrape().total(SIZES, interface="wire") == 1
    daemon_file.write_text('modules: {packets: {sizes: false}, tc: {interfaces: ["*", "!lo"]}}')
    assert "the new configuration runs" in daemon.reload()
    assert daemon.attached() == {"wire"}
    here.send_frames("wire", [FRAME])
    samples = daemon.scrape()
    assert samples.total(PACKETS, interface="wire") >= 1
    assert samples.total(SIZES, interface="wire") == 0
    assert daemon.complaints() == []


def test_reload_lets_what_is_unchanged_go_on(here, there, run, daemon_file):
    daemon = run("--config", daemon_file, *UNSAMPLED)
    here.send_frames("wire", [FRAME] * 4)
    held = holdings(daemon)
    daemon_file.write_text("modules: {}")
    daemon.reload()
    here.send_frames("wire", [FRAME])
    assert egress(daemon) == 5
    assert holdings(daemon) == held


NOTHING_ENABLED = "modules: {%s}" % ", ".join(
    f"{path.parent.name}: {{enabled: false}}" for path in ROOT.glob("modules/*/*.yaml"))


@pytest.mark.parametrize("text, complaint", [
    ("modules: [", "wiregauge.yaml:1:"),
    ("modules: {packets: {sises: true}}", "did you mean 'sizes'"),
    ("modules: {packets: {sizes: perhaps}}", "takes true or false"),
    ("modules: {pakets: {sizes: true}}", "did you mean 'packets'"),
    (NOTHING_ENABLED, "nothing to run"),
])
def test_reload_refuses_what_is_broken(here, there, run, daemon_file, text, complaint):
    daemon = run("--config", daemon_file, *UNSAMPLED)
    here.send_frames("wire", [FRAME] * 2)
    held = holdings(daemon)
    daemon_file.write_text(text)
    said = daemon.reload()
    assert "refused" in said and complaint in said
    here.send_frames("wire", [FRAME])
    assert egress(daemon) == 3
    assert holdings(daemon) == held
    daemon_file.write_text("")
    assert "the new configuration runs" in daemon.reload()
    here.send_frames("wire", [FRAME])
    assert egress(daemon) == 4


def test_strict_reload_that_fails_leaves_interfaces_alone(here, there, run, daemon_file, tmp_path):
    """What the new configuration would have taken over stays where it was."""
    configs = tmp_path / "configs"
    configs.mkdir()
    daemon = run("--config", daemon_file, "--config.dir", configs, "--config.strict")
    here.send_frames("wire", [FRAME] * 2)
    (configs / "nowhere.yaml").write_text("description: x\n")
    shutil.copy(object_path("tests/system/nowhere"), configs / "nowhere.bpf.o")
    daemon_file.write_text("modules: {packets: {sizes: false}}")
    assert "refused" in daemon.reload()
    assert {"wire", "lo"} <= daemon.attached()
    here.send_frames("wire", [FRAME])
    assert egress(daemon) == 3


def test_status_says_why_a_program_is_nowhere(run, tmp_path):
    """SEC("tc") alone is no place, and no row of the config names one."""
    (tmp_path / "tag.yaml").write_text("description: x\n")
    shutil.copy(object_path("tests/system/tag"), tmp_path / "tag.bpf.o")
    daemon = run("--config.dir", tmp_path, "--module=")
    program = daemon.status()["units"][0]["programs"][0]
    assert program["loaded"] and not program["attached"]
    assert "the config has no row under `attach:` for it" in program["error"]


def test_reload_does_not_miss_packets_of_the_old_configuration(here, there, run, daemon_file):
    """The swap replaces the program in place: between the two, one of them sees each packet."""
    daemon = run("--module=packets", "--config", daemon_file)
    held = holdings(daemon)
    daemon_file.write_text("modules: {packets: {sizes: false}}")
    daemon.reload()
    assert daemon.bpf_objects("link") == held["link"]
    assert not daemon.bpf_objects("prog") & held["prog"]
