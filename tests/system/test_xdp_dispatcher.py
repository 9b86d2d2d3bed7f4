# SPDX-License-Identifier: MIT
"""Programs beside those of others at one interface's XDP hook, in libxdp's dispatcher."""

import pytest

from attaching import places, program_status, send_to
from daemon import PATIENCE, command
from dispatching import FIRST, LAST, OURS, dispatcher, joined, why_not_joined
from keeper import (HEAD, ROW, frames, kill_under_traffic, names_under, persistence, pinned,
                    reload_under_traffic, send, start, write)
from waiting import until

FLEETING = HEAD.replace("persistent: true\nlayout: {layout}\n", "")
MANY = 10_000


def error_of(daemon, program="persist"):
    return program_status(daemon, program)["error"]


# ---- side by side ----

def test_packets_pass_both(start, joined, here, there):
    daemon = start()
    assert places(daemon, "persist") == {"wire": "xdp native, in a dispatcher"}
    assert joined.programs() == [(FIRST, "one"), (10, OURS)]
    send_to(there, "wire", here, 7)
    until(lambda: frames(daemon) == {1: 7}, 5 * PATIENCE, lambda: frames(daemon))
    assert joined.counted("one") == 7
    assert not daemon.complaints()


def test_others_come_and_go(start, joined, here, there):
    daemon = start()
    joined.add("another", LAST)
    assert joined.programs() == [(FIRST, "one"), (10, OURS), (LAST, "another")]
    send_to(there, "wire", here, 3)
    until(lambda: frames(daemon) == {1: 3}, 5 * PATIENCE, lambda: frames(daemon))
    assert (joined.counted("one"), joined.counted("another")) == (3, 0)  # ours drops them
    joined.remove("one")
    send_to(there, "wire", here, 2)
    until(lambda: frames(daemon) == {1: 5}, 5 * PATIENCE, lambda: frames(daemon))
    with here.entered():
        daemon.kill()
        assert command("cleanup").returncode == 0
    assert joined.programs() == [(LAST, "another")]
    send_to(there, "wire", here, 4)
    until(lambda: joined.counted("another") == 4, 5 * PATIENCE, "they pass")


# ---- as where there is no dispatcher ----

def test_reload_under_traffic_no_frame_is_lost(start, joined, send, folder, here):
    reload_under_traffic(start, send, folder, here, MANY, range(1, 5))
    assert joined.programs() == [(FIRST, "one"), (10, OURS)]


def test_killed_under_traffic_no_frame_is_lost(start, joined, send, here):
    kill_under_traffic(start, send, here, MANY, range(1, 5))
    assert joined.programs() == [(FIRST, "one"), (10, OURS)]


def test_stopped_it_goes_on_until_the_cleanup(start, joined, here, there):
    daemon = start(version=3)
    path = persistence(daemon)["path"]
    daemon.stop()
    send_to(there, "wire", here, 5)
    assert joined.programs() == [(FIRST, "one"), (10, OURS)]
    assert any(name.startswith("links/xdp-") for name in names_under(path))
    daemon = start(version=4)
    assert frames(daemon) == {3: 5}
    daemon.stop()
    with here.entered():
        done = command("cleanup")
    assert "removed 1 pinned links and 4 maps" in done.stdout, done.stdout + done.stderr
    assert "removed 1 programs from libxdp's dispatchers" in done.stdout
    assert joined.programs() == [(FIRST, "one")]


def test_what_is_not_wanted_any_more_leaves(start, launch, joined, folder, here):
    start().stop()
    (folder / "keeper.yaml").unlink()
    daemon = launch("--module=packets", "--config.dir", folder).wait_ready()
    until(lambda: joined.programs() == [(FIRST, "one")], 5 * PATIENCE, joined.programs)
    assert "keeper: it does not run any more: removed 1 pinned links" in daemon.log()


def test_without_pins_it_ends_with_the_daemon(start, joined, folder, here, there):
    write(folder, head=FLEETING)
    daemon = start()
    assert joined.programs() == [(FIRST, "one"), (10, OURS)]
    daemon.stop()
    assert joined.programs() == [(FIRST, "one")]


def test_what_was_killed_leaves_with_the_next(start, joined, folder, here, there):
    """What it left lets packets pass."""
    write(folder, head=FLEETING)
    start().kill()
    assert joined.programs() == [(FIRST, "one"), (10, OURS)]
    daemon = start()
    assert joined.programs() == [(FIRST, "one"), (10, OURS)]
    send_to(there, "wire", here, 3)
    until(lambda: frames(daemon) == {1: 3}, 5 * PATIENCE, lambda: frames(daemon))
    daemon.kill()
    joined.add("another", LAST)
    send_to(there, "wire", here, 3)
    until(lambda: joined.counted("another") == 3, 5 * PATIENCE, "they pass")
    with here.entered():
        assert command("cleanup").returncode == 0
    assert joined.programs() == [(FIRST, "one"), (LAST, "another")]


# ---- where they cannot live together ----

def test_mode_is_the_dispatchers(start, joined, folder):
    write(folder, row=ROW.replace("native", "generic"))
    daemon = start(wait=False)
    assert "it is attached in native mode, and mode is generic" in error_of(daemon)
    write(folder, row=ROW.replace("native", "auto"))
    assert "the new configuration runs" in daemon.reload()
    assert places(daemon, "persist") == {"wire": "xdp native, in a dispatcher"}


def test_where_it_cannot_be_joined_it_is_said_why(start, dispatcher, here, there):
    if not why_not_joined():
        pytest.skip("it can be joined here")
    daemon = start(wait=False)
    assert "(xdp_dispatcher) is there, and it is not replaced, nor is anything put into it: " \
        in error_of(daemon)
    assert why_not_joined() in error_of(daemon)
    assert error_of(daemon).endswith("if nobody needs it: xdp-loader unload wire --all")
    assert dispatcher.programs() == [(FIRST, "one")]
    send_to(there, "wire", here, 3)
    until(lambda: dispatcher.counted("one") == 3, 5 * PATIENCE, "they pass")
