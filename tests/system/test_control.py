# SPDX-License-Identifier: MIT
"""Who may ask the daemon what, and how he is answered: docs/api.md."""

import json
import os
import re
import subprocess

import pytest

from configs import SINGLE, add_config
from daemon import BINARY, PATIENCE

NOBODY = 65534
GROUP = 54321  # of no one but these tests


@pytest.fixture
def daemon(folder, run_configs):
    add_config(folder, "first", SINGLE)
    return run_configs()


def error_of(answer):
    status, headers, body = answer
    assert headers["Content-Type"] == "application/json"
    return status, json.loads(body)["error"]


def test_what_is_wrong_is_told_to_programs(daemon):
    status, error = error_of(daemon.ask("/v1/table"))
    assert (status, error["code"], error["exit"]) == (400, "usage", 2)
    assert error["message"] == "'module' is missing: The name of a module or config"
    assert error["hint"] == "see: wiregauge table --help"
    status, error = error_of(daemon.ask("/v1/status?verbose=1"))
    assert (status, error["message"]) == (400, "/v1/status takes no 'verbose'")
    status, error = error_of(daemon.ask("/v1/hold?modul=first"))
    assert (status, error["hint"]) == (400, "did you mean 'module'?")
    status, error = error_of(daemon.ask("/v1/table?module=first&limit=many"))
    assert error["message"] == "'limit' takes a whole number of at most 4294967295, not 'many'"
    status, error = error_of(daemon.ask("/v1/table?module=%zz"))
    assert (status, error["code"]) == (400, "usage")
    status, error = error_of(daemon.ask("/v1/nothing"))
    assert (status, error["code"]) == (404, "no_operation")
    status, error = error_of(daemon.ask("/v1/status", "POST"))
    assert (status, error["code"], error["message"]) == (405, "no_operation", "not by this method")
    status, error = error_of(daemon.ask("/v1/config/reload", "POST", "a=1&" * 100000))
    assert (status, error["code"]) == (413, "usage")
    assert daemon.complaints() == []


def test_arguments_in_the_body_of_a_post(daemon):
    for body in "extra=1", "&&extra=1&":
        status, error = error_of(daemon.ask("/v1/config/reload", "POST", body))
        assert (status, error["message"]) == (400, "/v1/config/reload takes no 'extra'")
    status, error = error_of(daemon.ask("/v1/config/reload", "POST", "a\0b"))
    assert (status, error["message"]) == (400, "the body is no text")
    assert daemon.ask("/v1/config/reload", "POST", "")[0] == 200


def test_the_details_come_with_what_is_refused(daemon, folder):
    (folder / "first.yaml").write_text("metrics: 1\n")
    status, error = error_of(daemon.ask("/v1/config/reload", "POST"))
    assert (status, error["code"]) == (400, "usage")
    assert f"{folder}/first.yaml:1:10: error" in error["details"]


def test_who_changed_what_is_logged(daemon, folder):
    assert daemon.ask("/v1/config/reload", "POST")[0] == 200
    who = (rf"/v1/config/reload by uid {os.getuid()}(?: \(login \d+\))?, "
           rf"process {os.getpid()} \(.+\)")
    assert re.search(rf"info.* {who}: done$", daemon.log(), re.M), daemon.log()
    assert error_of(daemon.ask("/v1/config/reload?%0aforged=%1b", "POST"))[0] == 400
    (folder / "first.yaml").write_text("metrics: 1\n")
    assert daemon.ask("/v1/config/reload", "POST")[0] == 400
    assert re.search(rf"warn.* {who}: refused \(usage\)$", daemon.log(), re.M), daemon.log()
    assert "\x1b" not in daemon.log() and "\nforged" not in daemon.log()
    before = daemon.log()
    daemon.ask("/v1/status")
    assert daemon.log() == before, "to look is logged"


# --- who may

CURL = ["curl", "-sS", "--unix-socket"]


def ask_as(daemon, path, *arguments, user=NOBODY, group=NOBODY, groups=()):
    """(status or None, body or complaint), as another user."""
    done = subprocess.run([*CURL, daemon.control, "-w", "\n%{http_code}", *arguments,
                           f"http://wiregauge{path}"], user=user, group=group,
                          extra_groups=list(groups), capture_output=True, text=True, cwd="/",
                          timeout=10 * PATIENCE)
    if done.returncode:
        return None, done.stderr
    body, _, status = done.stdout.rpartition("\n")
    return int(status), body


def open_way(daemon):
    """What leads to the socket lets anybody pass, as /run/wiregauge does."""
    for path in list(daemon.control.parents)[:-2]:
        path.chmod(0o755)


