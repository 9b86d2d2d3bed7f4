# SPDX-License-Identifier: MIT
"""`wiregauge config diff`: what is declared against what runs."""

import json

import pytest

from configs import SINGLE, add_config
from daemon import command

OPTIONS = """options:
- {name: level, type: uint, default: 1}
- {name: names, type: list, default: a}
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "wiregauge.yaml"
    path.write_text("")
    return path


@pytest.fixture
def daemon(folder, file, run_configs):
    add_config(folder, "first", OPTIONS + SINGLE)
    return run_configs("--config", file)


def differences(daemon):
    """[(module, what, declared, running)]"""
    done = command("config", "diff", "--json", "--control.socket", daemon.control)
    assert done.returncode == 0, done.stderr
    return [(row["module"], row["what"], row["declared"], row["running"])
            for row in json.loads(done.stdout)["rows"]]


def reload(daemon):
    done = command("config", "reload", "--control.socket", daemon.control)
    assert done.returncode == 0, done.stderr


def test_nothing_differs(daemon):
    done = command("config", "diff", "--control.socket", daemon.control)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "what runs is what is declared\n"


def test_options_until_they_are_taken(daemon, file):
    file.write_text("modules: {first: {level: 2, names: [a, b]}}\n")
    expected = [("first", "option level", "2", "1"), ("first", "option names", "a, b", "a")]
    assert differences(daemon) == expected
    assert differences(daemon) == expected, "to look has changed something"
    reload(daemon)
    assert differences(daemon) == []


def test_modules_that_come_and_go(daemon, folder):
    add_config(folder, "second", SINGLE.replace("single_total", "percpu_total").replace(
        "help: x", "help: x, labels: [{name: kind, size: 4, decoders: [{name: uint}]}]"))
    assert differences(daemon) == [("second", "module", "on", None)]
    (folder / "first.yaml").unlink()
    assert differences(daemon) == [("second", "module", "on", None),
                                   ("first", "module", None, "on")]
    done = command("config", "diff", "--control.socket", daemon.control)
    assert [line.split() for line in done.stdout.splitlines()] == [
        ["MODULE", "WHAT", "DECLARED", "RUNNING"], ["second", "module", "on", "-"],
        ["first", "module", "-", "on"]]
    reload(daemon)
    assert differences(daemon) == []


def test_a_config_that_says_something_else(daemon, folder):
    (folder / "first.yaml").write_text(OPTIONS + SINGLE.replace("help: x", "help: y"))
    assert differences(daemon) == [("first", "config or object", "changed", "as it was")]
    (folder / "first.yaml").write_text("# nothing new\n" + OPTIONS + SINGLE)
    assert differences(daemon) == []


def test_what_is_wrong_is_told_with_its_place(daemon, folder):
    (folder / "first.yaml").write_text(SINGLE.replace("help:", "hepl:"))
    done = command("config", "diff", "--control.socket", daemon.control)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{folder}/first.yaml:" in done.stderr and "did you mean 'help'?" in done.stderr
