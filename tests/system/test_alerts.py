# SPDX-License-Identifier: MIT
"""deploy/prometheus/: Prometheus takes it, each alert fires when it should, and has a page."""

import re
import subprocess

import pytest
import yaml

from daemon import PATIENCE, ROOT
from documented import documented_metrics
from rulefiles import DEPLOY, RULES, read, rules

pytestmark = pytest.mark.host

TESTS = sorted((DEPLOY / "tests").glob("*.yml"))
PROMETHEUS_OWN = {"up": set(), "scrape_duration_seconds": set(),
                  "scrape_samples_post_metric_relabeling": set()}
TARGET_LABELS = {"job", "instance"}


ALERTS = rules("alert")
RECORDS = rules("record")


def run(promtool, *arguments):
    done = subprocess.run([promtool, *map(str, arguments)], capture_output=True, text=True,
                          timeout=300 * PATIENCE)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_prometheus_takes_the_configuration(promtool):
    assert f"{len(RULES)} rule files found" in run(promtool, "check", "config",
                                                   DEPLOY / "prometheus.yml")


def test_the_one_for_newer_versions_differs_in_native_histograms_only():
    """Debian's promtool does not know the key yet."""
    newer = read(DEPLOY / "prometheus-3.yml")
    (job,) = newer["scrape_configs"]
    assert job.pop("scrape_native_histograms") is True
    assert newer == read(DEPLOY / "prometheus.yml")


def test_the_one_for_kubernetes_is_taken(promtool, tmp_path):
    """Debian's Prometheus is built without that discovery: the rest is checked."""
    config = read(DEPLOY / "kubernetes.yml")
    (job,) = config["scrape_configs"]
    assert job.pop("kubernetes_sd_configs")[0]["role"] == "pod"
    config["rule_files"] = [str(DEPLOY / name) for name in config["rule_files"]]
    path = tmp_path / "kubernetes.yml"
    path.write_text(yaml.safe_dump(config))
    run(promtool, "check", "config", path)


def test_rules_are_taken(promtool):
    found = re.findall(r"SUCCESS: (\d+) rules found", run(promtool, "check", "rules", *RULES))
    assert sum(map(int, found)) == len(ALERTS) + len(RECORDS)


def test_alerts_fire_when_they_should(promtool):
    assert run(promtool, "test", "rules", *TESTS).count("SUCCESS") == len(TESTS)


# --- each of them

def unit_tests(alert):
    """[(minute, how many fire)] in each unit test of @alert"""
    return [[(int(row["eval_time"].rstrip("m")), len(row["exp_alerts"]))
             for row in test["alert_rule_test"] if row["alertname"] == alert]
            for path in TESTS for test in read(path)["tests"]]


def is_whole(rows):
    """Silent, then it fires, then it is silent again."""
    fires = [minute for minute, count in rows if count]
    silent = [minute for minute, count in rows if not count]
    return bool(fires) and min(silent) < min(fires) and max(silent) > max(fires)


@pytest.mark.parametrize("alert", ALERTS)
def test_each_alert_has_a_unit_test(alert):
    assert any(map(is_whole, unit_tests(alert)))


def runbook():
    """{alert: text of its entry}"""
    text = (ROOT / "docs/alerts.md").read_text()
    return dict(re.findall(r"^## (\w+)\n(.*?)(?=^#|\Z)", text, re.M | re.S))


@pytest.mark.parametrize("alert", ALERTS)
def test_each_alert_says_what_to_do(alert):
    rule, entry = ALERTS[alert], runbook()[alert]
    for part in ("Means", "Look", "Do", "Threshold"):
        assert f"**{part}**: " in entry, part
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert "$labels.instance" in rule["annotations"]["summary"]
    assert rule["annotations"]["runbook_url"] == f"docs/alerts.md#{alert.lower()}"
    assert rule["labels"]["severity"] in ("critical", "warning", "info")


def test_there_is_no_entry_without_its_alert():
    assert set(runbook()) == set(ALERTS)


# --- what they are computed from

SELECTOR = re.compile(r"(?<![\w:$])([a-zA-Z_:][\w:]*)\b(?!\s*\()(?:\{([^}]*)\})?")
GROUPING = re.compile(r"\b(?:by|on|without|group_left|group_right|ignoring) \([^)]*\)")
WORDS = {"by", "on", "and", "or", "unless"}


def selectors(expression):
    """[(metric, labels that are asked for)]"""
    bare = re.sub(r'"[^"]*"|\[\w+\]|\b[\d.]+(e\d+)?\b', '""', GROUPING.sub(" ", expression))
    return [(name, set(re.findall(r"(\w+)[=!]", labels)))
            for name, labels in SELECTOR.findall(bare) if name not in WORDS]


def known_metrics():
    """{name: labels}; of histograms as Prometheus has them, native or classic"""
    known = dict(PROMETHEUS_OWN)
    for name, (kind, labels) in documented_metrics(optional=True).items():
        parts = ("", "_bucket", "_count", "_sum") if kind == "histogram" else ("",)
        known |= {name + part: labels for part in parts}
    return known


@pytest.mark.parametrize("name", [*RECORDS, *ALERTS])
def test_what_a_rule_asks_for_is_there(name):
    known = known_metrics()
    asked = selectors((RECORDS.get(name) or ALERTS[name])["expr"])
    assert asked
    for metric, labels in asked:
        assert metric in RECORDS or labels <= known[metric] | TARGET_LABELS, (metric, labels)


def test_each_rule_is_read_by_somebody():
    """Those that are not are the sums for whole fleets."""
    used = {metric for rule in [*ALERTS.values(), *RECORDS.values()]
            for metric, _ in selectors(rule["expr"])}
    assert set(RECORDS) - used <= {"instance:wiregauge_interface_bytes:rate5m"}
