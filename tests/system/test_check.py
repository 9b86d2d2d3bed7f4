# SPDX-License-Identifier: MIT
"""`wiregauge check`: each thing that it says is tried here by other means (trying.py)."""

import json
import os
import re
import subprocess
import time
from functools import lru_cache
from pathlib import Path

import pytest
import trying

from attaching import write_config
from cgroup import mount_point
from daemon import BINARY, PATIENCE, command
from kernel import assert_untouched, unowned, until_only
from netns import Namespace, connect
from terminal import in_terminal

MODULES = ["dns", "drops", "flows", "latency", "packets", "tcp"]  # on by default
ESCAPE = "\x1b["

FINDING = {"id": str, "group": str, "state": str, "name": str, "text": str,
           "advice": (str, type(None)), "needed": bool, "modules": list}
TOP = {"schema": int, "version": str, "kernel": str, "machine": str, "exit_code": int,
       "reason": str, "counts": dict, "findings": list}
STATES = {"ok", "degraded", "missing", "not_tried"}
GROUPS = ["kernel", "privileges", "file_systems", "networking", "interfaces", "modules"]


class Check:
    """What `wiregauge check --json` said."""

    def __init__(self, done):
        assert done.stderr == "", done.stderr
        self.exit_code, self.all = done.returncode, json.loads(done.stdout)
        self.rows = {row["id"]: row for row in self.all["findings"]}

    def state(self, name):
        return self.rows[name]["state"]

    def modules(self):
        """Modules that have a line of their own."""
        return {row["id"].split(".")[1] for row in self.rows.values() if row["group"] == "modules"}


def check(*arguments, through=()):
    return Check(subprocess.run([*through, BINARY, "check", "--json", *map(str, arguments)],
                                capture_output=True, text=True, timeout=60 * PATIENCE))


@lru_cache
def here():
    """As root, once."""
    return check()


def hiding(*lines):
    """A command that runs another one where @lines of shell have changed the mounts."""
    return ("unshare", "-m", "sh", "-c", "; ".join((*lines, 'exec "$@"')), "sh")


# ---- its form

def assert_shape(value, shape):
    assert set(value) == set(shape), set(value) ^ set(shape)
    for key, kind in shape.items():
        assert isinstance(value[key], kind), (key, value[key])


def test_json_has_its_schema():
    found = here().all
    assert_shape(found, TOP)
    assert found["schema"] == 1 and found["kernel"] == os.uname().release
    assert len(here().rows) == len(found["findings"]), "an id a finding"
    for row in found["findings"]:
        assert_shape(row, FINDING)
        assert row["state"] in STATES and row["group"] in GROUPS and row["text"], row
        assert re.fullmatch(r"[a-z_]+(\.\S+)?", row["id"]), row["id"]
        assert all(isinstance(name, str) for name in row["modules"])
    counted = {state: sum(row["state"] == state for row in found["findings"]) for state in STATES}
    assert found["counts"] == counted
    groups = [GROUPS.index(row["group"]) for row in found["findings"]]
    assert groups == sorted(groups)


def test_exit_code_is_that_of_what_is_to_run():
    found = here()
    needed = {row["state"] for row in found.rows.values() if row["needed"]}
    assert found.exit_code == found.all["exit_code"]
    assert found.exit_code == (3 if "missing" in needed else 4 if "not_tried" in needed else 0)
    assert found.modules() >= set(MODULES)
    assert all(row["needed"] == (row["group"] == "modules" and row["id"].split(".")[1] in MODULES)
               for row in found.rows.values())


def test_what_is_not_well_says_why():
    for row in here().rows.values():
        assert row["state"] == "ok" or row["advice"] or len(row["text"]) > 20, row


@pytest.mark.parametrize("arguments, word", [
    (["--module", "dsn"], "dns"), (["extra"], "no argument"), (["--modules=dns"], "--module"),
    (["--option", "dns.port=1"], "ports"), (["--module", "dns", "--option", "dns.ports=x"], "dns")])
def test_wrong_usage(arguments, word):
    done = command("check", *arguments)
    assert done.returncode == 2 and word in done.stderr and done.stdout == ""


# ---- what it says is true

@pytest.mark.parametrize("name", sorted(trying.RUNS))
def test_kind_of_program(name):
    """It is attached, and runs."""
    assert (here().state(name) == "ok") == trying.RUNS[name](), here().rows[name]


