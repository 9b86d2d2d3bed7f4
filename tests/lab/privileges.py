#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Which capabilities each module needs on this kernel, at start and after it, by trying.

    tests/lab/privileges.py build/wiregauge                                    # this kernel
    tests/lab/vmtest -t 3000 -e PATIENCE=60 6.1 $PWD -- \
        /usr/bin/python3 tests/lab/privileges.py build/wiregauge               # another one

The daemon runs as a user of its own, with a set of capabilities (ambient, and no others in the
bounding set), once with all that might help and once without each of these. What it says of itself
(wiregauge status) is compared with what it says as root: programs, where they are attached, ways of
probes. A capability without which something of a module is missing is one that the module needs.
After the start the same is done with --capabilities.keep, for each thing that may happen later.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/system"))
os.environ["WIREGAUGE"] = str(pathlib.Path(sys.argv[1]).resolve())

from daemon import Daemon  # noqa: E402  (the binary is said before)
from netns import Namespace, connect  # noqa: E402
from waiting import until  # noqa: E402

USER = 65533
CANDIDATES = ["bpf", "perfmon", "net_admin", "net_raw", "net_broadcast", "sys_ptrace", "syslog",
              "sys_resource", "dac_read_search", "dac_override", "ipc_lock"]
PATIENCE = int(os.environ.get("PATIENCE", 20))
MEMLOCK = 8 << 20  # what systemd gives a service

# A bpffs of its own, with the directory that the unit file makes (docs/privileges.md).
PREPARED = ["unshare", "--mount", "sh", "-c",
            "mount -t bpf -o mode=0711 bpffs /sys/fs/bpf && mkdir /sys/fs/bpf/wiregauge && "
            f"chown {USER}:{USER} /sys/fs/bpf/wiregauge && exec \"$@\"", "sh"]


def has(capability):
    done = subprocess.run(["setpriv", f"--inh-caps=+{capability}", "--ambient-caps",
                           f"+{capability}", "true"], capture_output=True, check=False)
    return done.returncode == 0


CANDIDATES = [capability for capability in CANDIDATES if has(capability)]


def as_user(capabilities):
    sets = ",".join(["-all"] + [f"+{c}" for c in capabilities])
    return [*PREPARED, "prlimit", f"--memlock={MEMLOCK}", "setpriv", f"--reuid={USER}",
            f"--regid={USER}", "--clear-groups", "--no-new-privs", f"--inh-caps={sets}",
            f"--ambient-caps={sets}", f"--bounding-set={sets}"]


def describe(status, places=""):
    """{module: what it has}: programs and places of its unit, ways of its probes."""
    found = {}
    for unit in status["units"]:
        programs = {(p["name"], p.get("attached"), tuple(sorted(
            (a["at"], a["mechanism"]) for a in p["attachments"] if re.search(places, a["at"]))))
            for p in unit["programs"] if not p.get("waits_for") and "_l3_" not in p["name"]}
        for module in unit["modules"]:
            probes = {(p["name"], p["mechanism"] if p["state"] == "used" else p["state"])
                      for p in unit["probes"] if p["module"] == module["name"]}
            found[module["name"]] = (frozenset(programs), frozenset(probes))
    return found


class Trial:
    """A daemon, None when it does not start; `why` has its log then."""

    def __init__(self, here, capabilities, *arguments, root=False):
        self.why = ""
        self.directory = tempfile.TemporaryDirectory()
        os.chmod(self.directory.name, 0o777)
        file = pathlib.Path(self.directory.name) / "daemon.yaml"
        file.write_text("modules: {packets: {sizes: true}}\n")
        self.daemon = Daemon(here, pathlib.Path(self.directory.name), "--config", file, *arguments,
                             through=PREPARED if root else as_user(capabilities))

    def __enter__(self):
        try:
            self.daemon.wait_ready()
        except AssertionError as error:
            if "ended instead" not in str(error):
                raise
            self.why = str(error)
            return None
        return self.daemon

    def __exit__(self, *_):
        if self.daemon.process.poll() is None:
            self.daemon.process.terminate()
            self.daemon.process.wait(10 * PATIENCE)
        self.directory.cleanup()


def look(here, capabilities, *arguments, root=False, places=""):
    with Trial(here, capabilities, *arguments, root=root) as daemon:
        if not daemon:
            return {}
        daemon.scrape()
        return describe(daemon.status(), places)


