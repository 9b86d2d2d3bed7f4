# SPDX-License-Identifier: MIT
"""`wiregauge config reload`: what SIGHUP does, with an answer; also of the web config."""

import base64
import json
import os
import socket

import pytest

from configs import SINGLE, add_config, enabled
from daemon import command
from tls import bcrypt

SUCCESSFUL = "wiregauge_config_last_reload_successful"
TIMESTAMP = "wiregauge_config_last_reload_success_timestamp_seconds"


@pytest.fixture
def daemon(folder, run_configs):
    add_config(folder, "first", SINGLE)
    return run_configs()


def reload(daemon):
    """(exit code, stdout, stderr)"""
    done = command("config", "reload", "--control.socket", daemon.control)
    return done.returncode, done.stdout, done.stderr


def test_a_new_configuration_runs(daemon, folder):
    began = daemon.scrape().value(TIMESTAMP)
    add_config(folder, "second", SINGLE.replace("single_total", "percpu_total").replace(
        "help: x", "help: x, labels: [{name: kind, size: 4, decoders: [{name: uint}]}]"))
    assert reload(daemon) == (0, "the new configuration runs: 2 modules\n", "")
    assert enabled(daemon) == {"first", "second"}
    samples = daemon.scrape()
    assert samples.value(SUCCESSFUL) == 1 and samples.value(TIMESTAMP) > began


def test_a_wrong_one_is_refused_with_its_place(daemon, folder):
    began = daemon.scrape().value(TIMESTAMP)
    (folder / "first.yaml").write_text(SINGLE.replace("help:", "hepl:"))
    code, out, error = reload(daemon)
    assert (code, out) == (2, "")
    assert f"{folder}/first.yaml:" in error and "did you mean 'help'?" in error
    assert "wiregauge: the new configuration is refused, what ran before goes on: " in error
    assert "did you mean 'help'?" in daemon.log()
    assert enabled(daemon) == {"first"}
    samples = daemon.scrape()
    assert (samples.value(SUCCESSFUL), samples.value(TIMESTAMP)) == (0, began)
    (folder / "first.yaml").write_text(SINGLE)
    assert reload(daemon)[0] == 0
    assert daemon.scrape().value(SUCCESSFUL) == 1


def test_sighup_counts_too(daemon, folder):
    (folder / "first.yaml").write_text("metrics: 1\n")
    assert "is refused" in daemon.reload()
    assert f"SIGHUP by uid {os.getuid()}, process {os.getpid()}\n" in daemon.log()
    assert daemon.scrape().value(SUCCESSFUL) == 0
    assert reload(daemon)[0] == 2


def test_without_a_daemon(tmp_path):
    done = command("config", "reload", "--control.socket", tmp_path / "none")
    assert done.returncode == 1 and "no daemon answers" in done.stderr


def test_by_post_alone(daemon):
    status, headers, _ = daemon.ask("/v1/config/reload")
    assert (status, headers["Allow"]) == (405, "POST")
    status, headers, body = daemon.ask("/v1/config/reload", "POST")
    assert (status, headers["Content-Type"]) == (200, "application/json")
    assert json.loads(body) == {"done": "the new configuration runs: 1 module"}
    assert daemon.ask("/v1/status", "POST")[0] == 405
    # Whoever scrapes has no business there.
    assert daemon.request("/v1/config/reload", "POST")[0] == 404


def test_a_client_that_does_not_wait(daemon):
    for _ in range(5):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(daemon.control))
            sock.sendall(b"POST /v1/config/reload HTTP/1.0\r\n\r\n")
    assert reload(daemon)[0] == 0
    assert daemon.complaints() == []


# --- the web config file

def test_web_config_is_read_again(folder, run_configs, tmp_path):
    web = tmp_path / "web.yaml"
    good = {"Authorization": "Basic " + base64.b64encode(b"me:new").decode()}
    web.write_text(f"basic_auth_users: {{me: {bcrypt('old')}}}\n")
    add_config(folder, "first", SINGLE)
    daemon = run_configs("--web.config.file", web)
    assert daemon.request(headers=good)[0] == 401
    web.write_text(f"basic_auth_users: {{me: {bcrypt('new')}}}\n")
    assert reload(daemon)[0] == 0
    assert daemon.request(headers=good)[0] == 200
    # A wrong one changes nothing, also not what is right beside it.
    web.write_text("basic_auth_users: {me: newer}\n")
    add_config(folder, "second", SINGLE.replace("single_total", "other_total"))
    code, _, error = reload(daemon)
    assert code == 2 and "user 'me': expected a bcrypt hash" in error
    assert f"the web config file '{web}' is wrong" in error
    assert daemon.request(headers=good)[0] == 200
