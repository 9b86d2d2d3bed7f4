# SPDX-License-Identifier: MIT
"""deploy/grafana/: dashboards are as their source says. Each of their queries, and each recording
rule of deploy/prometheus/, returns data from a Prometheus that scrapes a busy host, be its
histograms native or classic."""

import itertools
import json
import re
import subprocess

import pytest
import yaml

from busy import BLOCKED, Busy
from daemon import BINARY, PATIENCE, PORT, ROOT
from exposition import CONTENT_TYPES
from netns import address_pair
from prometheus import Prometheus, Relay
from rulefiles import rules
from waiting import until

pytestmark = pytest.mark.host

GRAFANA = ROOT / "deploy/grafana"
DASHBOARDS = {path.stem: json.loads(path.read_text())
              for path in sorted((GRAFANA / "dashboards").glob("*.json"))}
WINDOW = {"$__rate_interval": "5s", "$__range": "10s"}
HAPPENS = 25 * PATIENCE  # s: until each kind of traffic is in two scrapes, on a slow machine


def panels(dashboard):
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


# --- as Grafana takes them

def test_they_are_as_the_source_says():
    done = subprocess.run([ROOT / "tools/dashboards", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert set(DASHBOARDS) == {"overview", "latency", "tcp", "dns", "drops", "flows", "guard",
                               "agent"}


def covers(place):
    return {(x, y) for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])}


@pytest.mark.parametrize("name", DASHBOARDS)
def test_panels_have_places_and_ids_of_their_own(name):
    dashboard = DASHBOARDS[name]
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)
    for one, other in itertools.combinations(dashboard["panels"], 2):
        assert not covers(one["gridPos"]) & covers(other["gridPos"]), (one["id"], other["id"])
    assert all(x < 24 for panel in dashboard["panels"] for x, _ in covers(panel["gridPos"]))


@pytest.mark.parametrize("name", DASHBOARDS)
def test_all_are_alike(name):
    dashboard, first = DASHBOARDS[name], next(iter(DASHBOARDS.values()))
    assert dashboard["uid"] == f"wiregauge-{name}" and dashboard["id"] is None
    assert dashboard["schemaVersion"] >= 36 and dashboard["title"].startswith("wiregauge / ")
    for part in ("templating", "annotations", "links", "tags", "time"):
        assert dashboard[part] == first[part]
    source = first["templating"]["list"][0]
    assert source["type"] == "datasource" and source["name"] == "datasource"
    for panel in panels(dashboard):
        assert panel["datasource"]["uid"] == "${datasource}"
        assert panel["title"] and panel["targets"]


def test_they_are_provisioned():
    """As the files under provisioning/ say, from a folder."""
    (provider,) = yaml.safe_load(
        (GRAFANA / "provisioning/dashboards/wiregauge.yaml").read_text())["providers"]
    assert provider["type"] == "file" and provider["options"]["path"].startswith("/")
    (source,) = yaml.safe_load(
        (GRAFANA / "provisioning/datasources/prometheus.yaml").read_text())["datasources"]
    assert source["type"] == "prometheus" and source["isDefault"]


# --- as Prometheus answers

def fill_in(query, job):
    values = WINDOW | {"$job": job, "$instance": ".+", "$interface": ".+"}
    for name, value in values.items():
        query = query.replace(name, value)
    assert "$" not in query, query
    return query


def questions(job):
    """{(dashboard, panel, target): query}"""
    return {(name, panel["id"], panel["title"], target["refId"]): fill_in(target["expr"], job)
            for name, dashboard in DASHBOARDS.items() for panel in panels(dashboard)
            for target in panel["targets"]}


