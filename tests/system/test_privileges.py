# SPDX-License-Identifier: MIT
"""As a user who is not root, with the least that docs/privileges.md says."""

import os
import re
import stat
import subprocess
from pathlib import Path

import pytest

from daemon import PATIENCE, Daemon, command
from waiting import until

SERVICE = 65533  # a user that owns nothing
LEAST = ("bpf", "perfmon", "net_admin")
NUMBERS = {"net_admin": 12, "perfmon": 38, "bpf": 39}  # <linux/capability.h>


def as_service(capabilities=LEAST):
    sets = ",".join(["-all", *(f"+{name}" for name in capabilities)])
    return ["setpriv", f"--reuid={SERVICE}", f"--regid={SERVICE}", "--clear-groups",
            "--no-new-privs", f"--inh-caps={sets}", f"--ambient-caps={sets}",
            f"--bounding-set={sets}"]


def bits(*names):
    return sum(1 << NUMBERS[name] for name in names)


def held_by_threads(pid):
    """[(effective, permitted)] of each thread."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        text = (task / "status").read_text()
        found.append(tuple(int(re.search(rf"^{key}:\s*(\w+)$", text, re.M)[1], 16)
                           for key in ("CapEff", "CapPrm")))
    return found


@pytest.fixture
def service_directory(cleanup):
    """A directory of the service's own, with a way to it that the user may pass."""
    directory = Path(subprocess.check_output(["mktemp", "--directory", "/tmp/wg-XXXXXX"],
                                             text=True).strip())
    os.chown(directory, SERVICE, SERVICE)
    cleanup.callback(subprocess.run, ["rm", "-rf", directory], check=True)
    return directory


@pytest.fixture
def serve(here, service_directory, cleanup):
    """Starts a daemon as the service's user."""
    def start(*arguments, capabilities=LEAST, **options):
        daemon = Daemon(here, service_directory, *arguments,
                        through=[*memory_limit(), *as_service(capabilities)], **options)
        cleanup.callback(daemon.close)
        return daemon
    return start


def memory_limit():
    """LimitMEMLOCK=infinity of the unit, for kernels before 5.11, as far as who tests may."""
    done = subprocess.run(["prlimit", "--memlock=unlimited", "true"], capture_output=True,
                          check=False)
    return [] if done.returncode else ["prlimit", "--memlock=unlimited"]


def kprobes_are_closed():
    """Debian's kernels begin with 3, where perf_event_open(2) takes CAP_SYS_ADMIN."""
    return int(Path("/proc/sys/kernel/perf_event_paranoid").read_text()) > 2


def programs(status):
    return {(unit["name"], p["name"], p["loaded"], p.get("attached"))
            for unit in status["units"] for p in unit["programs"]
            if not p.get("waits_for") and not p.get("probe")}


def probes(status):
    """Those that go by a kprobe have none where that is closed."""
    return {(p["module"], p["name"], p["state"], p.get("mechanism"))
            for unit in status["units"] for p in unit["probes"]
            if not (kprobes_are_closed() and any(way["mechanism"] == "kprobe"
                                                 for way in p["ways"]))}


def test_all_default_modules_work(run, serve):
    as_root = run()
    whole = as_root.status()
    as_root.stop()
    daemon = serve().wait_ready()
    status = daemon.status()
    assert not status["broken"] and not daemon.complaints(), daemon.log()
    assert programs(status) == programs(whole)
    assert probes(status) == probes(whole)
    page = until(lambda: (page := daemon.scrape()).interfaces() and page, 5 * PATIENCE, "data")
    families = {family.name for family in page.families if family.samples}
    for module in {module["name"] for unit in status["units"] for module in unit["modules"]}:
        described = command("modules", "describe", module).stdout
        of_module = {name.removesuffix("_total") for name
                     in re.findall(r"\bwiregauge_\w+", described)}
        assert not of_module or of_module & families, f"{module}: {of_module}"
    assert page.total("wiregauge_read_errors_total") == 0


def test_status_says_what_is_held_and_what_for(serve):
    daemon = serve().wait_ready()
    rights = daemon.status()["privileges"]
    assert rights["uid"] == rights["gid"] == SERVICE and rights["no_new_privileges"]
    for kind in ("effective", "permitted", "bounding"):
        assert set(rights[kind]) == {f"cap_{name}" for name in LEAST}
    wanted = {(row["capability"], row["when"]): row for row in rights["wanted"]}
    assert all(row["why"] and row["modules"] for row in rights["wanted"])
    assert all(row["held"] or row["optional"] for row in rights["wanted"])
    assert {"packets", "flows", "dns"} <= set(wanted["cap_net_admin", "load"]["modules"])
    assert not {"drops", "tcp"} & set(wanted["cap_net_admin", "load"]["modules"])
    assert {"drops", "tcp", "packets"} <= set(wanted["cap_bpf", "load"]["modules"])
    assert set(rights["effective"]) == {row["capability"] for row in rights["wanted"]
                                        if row["held"]}
    text = command("status", "--control.socket", daemon.control).stdout
    assert re.search(rf"^Runs as uid {SERVICE}, no new privileges, capabilities: .*cap_bpf$", text,
                     re.M)
    assert re.search("^cap_net_admin +yes +.*packets.* loads programs that packets go through",
                     text, re.M)


def test_no_thread_has_more(serve):
    daemon = serve().wait_ready()
    daemon.scrape()
    sets = held_by_threads(daemon.pid)
    assert len(sets) > 2
    assert set(sets) <= {(bits(*LEAST), bits(*LEAST)), (0, 0)}


def test_only_what_is_needed_is_kept(serve, there):
    """The modules go on, and nobody has what is wanted no more."""
    daemon = serve("--capabilities.keep=needed").wait_ready()
    daemon.scrape()
    rights = daemon.status()["privileges"]
    kept = {row["capability"].removeprefix("cap_") for row in rights["wanted"]
            if row["when"] == "kept" and not row["optional"]}
    assert set(rights["effective"]) == {f"cap_{name}" for name in kept}
    assert {effective for effective, _ in held_by_threads(daemon.pid)} <= {bits(*kept), 0}
    assert kept < set(LEAST)
    there.ip("link set wire up")
    assert "wire" in until(lambda: daemon.attached(), 5 * PATIENCE, "attached")
    assert not daemon.complaints(), daemon.log()


def test_reload_without_the_rights_is_refused(serve, service_directory):
    """A program that ran is not left out because nobody may load its successor."""
    config = service_directory / "daemon.yaml"
    config.write_text("modules: {packets: {sizes: true}}\n")
    daemon = serve("--config", config, "--capabilities.keep=bpf,perfmon").wait_ready()
    before = daemon.status()
    config.write_text("modules: {packets: {sizes: false}}\n")
    log = daemon.reload()
    assert "the new configuration is refused, what ran before goes on" in log
    assert "Operation not permitted" in log
    assert programs(daemon.status()) == programs(before)
    assert "lo" in daemon.attached()


def test_missing_capability_is_said(serve):
    daemon = serve(capabilities=("bpf", "perfmon")).wait_ready()
    rights = daemon.status()["privileges"]
    assert any("Operation not permitted" in line for line in daemon.complaints())
    assert set(rights["effective"]) == {"cap_bpf", "cap_perfmon"}


def test_socket_is_closed_to_others(serve):
    daemon = serve().wait_ready()
    assert stat.S_IMODE(daemon.control.stat().st_mode) == 0o660
    assert daemon.control.stat().st_uid == SERVICE