@pytest.mark.parametrize("name", sorted(trying.RUNS_PINNED))
def test_kind_of_program_in_the_network(name, tmp_path):
    assert (here().state(name) == "ok") == trying.RUNS_PINNED[name](tmp_path), here().rows[name]


def test_each_kind_of_program_is_tried_here():
    assert {name for name in here().rows if name.startswith("program.")} == \
        {*trying.RUNS, *trying.RUNS_PINNED}


def states_of(kind):
    return {name.removeprefix(kind): row["state"] for name, row in here().rows.items()
            if name.startswith(kind)}


def test_kinds_of_maps():
    states = states_of("map.")
    assert set(trying.BATCHED) <= set(states)
    assert {name for name, state in states.items() if state != "missing"} == \
        set(states) & trying.features()["maps"]
    assert {name: states[name] == "ok" for name in trying.BATCHED} == \
        {name: trying.batches(name) for name in trying.BATCHED}


def test_helpers():
    states = states_of("helper.")
    assert {"map_lookup_elem", "ktime_get_ns", "ktime_get_tai_ns"} <= set(states)
    there = {name for name, state in states.items() if state == "ok"}
    known = set(states) & trying.features()["helpers"]
    assert there <= known
    # Those that only programs of other kinds may call.
    assert not [name for name in known - there if trying.may_call(name)]


@pytest.mark.parametrize("kind", ["fq", "fq_codel", "htb"])
def test_qdiscs(kind):
    with Namespace() as namespace, namespace.entered():
        done = subprocess.run(["tc", "qdisc", "add", "dev", "lo", "root", kind],
                              capture_output=True)
    assert (here().state(f"qdisc.{kind}") == "ok") == (done.returncode == 0)


def test_btf_and_jit():
    done = subprocess.run(["bpftool", "btf", "dump", "file", "/sys/kernel/btf/vmlinux"],
                          capture_output=True)
    assert (here().state("kernel.btf") == "ok") == (done.returncode == 0)
    with trying.Loaded(1) as program:
        machine_code = program.info().get("bytes_jited", 0)
    assert here().state("kernel.bpf") == "ok"
    assert (here().state("kernel.jit") == "ok") == (machine_code > 0)


def test_addresses_of_functions():
    with open("/proc/kallsyms") as file:  # those of variables for each CPU begin at 0
        known = any(int(line.split()[0], 16) for line in file)
    assert (here().state("kernel.symbols") == "ok") == known


def test_clocks():
    """TAI and UTC, and what the host slept."""
    found = re.match(r"TAI is UTC \+ (\d+) s; up for (\d+) s, asleep for (\d+) s",
                     here().rows["network.clocks"]["text"])
    tai, up, asleep = map(int, found.groups())
    assert abs(time.clock_gettime(time.CLOCK_TAI) - time.time() - tai) < 1
    assert abs(time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic() - asleep) < 2
    assert up <= time.clock_gettime(time.CLOCK_BOOTTIME)


def test_memory_of_maps():
    """Whether a map can be made without memory that may be locked."""
    code = ("import resource; resource.setrlimit(resource.RLIMIT_MEMLOCK, (0, 0)); import trying; "
            "trying.batches('hash')")
    tests = Path(trying.__file__).parents[1]
    path = os.pathsep.join(str(tests / name) for name in ("system", "packet"))
    done = subprocess.run(["setpriv", "--bounding-set=-sys_resource", "/usr/bin/python3", "-c",
                           code], capture_output=True, env={**os.environ, "PYTHONPATH": path})
    text = here().rows["kernel.map_memory"]["text"]
    assert ("locked memory" in text) == (done.returncode != 0), done.stderr


@pytest.mark.parametrize("name, kind", [("bpffs", "bpf"), ("cgroup2", "cgroup2"),
                                        ("tracefs", "tracefs")])
def test_places_of_file_systems(name, kind):
    row = here().rows[f"file_system.{name}"]
    assert (row["state"] == "ok") == bool(trying.mounts(kind)), row
    assert row["state"] != "ok" or row["text"].rsplit(": ", 1)[1] in trying.mounts(kind), row


# ---- the host's interfaces

def interfaces_of(found):
    return {row["name"]: row["text"] for row in found.rows.values()
            if row["group"] == "interfaces"}


def check_in(namespace, *arguments):
    with namespace.entered():
        return check(*arguments)


