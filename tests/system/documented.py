# SPDX-License-Identifier: MIT
"""docs/metrics.md, as tests read it."""

import re

from daemon import ROOT


def documented_metrics(optional=False):
    """{name: (type, labels)}; @optional: with the labels that are there while an option says so"""
    label = r"`\[?(\w+)\]?`" if optional else r"`(\w+)`"
    text = (ROOT / "docs/metrics.md").read_text()
    return {name: (kind, set(re.findall(label, labels)))
            for name, kind, labels in re.findall(r"^\| `(\w+)` \| (\w+) \| (.*?) \| ", text, re.M)}
