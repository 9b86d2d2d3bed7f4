# SPDX-License-Identifier: MIT
"""A module is one folder: a copy, under another name, is a module, with no edit elsewhere."""

import os
import shutil
import subprocess
import sys

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

from daemon import ROOT

pytestmark = pytest.mark.host  # it builds the daemon, which takes an hour where all is emulated

FRAME = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP() / UDP() / bytes(50)

# Names in the files, and of the files. A metric has one owner, so those that do not carry the
# module's name get another as well. The unit of that name is the language's.
RENAMED = {"packets": "foo", "PACKETS": "FOO", "interface_bytes": "foo_bytes",
           "interface_packet_size": "foo_size", "unit: foo": "unit: packets"}


def call(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, **options)
    assert done.returncode == 0, f"{command}:\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
    return done.stdout


def copy_tree(to):
    """What git would commit; without git, all but builds."""
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        shutil.copytree(ROOT, to, ignore=shutil.ignore_patterns("build*", ".*", "__pycache__"))
        return
    names = call("git", "-c", f"safe.directory={ROOT}", "-C", ROOT, "ls-files", "--cached",
                 "--others", "--exclude-standard")
    for name in names.splitlines():
        if (ROOT / name).exists():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name)


def rename(text):
    for old, new in RENAMED.items():
        text = text.replace(old, new)
    return text


def copy_module(tree):
    for path in (tree / "modules/packets").iterdir():
        copy = tree / "modules/foo" / rename(path.name)
        copy.parent.mkdir(exist_ok=True)
        copy.write_text(rename(path.read_text()))


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """(tree, build folder) with the module foo"""
    tree = tmp_path_factory.mktemp("copy") / "tree"
    build = tree / "build"
    copy_tree(tree)
    copy_module(tree)
    # Neither optimised nor with symbols: it is built for this one look.
    call("meson", "setup", build, tree, "--buildtype=plain", "-Dtests=disabled")
    call("ninja", "-C", build, "wiregauge")
    yield tree, build
    shutil.rmtree(tree)


@pytest.fixture
def wiregauge(built, monkeypatch):
    """The binary of the copy, which launch() starts as well."""
    binary = built[1] / "wiregauge"
    monkeypatch.setattr("daemon.BINARY", binary)
    return binary


def test_it_is_listed_and_described(wiregauge):
    lines = call(wiregauge, "modules", "list").splitlines()
    about = {line.split()[0]: line.split(maxsplit=1)[1] for line in lines[1:]}
    assert about.keys() >= {"packets", "foo"}
    assert "interface_foo_total" in call(wiregauge, "modules", "describe", "foo")
    assert "sizes" in call(wiregauge, "modules", "options", "foo")


def test_it_is_exported(wiregauge, here, there, run):
    daemon = run("--option", "foo.sizes=false")
    here.send_frames("wire", [FRAME] * 4)
    samples = daemon.scrape()
    labels = {"interface": "wire", "direction": "egress", "protocol": "udp"}
    for metric in ("interface_packets_total", "interface_foo_total"):
        assert samples.value(f"wiregauge_{metric}", **labels) == 4
    assert samples.value("wiregauge_foo_bytes_total", **labels) == 4 * len(FRAME)
    assert samples.total("wiregauge_interface_packet_size_bytes_count", interface="wire") == 4
    assert samples.total("wiregauge_foo_size_bytes_count", interface="wire") == 0  # its own option


def test_it_can_be_switched_off(wiregauge, here, there, run):
    daemon = run("--module", "packets")
    here.send_frames("wire", [FRAME])
    assert daemon.scrape().total("wiregauge_interface_packets_total", interface="wire") == 1
    assert "foo" not in daemon.scrape().text


def test_its_own_test_is_found_and_passes(built):
    tree, build = built
    found = call("tools/list-sources", "modules/*/test_*.py", cwd=tree).split()
    assert "modules/foo/test_foo.py" in found
    call("ninja", "-C", build)
    out = call(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "modules/foo",
               cwd=tree,
               env={**os.environ, "BUILD_ROOT": str(build), "SOURCE_ROOT": str(tree),
                    "WIREGAUGE": str(build / "wiregauge")})
    assert " passed" in out and "failed" not in out
