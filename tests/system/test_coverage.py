# SPDX-License-Identifier: MIT
"""docs/coverage.md has a row for all that the program knows, and the tests it names are there."""

import ast
import re
from functools import cache

import pytest

from daemon import ROOT, command

PAGE = (ROOT / "docs/coverage.md").read_text()

# Sections of programs that ebpf_exporter attaches (config-format: programs and attaching).
SECTIONS = {"kprobe", "kretprobe", "kprobe.multi", "ksyscall", "uprobe", "uretprobe", "usdt", "tp",
            "raw_tp", "tp_btf", "fentry", "fexit", "fmod_ret", "lsm", "iter", "freplace",
            "xdp/DEVICE", "perf_event/type=…", "uprobe//proc/self/exe:post_attach_mark", "?…"}


def rows(heading):
    """{name: tests} of the table under a heading."""
    section = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S)
    assert section, f"docs/coverage.md has no '## {heading}'"
    found = re.findall(r"^\| `([^`]+)` \| (.*) \|$", section[1], re.M)
    names = [name for name, _ in found]
    assert len(set(names)) == len(names), f"twice: {sorted(n for n in names if names.count(n) > 1)}"
    return {name: re.findall(r"`([^`]+)`", tests) for name, tests in found}


def printed(what):
    done = command("docs", what)
    assert done.returncode == 0, done.stderr
    return done.stdout


def known_keys():
    """"label.size": the kind of mapping, and its key."""
    for group in re.split(r"^### Keys of ", printed("config"), flags=re.M)[1:]:
        one = re.sub(r"^an? ", "", group.split("\n")[0].replace("\\", "")).replace(" ", "_")
        for key in re.findall(r"^\| `([^`]+)` \|", group, re.M):
            yield f"{one}.{key.removesuffix('[]')}"


def known_hooks():
    values = re.search(r"^\| `hook` \| (.*?)(?:; required)? \|", printed("config"), re.M)[1]
    return set(re.split(r", | or ", values.replace("\\", ""))) - {"section"}


def known_metrics():
    own = printed("metrics").split("## The daemon itself")[1]
    return set(re.findall(r"^\| `(\w+)` \|", own, re.M))


def known_operations():
    return set(re.findall(r"^### ((?:GET|POST) /\S+)", printed("api"), re.M))


@pytest.mark.parametrize("heading, known", [
    ("Keys", lambda: set(known_keys())),
    ("Decoders", lambda: set(re.findall(r"^\| `(\w+)` \|", printed("decoders"), re.M))),
    ("Programs attached by their section", lambda: SECTIONS),
    ("Hooks of attach", known_hooks),
    ("Built-in metrics", known_metrics),
    ("Operations", known_operations),
])
def test_nothing_lacks_a_row(heading, known):
    expected, told = known(), rows(heading)
    assert expected
    assert expected - set(told) == set(), "without a row in docs/coverage.md"
    assert set(told) - expected == set(), "in docs/coverage.md, but the program knows no such thing"
    assert [name for name, tests in told.items() if not tests] == [], "rows that name no test"


@cache
def names_in(path):
    """Names of the tests in a file; None for a file that is no test program."""
    text = path.read_text()
    if path.suffix == ".py":
        return {node.name for node in ast.walk(ast.parse(text))
                if isinstance(node, ast.FunctionDef) and node.name.startswith("test")}
    if path.suffix == ".c":
        return set(re.findall(r"\bcmocka_unit_test\w*\(\s*(\w+)", text))
    return None


def test_every_test_that_is_named_is_there():
    named = {test for test in re.findall(r"`(tests/[^`]+|modules/[^`]+)`", PAGE)}
    assert len(named) > 20
    missing = []
    for test in sorted(named):
        path, _, name = test.partition("::")
        if not (ROOT / path).is_file() or (name and name not in (names_in(ROOT / path) or ())):
            missing.append(test)
        elif not name and names_in(ROOT / path) is not None:
            missing.append(f"{test}: which of its tests?")
    assert missing == []
