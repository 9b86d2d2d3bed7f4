# SPDX-License-Identifier: MIT
"""SIGHUP: users' configs come, go and change while the daemon runs; what is wrong changes nothing.
(What it does to interfaces and modules: test_lifecycle.py.)"""

import os
import shutil
import socket

import pytest

from configs import SINGLE, add_config, enabled, u32
from kernel import Map

SECOND = SINGLE.replace("single_total, help: x", "percpu_total, help: x, "
                        "labels: [{name: kind, size: 4, decoders: [{name: uint}]}]")
SINGLE_NAME = "ebpf_exporter_single_total"
RUNS, REFUSED = "the new configuration runs", "the new configuration is refused"


def run_first(folder, run_configs, *arguments):
    """Runs the config "first", whose counter stands at 42."""
    add_config(folder, "first", SINGLE)
    daemon = run_configs(*arguments)
    daemon.counter = Map(daemon, "single_total")
    daemon.counter.write(u32(0), 42)
    assert daemon.scrape().value(SINGLE_NAME) == 42
    return daemon


@pytest.fixture
def daemon(folder, run_configs):
    return run_first(folder, run_configs)


def maps(daemon):
    return daemon.bpf_objects("map")


def assert_first_goes_on(daemon):
    """With its counters, and so that they can grow: its map is still the one that is read."""
    assert daemon.scrape().value(SINGLE_NAME) == 42
    daemon.counter.write(u32(0), 43)
    assert daemon.scrape().value(SINGLE_NAME) == 43
    daemon.counter.write(u32(0), 42)


def assert_refused(daemon, held, complaint):
    said = daemon.reload()
    assert REFUSED in said and complaint in said, said
    assert enabled(daemon) == {"first"}
    assert maps(daemon) == held
    assert_first_goes_on(daemon)


def test_configs_come_and_go(daemon, folder):
    add_config(folder, "second", SECOND)
    assert RUNS in daemon.reload()
    assert enabled(daemon) == {"first", "second"}
    assert_first_goes_on(daemon)
    both = maps(daemon)
    (folder / "first.yaml").unlink()
    assert RUNS in daemon.reload()
    assert enabled(daemon) == {"second"}
    assert daemon.scrape().value(SINGLE_NAME) is None
    assert maps(daemon) < both


def test_a_config_that_is_changed_begins_anew(daemon, folder):
    add_config(folder, "first", SINGLE.replace("help: x", "help: y"))
    assert RUNS in daemon.reload()
    samples = daemon.scrape()
    assert samples.value(SINGLE_NAME) == 0
    assert f"# HELP {SINGLE_NAME} y\n" in samples.text


@pytest.mark.parametrize("text", [
    "# a word on it\n" + SINGLE,
    SINGLE.replace(": ", ":   ").replace("{ ", "{") + "\n\n# the end\n",
    "metrics:\n    counters:\n        - name: single_total # a map\n          help: x\n",
    "--- \n" + SINGLE.replace("\n", "\r\n"),
])
def test_comments_and_layout_change_nothing(daemon, folder, text):
    held = maps(daemon)
    (folder / "first.yaml").write_text(text)
    assert RUNS in daemon.reload()
    assert maps(daemon) == held
    assert_first_goes_on(daemon)


def test_an_object_that_is_changed_begins_anew(daemon, folder):
    with open(folder / "first.bpf.o", "ab") as file:
        file.write(b"\0")  # behind the last section: no one reads it
    assert RUNS in daemon.reload()
    assert daemon.scrape().value(SINGLE_NAME) == 0


def test_a_broken_one_refuses_all(daemon, folder):
    held = maps(daemon)
    add_config(folder, "second", SECOND)
    add_config(folder, "third", "metrcs: {}\n")
    assert_refused(daemon, held, f"third: {folder}/third.yaml:1:1: unknown key 'metrcs'")
    (folder / "third.yaml").unlink()
    assert RUNS in daemon.reload()
    assert enabled(daemon) == {"first", "second"}
    assert_first_goes_on(daemon)


def test_what_only_the_kernel_finds_refuses_all(daemon, folder):
    held = maps(daemon)
    add_config(folder, "second", SECOND.replace("size: 4", "size: 2"))
    assert_refused(daemon, held, "second.yaml:1:")
    assert maps(daemon) == held


def replace(path, how):
    path.unlink()
    if how == "fifo":
        os.mkfifo(path)
    elif how == "directory":
        path.mkdir()
    elif how == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))
    elif how == "link to itself":
        path.symlink_to(path.name)
    elif how == "device without end":
        path.symlink_to("/dev/zero")
    else:
        assert how == "nothing"


NO_FILES = pytest.mark.parametrize("how, complaint", [
    ("fifo", "a pipe or socket, not a file"),
    ("directory", "Is a directory"),
    ("socket", "No such device or address"),
    ("link to itself", "Too many levels of symbolic links"),
    ("device without end", "larger than"),
    ("nothing", "No such file or directory"),
])


@pytest.mark.parametrize("name", ["first.yaml", "first.bpf.o"])
@NO_FILES
def test_a_file_that_is_none_neither_hangs_nor_harms(daemon, folder, name, how, complaint):
    held = maps(daemon)
    add_config(folder, "second", SECOND)
    replace(folder / name, how)
    if name == "first.yaml" and how == "nothing":
        assert RUNS in daemon.reload()  # then it is simply gone
        assert enabled(daemon) == {"second"}
    else:
        assert_refused(daemon, held, complaint)


@NO_FILES
def test_a_daemon_file_that_is_none_neither_hangs_nor_harms(folder, run_configs, tmp_path, how,
                                                            complaint):
    daemon_file = tmp_path / "wiregauge.yaml"
    daemon_file.write_text("")
    daemon = run_first(folder, run_configs, "--config", daemon_file)
    held = maps(daemon)
    replace(daemon_file, how)
    assert_refused(daemon, held, complaint)


@pytest.mark.parametrize("how", ["gone", "a file"])
def test_folder_that_vanished(daemon, folder, how):
    held = maps(daemon)
    shutil.rmtree(folder)
    if how == "a file":
        folder.write_text("")
    assert_refused(daemon, held, f"cannot read the config directory '{folder}'")
    if how == "a file":
        folder.unlink()
    folder.mkdir()
    add_config(folder, "first", SINGLE)
    assert RUNS in daemon.reload()
    assert_first_goes_on(daemon)


def test_twenty_reloads_hold_nothing(daemon, folder):
    held = maps(daemon)
    descriptors = len(daemon.descriptors())
    for number in range(20):
        add_config(folder, "second", SECOND.replace("help: x", f"help: x{number}"))
        assert RUNS in daemon.reload()
    (folder / "second.yaml").unlink()
    assert RUNS in daemon.reload()
    assert maps(daemon) == held
    assert len(daemon.descriptors()) <= descriptors
    assert_first_goes_on(daemon)