def at_start(here, arguments, more=(), places=""):
    """{module: capabilities that it needs}, and modules that have less as this user with all."""
    whole = look(here, [], *arguments, root=True, places=places)
    everything = [*CANDIDATES, *more]
    best = look(here, everything, *arguments, places=places)
    needs = {module: set() for module in whole}
    for capability in everything:
        rest = [c for c in everything if c != capability]
        got = look(here, rest, *arguments, places=places)
        for module in whole:
            if got.get(module) != best.get(module):
                needs[module].add(capability)
    short = sorted(module for module in whole if best.get(module) != whole[module])
    for module in short:
        print(f"# {module} as root but not so: {whole[module][1] - best[module][1]}")
    return needs, short


# --- what may happen after the start: each gives True when it went well

def scrape(daemon, here):
    daemon.scrape()
    page = daemon.scrape()
    return page.total("wiregauge_read_errors_total") == 0 and bool(page.interfaces())


def new_interface(daemon, here):
    here.ip("link add later type veth peer name other")
    try:
        here.ip("link set later up")
        until(lambda: "later" in daemon.attached(), 2 * PATIENCE, "attached")
        return True
    except AssertionError:
        return False
    finally:
        here.ip("link del later")


def slices(daemon, here):
    """Sampled probes are attached again and again."""
    def observed():
        return sum(p.get("observed_seconds", 0) for u in daemon.status()["units"]
                   for p in u["probes"] if p.get("share", 1) < 1)
    before = observed()
    try:
        until(lambda: observed() > before + 0.1, 10 + 2 * PATIENCE, "a slice", pause=0.2)
        return "slice" not in "".join(daemon.complaints())
    except AssertionError:
        return False


def reload(daemon, here):
    file = pathlib.Path(daemon.log_path).parent / "daemon.yaml"
    file.write_text("modules: {packets: {sizes: false}}\n")
    return "the new configuration runs" in daemon.reload()


def end(daemon, here):
    """Nothing of it stays at the interfaces."""
    daemon.process.terminate()
    daemon.process.wait(10 * PATIENCE)
    left = here.tc("filter show dev wire ingress")
    here.run(os.environ["WIREGAUGE"], "cleanup")
    return not left


LATER = {"scrape": scrape, "new interface": new_interface, "slices": slices, "reload": reload,
         "end": end}


def afterwards(here, least):
    """{what happens: capabilities that it needs}"""
    needs = {name: set() for name in LATER}
    for missing in [None, *least]:
        kept = ",".join(c for c in least if c != missing)
        trial = Trial(here, least, "--capabilities.keep", kept or "none")
        with trial as daemon:
            assert daemon, trial.why
            for name, happen in LATER.items():
                if not happen(daemon, here):
                    needs[name].add(missing or "MORE")
    return needs


def other_namespaces(there):
    """(what it is, where, option): one with a name, and one that only a process has."""
    yield "a network namespace with a name", there.name, f"own,{there.name}"
    sleeper = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
    try:
        own = os.readlink("/proc/self/ns/net")
        path = f"/proc/{sleeper.pid}/ns/net"
        inode = until(lambda: (now := os.readlink(path)) != own and now, 5, "a namespace")
        yield "a network namespace that a process has", re.escape(inode), "all"
    finally:
        sleeper.kill()
        sleeper.wait()


def show(title, needs, short=None):
    print(f"## {title}")
    for name, capabilities in needs.items():
        print(f"{name:16} {' '.join(sorted(capabilities)) or '-'}")
    if short is not None:
        print("has less than as root:", " ".join(short) or "nothing")
    sys.stdout.flush()


def main():
    print(f"# Linux {os.uname().release}, candidates: {' '.join(CANDIDATES)}")
    for name in ("kptr_restrict", "perf_event_paranoid", "unprivileged_bpf_disabled"):
        print(f"kernel.{name} = {pathlib.Path('/proc/sys/kernel', name).read_text().strip()}")
    with Namespace() as here, Namespace() as there:
        connect(here, there)
        needs, short = at_start(here, ["--option", "tc.interfaces=*"])
        show("at start", needs, short)
        guard, short = at_start(here, ["--module", "guard"])
        show("at start, guard", guard, short)
        least = sorted(set.union(*needs.values(), *guard.values()))
        print("least set of all:", " ".join(least))
        show("afterwards", afterwards(here, least))
        for title, places, argument in other_namespaces(there):
            more, short = at_start(here, ["--module", "packets", "--capabilities.keep", "none",
                                          "--option", f"tc.netns={argument}"],
                                   ("sys_admin",), places)
            show(f"at start, {title}", more, short)


if __name__ == "__main__":
    began = time.monotonic()
    main()
    print(json.dumps({"seconds": round(time.monotonic() - began)}))
