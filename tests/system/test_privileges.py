# SPDX-License-Identifier: MIT
"""As a user who is not root, with the least that docs/privileges.md says."""

import ctypes
import os
import re
import stat
import subprocess
from pathlib import Path

import pytest

from attaching import what_runs
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


def test_all_default_modules_work(run, serve):
    as_root = run()
    whole = as_root.status()
    as_root.stop()
    daemon = serve().wait_ready()
    status = daemon.status()
    assert not status["broken"] and not daemon.complaints(), daemon.log()
    assert what_runs(status) == what_runs(whole)
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
    assert what_runs(daemon.status()) == what_runs(before)
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


# --- confined

def has_landlock():
    """landlock_create_ruleset(2) with LANDLOCK_CREATE_RULESET_VERSION gives the version."""
    return ctypes.CDLL(None).syscall(444, None, 0, 1) > 0


LANDLOCK = has_landlock()
needs_landlock = pytest.mark.skipif(not LANDLOCK, reason="this kernel has no Landlock")


@pytest.fixture
def outside(cleanup):
    """A directory that everybody may write, which the configuration does not name."""
    directory = Path(subprocess.check_output(["mktemp", "--directory", "/tmp/wg-XXXXXX"],
                                             text=True).strip())
    directory.chmod(0o777)
    cleanup.callback(subprocess.run, ["rm", "-rf", directory], check=True)
    return directory


def replace(path, text):
    """As configuration management does: another file of that name."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.chmod(0o644)
    new.rename(path)


@needs_landlock
def test_service_is_confined(serve, service_directory, outside):
    config = service_directory / "daemon.yaml"
    replace(config, "modules: {packets: {sizes: true}}\n")
    daemon = serve("--config", config).wait_ready()
    sandbox = daemon.status()["privileges"]["sandbox"]
    assert sandbox["on"] and sandbox["landlock_abi"] >= 1
    assert str(service_directory) in sandbox["read"] and "/" not in sandbox["read"]
    assert str(service_directory) in sandbox["write"]
    replace(config, "modules: {packets: {sizes: false}}\n")
    assert "the new configuration runs" in daemon.reload()
    # The user might read it, as anybody may; this process may not.
    elsewhere = outside / "daemon.yaml"
    replace(elsewhere, "modules: {packets: {sizes: true}}\n")
    config.unlink()
    config.symlink_to(elsewhere)
    log = daemon.reload()
    assert "is refused, what ran before goes on" in log and "Permission denied" in log, log
    config.unlink()
    replace(config, "modules: {packets: {sizes: true}}\n")
    assert "the new configuration runs" in daemon.reload()
    text = command("status", "--control.socket", daemon.control).stdout
    assert re.search(r"^Confined by Landlock \(version \d+\) to \d+ paths", text, re.M)


@needs_landlock
@pytest.mark.parametrize("option", ["block_files: [{}/networks]", "log_file: {}/log"])
def test_other_paths_are_out_of_reach(serve, service_directory, outside, option):
    """What a reload names elsewhere is said to be out of reach, before anything is done."""
    config = service_directory / "daemon.yaml"
    (outside / "networks").write_text("192.0.2.0/24\n")
    (service_directory / "networks").write_text("192.0.2.0/24\n")
    inside = option.format(service_directory)
    log = "" if "log_file" in option else f", log_file: {service_directory}/log"
    module = "modules: {{guard: {{enabled: true, {}}}}}\n"
    replace(config, module.format(inside + log))
    daemon = serve("--config", config, "--option", "xdp.interfaces=lo").wait_ready()
    replace(config, module.format(option.format(outside) + log))
    done = command("config", "reload", "--control.socket", daemon.control)
    assert done.returncode == 2
    assert f"'{outside}' is out of reach of this daemon" in done.stderr
    assert "restart the daemon" in done.stderr
    assert not (outside / "log").exists()
    replace(config, module.format(inside + log + ", mode: monitor"))
    assert "the new configuration runs" in daemon.reload()


def test_root_is_not_confined_unless_it_is_asked_for(run):
    daemon = run("--module=packets")
    sandbox = daemon.status()["privileges"]["sandbox"]
    assert not sandbox["on"] and "runs as root" in sandbox["why"]


@needs_landlock
def test_root_can_be_confined(run, tmp_path):
    config = tmp_path / "daemon.yaml"
    config.write_text("modules: {packets: {sizes: true}}\n")
    daemon = run("--sandbox=on", "--config", config)
    assert daemon.status()["privileges"]["sandbox"]["on"] and not daemon.complaints()
    assert daemon.scrape().interfaces() == {"lo"}
    config.write_text("modules: {packets: {sizes: false}}\n")
    assert "the new configuration runs" in daemon.reload()


def test_namespaces_are_not_found_from_within(serve, there):
    """Landlock forbids to look at other processes: where that is wanted it stays off."""
    daemon = serve("--module=packets", "--option", f"tc.netns=own,{there.name}").wait_ready()
    sandbox = daemon.status()["privileges"]["sandbox"]
    assert not sandbox["on"] and "network namespaces" in sandbox["why"]


@pytest.mark.skipif(LANDLOCK, reason="this kernel has Landlock")
def test_without_landlock(serve, launch):
    daemon = serve("--module=packets").wait_ready()
    sandbox = daemon.status()["privileges"]["sandbox"]
    assert not sandbox["on"] and "no Landlock" in sandbox["why"]
    daemon.stop()
    code, log = launch("--sandbox=on").fails()
    assert code == 3 and "no Landlock" in log


# --- from root to another user

# A bpffs of its own: what is pinned becomes the user's.
PRIVATE = ["unshare", "--mount", "sh", "-c",
           "mount -t bpf -o mode=700 bpffs /sys/fs/bpf && exec \"$@\"", "sh"]


def test_root_becomes_another_user(here, service_directory, cleanup):
    service_directory.chmod(0o777)
    daemon = Daemon(here, service_directory, "--user=nobody", "--module=packets,guard",
                    "--option=xdp.interfaces=lo",
                    f"--option=guard.log_file={service_directory}/log",
                    through=PRIVATE)
    cleanup.callback(daemon.close)
    daemon.wait_ready()
    status = daemon.status()
    rights = status["privileges"]
    assert rights["uid"] == 65534 and rights["no_new_privileges"]
    assert rights["sandbox"]["on"] == LANDLOCK
    wanted = {row["capability"] for row in rights["wanted"]}
    assert set(rights["effective"]) == set(rights["permitted"]) == wanted
    assert "cap_dac_override" not in rights["bounding"] and not rights["inheritable"]
    assert daemon.scrape().interfaces() == {"lo"}
    (persistence,) = (unit["persistence"] for unit in status["units"] if "persistence" in unit)
    assert persistence["pinned"] and "error" not in persistence
    text = Path(f"/proc/{daemon.pid}/status").read_text()
    assert re.search(r"^Uid:\s+65534\s+65534\s+65534", text, re.M)
    assert re.search(r"^Groups:\s+65534 ?$", text, re.M)


def test_user_who_does_not_exist(launch):
    code, log = launch("--user=nobody-of-that-name").fails()
    assert code == 2 and "there is no user 'nobody-of-that-name'" in log and "useradd" in log


def test_only_root_becomes_another_user(serve):
    code, log = serve("--user=nobody").fails()
    assert code == 4 and "cannot become user 'nobody'" in log


def test_sandbox_takes_three_words(launch):
    code, log = launch("--sandbox=perhaps").fails()
    assert code == 2 and "--sandbox takes auto, on or off" in log