def test_interfaces_are_described_and_left_alone():
    with Namespace() as one, Namespace() as other:
        connect(one, other, queues=2)
        one.ip("link set wire mtu 1480")
        one.tc("qdisc add dev wire root pfifo")
        before = one.ip("-details -json link show"), one.tc("qdisc show")
        found = interfaces_of(check_in(one, "--module=packets,guard"))
        assert (one.ip("-details -json link show"), one.tc("qdisc show")) == before
    assert set(found) == {"lo", "wire"}
    assert found["wire"].startswith("veth, up, MTU 1480, 2 queues, qdisc pfifo"), found


def test_program_of_somebody_at_xdp(tmp_path):
    """It is in the way of who wants to be there, and of nobody else."""
    with (trying.Loaded(6, 37, result=2) as program, trying.pinned(program, tmp_path) as path,
          Namespace() as one, Namespace() as other):
        connect(one, other)
        one.ip(f"link set dev wire xdpdrv pinned {path}")
        row = check_in(one, "--module=guard").rows["interface.wire"]
        assert row["state"] == "degraded" and "ip link set dev wire xdpdrv off" in row["text"]
        assert row["modules"] == ["guard"]
        assert check_in(one, "--module=dns").state("interface.wire") == "ok"
        one.ip("link set dev wire xdpdrv off")
        assert check_in(one, "--module=guard").state("interface.wire") == "ok"


def test_qdisc_in_the_place_of_clsact():
    """Where there is no TCX it is in the way of what sees packets that are sent."""
    with Namespace() as one:
        one.tc("qdisc add dev lo ingress")
        row = check_in(one, "--module=packets").rows["interface.lo"]
    assert "qdisc noqueue and ingress" in row["text"]
    assert (row["state"] == "degraded") == (here().state("program.tcx") == "degraded"), row
    assert row["state"] == "ok" or row["advice"].endswith("tc qdisc del dev lo ingress")


def test_many_alike_are_told_together():
    with Namespace() as one:
        one.ip_batch([f"link add a{number} type veth peer name b{number}" for number in range(10)])
        found = check_in(one, "--module=packets")
    assert len([name for name in found.rows if re.match(r"interface\.[ab]", name)]) == 4
    assert found.rows["interfaces.more"]["text"].startswith("16 more")


# ---- modules

def test_modules_fare_as_in_the_daemon(run):
    """The way of each probe, and how the pipeline is attached."""
    status = run().status()
    found = here()
    probes = {(probe["module"], probe["name"]): probe["mechanism"] for unit in status["units"]
              for probe in unit["probes"]}
    assert len(probes) > 10, status
    for (module, name), mechanism in probes.items():
        row = found.rows[f"module.{module}.{name}"]
        assert (row["state"] == "missing") == (mechanism == "none"), row
        assert mechanism == "none" or re.match(r"by (\w+)", row["text"])[1] == mechanism, row
    ways = {row["mechanism"] for unit in status["units"] for program in unit["programs"]
            if program["name"] == "tc_ingress" for row in program["interfaces"]}
    assert ways and ways.pop() in found.rows["module.packets"]["text"]


def test_module_alone():
    found = check("--module=dns")
    text = json.dumps(found.all)
    others = {"guard", "latency", "flows", "drops", "module.packets", "module.tcp"}
    assert found.modules() == {"dns"} and found.exit_code == 0
    assert {name for row in found.rows.values() for name in row["modules"]} == {"dns"}
    assert not [name for name in others if name in text]
    assert "program.kprobe" not in found.rows and "program.iter" in found.rows
    assert "qdisc.fq" not in found.rows and "helper.ktime_get_tai_ns" not in found.rows


def test_what_is_off_is_told_and_not_needed():
    found = here()
    assert "module.guard" in found.rows and not found.rows["module.guard"]["needed"]
    assert check("--module=guard").rows["module.guard"]["needed"]


def test_daemon_file_says_what_is_needed(tmp_path):
    (tmp_path / "wiregauge.yaml").write_text(
        "modules:\n  guard: {enabled: true}\n  latency: {enabled: false}\n"
        "  tcp: {sampling: 'off'}\n")
    found = check("--config", tmp_path / "wiregauge.yaml")
    assert found.rows["module.guard"]["needed"]
    assert not found.rows["module.latency.receive_driver"]["needed"]
    assert "module.tcp.tcp_rtt" not in found.rows


