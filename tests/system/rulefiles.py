# SPDX-License-Identifier: MIT
"""deploy/prometheus/rules/, as tests read them."""

import yaml

from daemon import ROOT

DEPLOY = ROOT / "deploy/prometheus"
RULES = sorted((DEPLOY / "rules").glob("*.yml"))


def read(path):
    return yaml.safe_load(path.read_text())


def rules(kind):
    """{name: rule}; @kind: alert, record"""
    return {rule[kind]: rule for path in RULES for group in read(path)["groups"]
            for rule in group["rules"] if kind in rule}