def test_socket_is_for_root_and_its_group(daemon):
    assert daemon.control.stat().st_mode & 0o777 == 0o660
    assert ask_as(daemon, "/v1/status", user=0, group=0)[0] == 200


def test_others_neither_change_nor_read(daemon):
    open_way(daemon)
    for path, *arguments in (("/v1/status",), ("/v1/table?module=first",),
                             ("/v1/config/reload", "-d", "")):
        status, complaint = ask_as(daemon, path, *arguments)
        assert status is None and "connect" in complaint, complaint
    # Where somebody has opened the socket to all it is no other.
    daemon.control.chmod(0o666)
    for path, *arguments in (("/v1/status",), ("/v1/table?module=first",), ("/v1/table",),
                             ("/v1/config/reload", "-d", "")):
        status, body = ask_as(daemon, path, *arguments)
        error = json.loads(body)["error"]
        assert (status, error["code"], error["exit"]) == (403, "denied", 4)
        assert "group wiregauge" in error["hint"]
    assert "the new configuration runs" not in daemon.log()
    assert daemon.log().count("is not let in at the control socket") >= 1


def status_as_nobody(daemon):
    return subprocess.run([BINARY, "status", "--control.socket", daemon.control], user=NOBODY,
                          group=NOBODY, extra_groups=[], capture_output=True, text=True, cwd="/",
                          timeout=10 * PATIENCE)


def test_the_command_says_so(daemon):
    open_way(daemon)
    done = status_as_nobody(daemon)
    assert (done.returncode, done.stdout) == (4, "")
    assert "Permission denied; it answers root, and who is in the group" in done.stderr
    daemon.control.chmod(0o666)
    done = status_as_nobody(daemon)
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr == (f"wiregauge: user {NOBODY} may not ask the daemon anything\n"
                           "hint: become root, or a member of the group wiregauge\n")


@pytest.fixture
def with_group(run_packets, tmp_path):
    """A daemon on a host that has a group wiregauge."""
    groups = tmp_path / "group"
    groups.write_text(f"root:x:0:\nwiregauge:x:{GROUP}:\n")
    through = ("unshare", "--mount", "sh", "-c", f'mount --bind {groups} /etc/group && exec "$@"',
               "sh")
    return run_packets(through=through)


def test_members_of_the_group_may(with_group):
    daemon = with_group
    assert daemon.control.stat().st_gid == GROUP
    assert daemon.control.stat().st_mode & 0o777 == 0o660
    open_way(daemon)
    assert ask_as(daemon, "/v1/status")[0] is None
    assert ask_as(daemon, "/v1/status", group=GROUP)[0] == 200
    assert ask_as(daemon, "/v1/status", groups=[GROUP])[0] == 200
    assert ask_as(daemon, "/v1/config/reload", "-d", "", groups=[NOBODY, GROUP])[0] == 200
    assert f"/v1/config/reload by uid {NOBODY}" in daemon.log()
    daemon.control.chmod(0o666)
    assert ask_as(daemon, "/v1/status", groups=[GROUP + 1])[0] == 403


# --- at the listener of the metrics

def test_web_has_nothing_unless_asked_for(daemon):
    for path in "/v1/status", "/v1/table?module=first":
        assert daemon.request(path)[0] == 404
    assert daemon.request("/v1/config/reload", "POST")[0] == 404


def test_web_api_looks_and_changes_nothing(folder, run_configs):
    add_config(folder, "first", SINGLE)
    daemon = run_configs("--web.api")
    status, headers, body = daemon.request("/v1/status")
    assert (status, headers["Content-Type"]) == (200, "application/json")
    assert json.loads(body)["pid"] == daemon.pid
    # Neither is what only looks, but has the daemon work for it.
    assert daemon.request("/v1/config/diff")[0] == 404
    assert daemon.request("/v1/hold?module=first")[0] == 404
    assert error_of(daemon.request("/v1/table"))[0] == 400
    status, _, body = daemon.request("/v1/status?a=b")
    assert (status, json.loads(body)["error"]["message"]) == (400, "/v1/status takes no 'a'")
    for method in "POST", "GET":
        assert daemon.request("/v1/config/reload", method)[0] == 404
    assert daemon.request("/v1/status", "POST")[0] == 405
    assert "reading the configuration" not in daemon.log()


def test_web_api_in_the_daemon_file(run_packets, tmp_path):
    file = tmp_path / "wiregauge.yaml"
    file.write_text("web: {api: true}\n")
    daemon = run_packets("--config", file)
    assert daemon.request("/v1/status")[0] == 200
    file.write_text("web: {api: false}\n")
    assert "runs" in daemon.reload()
    assert daemon.request("/v1/status")[0] == 404
    file.write_text("web: {apy: true}\n")
    assert "did you mean 'api'?" in daemon.reload()