def write_ladder(folder, loses, second="by_tp_btf"):
    """A probe whose first way no kernel has."""
    write_config(folder, "ladder", "probes", extra=f"""
probes:
  - name: connects
    ways:
      - {{mechanism: first, programs: [no_tracepoint]}}
      - {{mechanism: second, programs: [{second}]{loses}}}
""")


def test_a_lower_way_says_what_it_loses(folder):
    """It is well when it loses nothing."""
    write_ladder(folder, ", loses: half is not seen")
    row = check("--module=", "--config.dir", folder).rows["module.ladder.connects"]
    assert row["state"] == "degraded"
    assert row["text"].startswith("by second, so half is not seen; not by first: ")
    assert "no such tracepoint" in row["text"]
    write_ladder(folder, "")
    found = check("--module=", "--config.dir", folder)
    row = found.rows["module.ladder.connects"]
    assert (row["state"], row["text"]) == ("ok", "by second") and found.exit_code == 0


def test_no_way_at_all(folder):
    write_ladder(folder, "", second="no_function")
    found = check("--module=", "--config.dir", folder)
    row = found.rows["module.ladder.connects"]
    assert row["state"] == "missing" and found.exit_code == 3
    assert "not by first: " in row["text"] and "not by second: " in row["text"]


def test_program_that_goes_nowhere(folder):
    write_config(folder, "lost", "nowhere", extra="description: It has no place\n")
    found = check("--module=", "--config.dir", folder)
    assert found.modules() == {"lost"}
    assert found.exit_code == 3 and found.state("module.lost") == "missing"
    assert "no such tracepoint" in found.rows["module.lost"]["text"]


# ---- a host that lacks something

@pytest.mark.parametrize("kind, name, lost", [
    ("bpf", "bpffs", "module.guard.persistent"), ("tracefs", "tracefs", "program.tracepoint"),
    ("cgroup2", "cgroup2", "program.cgroup_skb")])
def test_without_a_file_system(kind, name, lost):
    """It says what is lost, and a command that helps."""
    if not trying.mounts(kind):
        pytest.skip(f"no {kind} is mounted here")
    gone = f"umount -l -a -t {kind}"
    found = check(through=hiding(gone))
    row = found.rows[f"file_system.{name}"]
    assert here().state(f"file_system.{name}") == "ok"
    assert row["state"] == "degraded" and row["advice"].startswith(f"mount -t {kind} "), row
    assert found.state(lost) in ("degraded", "missing")
    assert found.exit_code == here().exit_code
    again = check("--module=guard", through=hiding(gone, row["advice"]))
    assert again.rows.get(f"file_system.{name}", here().rows[lost])["state"] == "ok"


def test_without_btf():
    found = check(through=hiding("mount -t tmpfs none /sys/kernel/btf"))
    assert found.state("kernel.btf") == "missing" and found.state("program.tp_btf") == "missing"
    assert found.exit_code == 3 and found.state("module.tcp") == "missing"
    assert "BTF" in found.rows["module.tcp"]["text"]


def test_btf_of_a_file(tmp_path):
    found = check("--btf.path", tmp_path / "none", "--module=drops")
    assert found.state("kernel.btf") == "missing" and found.exit_code == 3
    assert str(tmp_path / "none") in found.rows["kernel.btf"]["text"]
    copy = tmp_path / "vmlinux"
    copy.write_bytes(Path("/sys/kernel/btf/vmlinux").read_bytes())
    assert check("--btf.path", copy, "--module=drops").exit_code == 0


@pytest.mark.parametrize("name, finding, states", [
    ("net/core/bpf_jit_harden", "kernel.jit_hardening", {0: "ok", 1: "ok", 2: "degraded"}),
    ("kernel/bpf_stats_enabled", "kernel.statistics", {0: "degraded", 1: "ok"})])
def test_sysctls(tmp_path, name, finding, states):
    """Another value is put in the place of the file, as they are the whole host's."""
    file = tmp_path / "value"
    for value, state in states.items():
        file.write_text(f"{value}\n")
        found = check("--module=drops", through=hiding(f"mount --bind {file} /proc/sys/{name}"))
        assert found.state(finding) == state, value
    assert here().state(finding) == states[int(Path("/proc/sys", name).read_text())]