@pytest.fixture
def host(cleanup, here, there, launch, tmp_path):
    """It drops what guard says, and is sampled always: a test has no minutes."""
    address_pair(here, there)
    path = tmp_path / "wiregauge.yaml"
    path.write_text(yaml.safe_dump({"modules": {
        "guard": {"enabled": True, "mode": "enforce", "block": [BLOCKED], "limits": ["9/udp 10pps"],
                  "log_file": str(tmp_path / "guard.log")},
        "xdp": {"interfaces": ["wire"]}, "latency": {"sampling": "always"},
        "tcp": {"sampling": "always"}, "flows": {"top_hosts": 10}}}))
    cleanup.callback(lambda: here.run(str(BINARY), "cleanup"))
    daemon = launch("--config", path)
    until(lambda: "ready: " in daemon.log(), 30 * PATIENCE, daemon.log)
    until(lambda: daemon.attached("xdp_ingress"), 30 * PATIENCE, daemon.log)
    cleanup.enter_context(Busy(here, there, tmp_path)).wait_for_all(30 * PATIENCE)
    return daemon


@pytest.fixture
def prometheus(cleanup, here, host, tmp_path, prometheus_binary):
    """It gets the same host in both forms."""
    relay = cleanup.enter_context(Relay(here, PORT, CONTENT_TYPES))
    jobs = {"native": {"static_configs": [{"targets": [f"127.0.0.1:{PORT}"]}]},
            "classic": {"static_configs": [{"targets": [relay.address]}],
                        "metrics_path": "/text"}}
    started = cleanup.enter_context(Prometheus(here, tmp_path, prometheus_binary, jobs,
                                               "--enable-feature=native-histograms"))
    started.wait_scraped(jobs)
    return started


def wait_answered(prometheus, queries):
    """Until each of @queries has returned something."""
    missing = dict(queries)

    def all_did():
        for place, query in list(missing.items()):
            if prometheus.query(query):
                del missing[place]
        return not missing

    until(all_did, HAPPENS, lambda: f"{len(queries) - len(missing)} of {len(queries)} return data, "
          f"but not {json.dumps({str(k): v for k, v in missing.items()}, indent=1)}", pause=0.5)


def variables(job):
    """{what: query for the values that it offers}"""
    found, definition = {}, re.compile(r"label_values\((.+), (\w+)\)")
    for variable in DASHBOARDS["overview"]["templating"]["list"][1:]:
        series, label = definition.fullmatch(variable["definition"]).groups()
        found["variable", variable["name"]] = f"count by ({label}) ({fill_in(series, job)})"
    assert len(found) == 3
    return found


def records(job):
    """{what: query of a recording rule}"""
    return {("rule", name): f"({rule['expr'].replace('[5m]', '[5s]')}) "
                            f'and on (job, instance) up{{job="{job}"}}'
            for name, rule in rules("record").items()}


def test_every_panel_has_data(prometheus, capsys):
    count = sum(len(panels(dashboard)) for dashboard in DASHBOARDS.values())
    for job in ("native", "classic"):
        wait_answered(prometheus, questions(job) | variables(job) | records(job))
        with capsys.disabled():
            print(f"{count} of {count} panels return data ({job} histograms) ", end="")
    # Each form was there, and by itself.
    assert prometheus.query('wiregauge_tcp_rtt_seconds{job="native"}')
    assert not prometheus.query('wiregauge_tcp_rtt_seconds{job="classic"}')
    assert prometheus.query('wiregauge_tcp_rtt_seconds_bucket{job="classic"}')
    assert not prometheus.query('wiregauge_tcp_rtt_seconds_bucket{job="native"}')
    check_the_rest(prometheus)


def check_the_rest(prometheus):
    """What need not return anything is taken all the same; alerts with each threshold at 0, so that
    all of an expression is computed."""
    for annotation in DASHBOARDS["overview"]["annotations"]["list"][1:]:
        assert prometheus.ask("query", query=fill_in(annotation["expr"], "native"))
    for alert in rules("alert").values():
        lowered = re.sub(r"(==|>) [\d.e]+(?=[\s)]|$)", ">= 0", alert["expr"])
        assert lowered != alert["expr"]
        assert prometheus.ask("query", query=lowered)
