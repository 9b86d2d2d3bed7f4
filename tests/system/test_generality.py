# SPDX-License-Identifier: MIT
"""The program knows no module by its name: what is built in goes the way of a user's config."""

import re

import pytest

from daemon import ROOT

SOURCES = sorted([*(ROOT / "src").rglob("*.[ch]"), *(ROOT / "src").rglob("meson.build")])
NAMES = sorted({path.parent.name for path in ROOT.glob("modules/*/*.yaml")} |
               {path.stem for path in ROOT.glob("pipeline/*.yaml")})

COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)
# What a command's help shows as an example is text for people.
EXAMPLES = re.compile(r'\.examples\s*=\s*(?:"(?:[^"\\]|\\.)*"\s*)+')
LITERAL = re.compile(r'"((?:[^"\\\n]|\\.)*)"|\'((?:[^\'\\\n]|\\.)*)\'')


def blank(match):
    return re.sub(r"[^\n]", " ", match[0])


def mentions(text, names, words=()):
    """[(line, what)]: where a source file knows one of @names; @words mean something else there."""
    text = EXAMPLES.sub(blank, COMMENT.sub(blank, text))
    one = "|".join(map(re.escape, names))
    knows_name = re.compile(rf"(?:(?:modules|pipeline)/)?(?:{one})(?:\.(?:yaml|bpf\.[co]|h|\w+))?")
    knows_code = re.compile(rf"\b(?:{one})_(?:stage|builtin|bpf)\b|"
                            rf"\b(?:modules|pipeline)/(?:{one})\b")
    found = [(match.start(), match[0]) for match in LITERAL.finditer(text)
             if knows_name.fullmatch(match[1] or match[2] or "")]
    found += [(match.start(), match[0]) for match in knows_code.finditer(text)]
    return [(text.count("\n", 0, at) + 1, what) for at, what in sorted(set(found))
            if what not in ALLOWED and what not in words]


# Options of the daemon about a mechanism of the kernel's, not about the pipeline of that name.
ALLOWED = {'"tc.mechanism"'}

# Words of the configuration language, and names of protocols, that modules happen to be called by
# as well.
WORDS = {
    "src/base/units.c": ['"tcp"'],  # a port's protocol: 53/tcp
    # A unit of columns; whose names for ports; a kind of hook.
    "src/config/config.c": ['"packets"', '"tcp"', '"xdp"'],
    # What SEC() of programs begins with.
    "src/cli/check.c": ['"xdp"'],
    "src/host/programs.c": ['"xdp"'],
    "src/decode/ip_proto.c": ['"tcp"'],  # IP's protocol 6
    "src/decode/services.c": ['"tcp"'],  # as in /etc/services
}


def test_there_is_something_to_look_at():
    assert len(SOURCES) > 100 and "packets" in NAMES and "tc" in NAMES


def test_no_module_is_known_by_name():
    found = {str(path.relative_to(ROOT)): mentions(path.read_text(), NAMES,
                                                       WORDS.get(str(path.relative_to(ROOT)), ()))
             for path in SOURCES}
    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize("line", [
    'if (STREQ(b->name, "packets"))',
    'static const char *const first[] = {"a", "packets"};',
    '#include "modules/packets/packets.h"',
    "packets_stage(p);",
    "extern const struct builtin_module packets_builtin;",
    'option = find("packets.sizes");',
    'read("pipeline/tc.yaml");',
    "sources += 'packets.c'",
    'load("tc");',
])
def test_a_name_would_be_found(line):
    """Planted in the middle of a source file."""
    text = (ROOT / "src/engine/agent.c").read_text().splitlines()
    middle = len(text) // 2
    while text[middle] != "}":
        middle += 1
    text.insert(middle + 1, line)
    ((number, _), *rest) = mentions("\n".join(text), NAMES)
    assert number == middle + 2 and all(also == number for also, _ in rest)


@pytest.mark.parametrize("line", ["/* packets: as `tc` has them */", "bool packets = true;",
                                  'puts("all packets that tc sees");', "tc_claim(&fd, e);",
                                  '.examples = "  --option packets.sizes=false\\n"\n"packets",'])
def test_words_are_no_names(line):
    assert mentions(line, NAMES) == []