def test_lockdown(tmp_path):
    """As the kernel writes it. What it then refuses is seen in a guest."""
    file = tmp_path / "value"
    for text, state in ("[none] integrity confidentiality", "ok"), \
            ("none [integrity] confidentiality", "ok"), \
            ("none integrity [confidentiality]", "missing"):
        file.write_text(text)
        found = check("--module=drops", through=hiding(
            "mount -t tmpfs none /sys/kernel/security",
            f"cp {file} /sys/kernel/security/lockdown"))
        assert found.state("kernel.lockdown") == state, text


# ---- who may not

NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


def test_without_privileges():
    """It says of all that it could not try it, and why; nothing is called missing for that."""
    found = check(through=NOBODY)
    assert found.exit_code == 4
    assert {row["id"] for row in found.rows.values() if row["state"] == "missing"} <= \
        {"program.kprobe", "program.kretprobe", "program.kprobe_multi"}
    for name in MODULES:
        states = {row["state"] for row in found.rows.values()
                  if row["needed"] and row["id"].split(".")[1] == name}
        assert states == {"not_tried"}, name
    assert "cap_" in found.rows["program.tp_btf"]["text"]
    assert found.rows["program.tp_btf"]["advice"] == "run it as root"
    assert found.state("kernel.btf") == here().state("kernel.btf")


def test_without_cap_sys_admin():
    """All is loaded, but nothing attached that is for interfaces."""
    found = check(through=("setpriv", "--bounding-set=-sys_admin"))
    assert found.state("program.tp_btf") == "ok"
    assert found.state("program.xdp_native") == "not_tried"
    assert found.state("module.packets") == "not_tried" and found.exit_code == 4
    assert found.state("module.drops.packet_drops") == "ok"
    assert "taken" in found.rows["module.packets"]["text"]
    assert found.state("capability.sys_admin") == "degraded"


# ---- nothing is left behind

def own_bpffs(after):
    """A command that runs another one with a bpffs where that is always, and @after afterwards."""
    return ("unshare", "-m", "sh", "-c", f'mount -t bpf bpffs /sys/fs/bpf; "$@"; {after}', "sh")


def groups():
    """Those that some check would have made."""
    return [path for path in (mount_point() or Path("/nowhere")).rglob("*wiregauge*")]


def test_nothing_is_left_behind():
    before, there = unowned(), groups()
    with Namespace() as one, one.entered():
        done = subprocess.run([*own_bpffs("ls -A /sys/fs/bpf"), BINARY, "check"],
                              capture_output=True, text=True)
        assert_untouched(one)
    *_, last = re.split(r"\(exit code \d\)\n", done.stdout)
    assert set(last.split()) <= {"maps.debug", "progs.debug"}, "the kernel's own files"
    until_only(before, "after a check")
    assert groups() == there


def test_killed_in_the_middle():
    before, there = unowned(), groups()
    began = time.monotonic()
    check()
    took = time.monotonic() - began
    with Namespace() as one, one.entered():
        for part in range(4):
            process = subprocess.Popen([BINARY, "check"], stdout=subprocess.DEVNULL)
            time.sleep(took * (part + 0.5) / 4)
            process.kill()
            process.wait()
        assert_untouched(one)
    until_only(before, "after kills")
    assert groups() == there


# ---- for people

@pytest.mark.parametrize("columns", [80, 120])
def test_in_a_terminal(columns):
    lines = in_terminal("check", "--module=dns", columns=columns)
    assert max(map(len, lines)) <= columns
    assert "Modules" in lines and any(re.match(r"  ok +dns ", line) for line in lines)
    assert re.search(r"\d+ ok, \d+ degraded, \d+ missing, \d+ not tried; .*\(exit code 0\)",
                     " ".join(lines[-3:]))


def test_one_line_each_with_all():
    short = command("check", "--module=tcp").stdout.splitlines()
    long = command("check", "--module=tcp", "--all").stdout.splitlines()
    assert len(long) > len(short)
    assert len([line for line in long if re.match("  (ok|degraded|missing|not tried) ", line)]) == \
        len(check("--module=tcp").rows)
    assert "(exit code 0)" in short[-1] and short[-1] == long[-1]
    assert ESCAPE not in "".join(short)


def test_colours(monkeypatch):
    """Only for a terminal, and not where nobody wants them."""
    def in_script():
        done = subprocess.run(["script", "-qec", f"{BINARY} check --module=dns", "/dev/null"],
                              capture_output=True, text=True, stdin=subprocess.DEVNULL)
        return done.stdout

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert ESCAPE + "32mok" in in_script()
    monkeypatch.setenv("NO_COLOR", "1")
    assert ESCAPE not in in_script()
