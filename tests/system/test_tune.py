# SPDX-License-Identifier: MIT
"""wiregauge tune: what it changes, and that it is taken back to the byte.

What is about the whole host is changed only in a guest of the lab (tests/lab/run), where
`sysctl -a` is compared as a whole; here it is what a network namespace of the test's own has.
"""

import json
import re
import signal
import subprocess
from pathlib import Path

import pytest

from daemon import BINARY, ROOT

IN_GUEST = "oops=panic" in Path("/proc/cmdline").read_text()  # tests/lab/vmtest
COOKIES = "net.ipv4.tcp_syncookies"
TIMESTAMPS = "net.ipv4.tcp_timestamps"
# Changes by itself, whoever looks.
RESTLESS = re.compile(r"^(fs\.(dentry-state|file-nr|inode-(nr|state)|aio-nr)|"
                      r"kernel\.(random\.|ns_last_pid|tainted|pty\.nr|perf_event_max_sample)|"
                      r"net\.netfilter\.nf_conntrack_count)")


class Tuned:
    """`wiregauge tune` in a namespace, for the module tcp."""

    def __init__(self, namespace, directory):
        self.namespace = namespace
        self.state = directory / "state/tune.json"

    def __call__(self, *arguments, code=0, state=None, module="tcp", through=()):
        with self.namespace.entered():
            done = subprocess.run(
                [*through, BINARY, "tune", "--json", "--state", state or self.state, "--module",
                 module, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        self.stderr = done.stderr
        return {row["name"]: row for row in json.loads(done.stdout)["rows"]} if done.stdout else {}

    def value(self, name):
        with self.namespace.entered():
            return Path("/proc/sys", name.replace(".", "/")).read_text()

    def everything(self):
        """sysctl -a; outside of a guest what the namespace has."""
        lines = self.namespace.run("sh", "-c", "sysctl -a 2>/dev/null").splitlines()
        return [line for line in lines if not RESTLESS.match(line)
                and (IN_GUEST or line.startswith("net."))]


@pytest.fixture
def tune(here, tmp_path):
    """In a namespace where two parameters differ."""
    here.sysctl("net/ipv4/tcp_syncookies", 0)
    here.sysctl("net/ipv4/tcp_timestamps", 0)
    tuned = Tuned(here, tmp_path)
    others = [name for name, row in tuned().items()
              if row["state"] == "differs" and not name.startswith("net.ipv4.")]
    if others and not IN_GUEST:
        pytest.skip(f"would change {others} of this host; a guest of the lab has no host")
    return tuned


def only_net(rows):
    return {name: row["state"] for name, row in rows.items() if name.startswith("net.ipv4.")}


def test_apply_and_revert_leave_nothing(tune):
    before = tune.everything()
    rows = tune()
    assert only_net(rows) == {COOKIES: "differs", TIMESTAMPS: "differs"}
    assert tune.everything() == before
    rows = tune("--apply")
    assert only_net(rows) == {COOKIES: "applied", TIMESTAMPS: "applied"}
    assert tune.value(COOKIES) == tune.value(TIMESTAMPS) == "1\n"
    assert only_net(tune()) == {COOKIES: "ok", TIMESTAMPS: "ok"}
    assert tune.everything() != before
    assert only_net(tune("--revert")) == {COOKIES: "reverted", TIMESTAMPS: "reverted"}
    assert tune.everything() == before
    assert not tune.state.exists() and tune("--revert") == {}


def test_each_row_has_its_reason_and_source(tune):
    rows = tune(module="tcp,latency,drops,guard")
    assert {COOKIES, TIMESTAMPS, "net.netfilter.nf_conntrack_max"} <= set(rows)
    for row in rows.values():
        assert row["why"] and row["source"] and row["wanted"], row
    assert set(rows[COOKIES]["modules"]) == {"tcp", "guard"}
    assert rows[COOKIES]["rule"] == "at least"
    assert "kernel.unprivileged_bpf_disabled" not in rows
    # The namespace has none of these: said, and left out.
    assert rows["net.core.bpf_jit_enable"]["state"] == "missing"


def test_the_first_values_are_kept(tune):
    tune("--apply")
    tune.namespace.sysctl("net/ipv4/tcp_syncookies", 0)
    tune.namespace.sysctl("net/ipv4/tcp_timestamps", 0)
    tune("--apply", module="tcp")
    tune("--apply")  # nothing to do: nothing is forgotten
    saved = {c["name"]: c for c in json.loads(tune.state.read_text())["changes"]}
    assert saved[COOKIES]["before"] == saved[TIMESTAMPS]["before"] == "0"
    tune("--revert")
    assert tune.value(COOKIES) == "0\n"


def test_what_somebody_else_has_set_is_left(tune):
    tune("--apply")
    tune.namespace.sysctl("net/ipv4/tcp_syncookies", 2)
    rows = tune("--revert", code=1)
    assert only_net(rows) == {COOKIES: "foreign", TIMESTAMPS: "reverted"}
    assert "not all is as it was before" in tune.stderr
    assert tune.value(COOKIES) == "2\n" and tune.state.exists()
    assert only_net(tune("--revert", "--force")) == {COOKIES: "reverted"}
    assert tune.value(COOKIES) == "0\n" and not tune.state.exists()


def test_killed_between_keeping_and_setting(tune):
    """At each system call that writes: what is kept suffices to take it back."""
    killed = set()
    for number in range(1, 6):
        # Traced, each process is killed as it is about to make its Nth write to a file.
        done = subprocess.run(
            ["strace", "-f", "-o", "/dev/null", "-e", "trace=write,fsync,rename",
             "-e", f"inject=write,fsync,rename:signal=SIGKILL:when={number}", "ip", "netns", "exec",
             tune.namespace.name, BINARY, "tune", "--json", "--module", "tcp", "--apply",
             "--state", tune.state], capture_output=True, check=False)
        killed.add(done.returncode)
        tune("--revert")
        assert (tune.value(COOKIES), tune.value(TIMESTAMPS)) == ("0\n", "0\n"), number
        assert not tune.state.exists()
    assert killed & {-signal.SIGKILL, 128 + signal.SIGKILL}


def test_without_a_place_to_keep_it_nothing_is_set(tune, tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    tune("--apply", code=1, state=file / "below/tune.json")
    assert "Not a directory" in tune.stderr
    assert tune.value(COOKIES) == "0\n"
    file.write_text("no JSON")
    tune("--apply", code=1, state=file)
    assert "is not what tune has written" in tune.stderr and tune.value(COOKIES) == "0\n"


def test_what_cannot_be_set_is_said(tune, tmp_path):
    """A parameter that is read-only; the others are set, and taken back."""
    read_only = ["unshare", "--mount", "sh", "-c",
                 "mount --bind /proc/sys/net/ipv4/tcp_syncookies "
                 "/proc/sys/net/ipv4/tcp_syncookies && mount -o remount,ro,bind "
                 "/proc/sys/net/ipv4/tcp_syncookies && exec \"$@\"", "sh"]
    rows = tune("--apply", code=1, through=read_only)
    assert only_net(rows) == {COOKIES: "failed", TIMESTAMPS: "applied"}
    assert "not all could be set" in tune.stderr and rows[COOKIES]["error"]
    assert [c["name"] for c in json.loads(tune.state.read_text())["changes"]
            if c["name"].startswith("net.ipv4.")] == [TIMESTAMPS]
    tune("--revert")
    assert (tune.value(COOKIES), tune.value(TIMESTAMPS)) == ("0\n", "0\n")


def test_another_namespace_is_not_touched(tune, there):
    tune("--apply")
    other = Tuned(there, tune.state.parent)
    other.state = tune.state
    other("--revert", code=2)
    assert "was changed in network namespace" in other.stderr
    tune("--revert")


def test_file_for_the_next_boot(tune, tmp_path):
    path = tmp_path / "60-wiregauge.conf"
    tune("--write", path)
    lines = path.read_text().splitlines()
    assert f"{COOKIES} = 1" in lines and f"{TIMESTAMPS} = 1" in lines
    tune.namespace.run("sysctl", "--quiet", "--pattern", r"^net\.ipv4\.tcp_", "--load", path)
    assert tune.value(COOKIES) == "1\n"


def test_one_thing_at_a_time(tune):
    tune("--apply", "--revert", code=2)
    assert "one at a time" in tune.stderr


def test_page_has_all_rows(tune):
    page = (ROOT / "docs/tune.md").read_text()
    for name, row in tune(module="tcp,latency,drops,guard,dns,flows,packets").items():
        line = re.search(rf"^\| `{re.escape(name)}` \| (.*)$", page, re.M)
        assert line and row["why"] in line[1] and row["source"] in line[1], name
        assert f"{row['rule']} {row['wanted']}" in line[1], name
