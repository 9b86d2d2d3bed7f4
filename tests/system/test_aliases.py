# SPDX-License-Identifier: MIT
"""Names and environment of older tools, for their dashboards and unit files: --aliases, PE_PORT."""

import os
import subprocess

import pytest

from configs import LABEL, add_config, u32
from daemon import BINARY, PATIENCE
from kernel import Map
from waiting import until

MANIFEST = f"""
metrics:
  counters:
    - name: percpu_total
      help: Ours
      labels: [{LABEL % ("kind", 4)}]
    - name: percpu_total
      alias: packets_count
      help: Theirs
      labels: [{LABEL % ("src_ip", 4)}]
    - name: single_total
      values:
        - {{name: ours_total, help: Ours, offset: 0}}
        - {{name: theirs, alias: total_packets, help: Theirs, offset: 0}}
"""


@pytest.fixture
def aliased(folder):
    add_config(folder, "aliases", MANIFEST)


def check_ours(daemon):
    Map(daemon, "percpu_total").write(u32(7), *[1] * os.cpu_count())
    Map(daemon, "single_total").write(u32(0), 5)
    samples = daemon.scrape()
    assert samples.value("ebpf_exporter_percpu_total", kind="7") == os.cpu_count()
    assert samples.value("ebpf_exporter_ours_total") == 5
    return samples


def test_without_the_flag_there_are_none(run_configs, aliased):
    samples = check_ours(run_configs())
    assert "packets_count" not in samples.text and "total_packets" not in samples.text


def test_aliases_are_whole_names(run_configs, aliased):
    samples = check_ours(run_configs("--aliases"))
    assert f'\npackets_count{{src_ip="7"}} {os.cpu_count()}\n' in samples.text
    assert "\ntotal_packets 5\n" in samples.text


def test_in_the_daemon_file_and_after_a_reload(run, folder, aliased, tmp_path):
    file = tmp_path / "wiregauge.yaml"
    file.write_text("aliases: true\n")
    daemon = run("--module=", "--config.dir", folder, "--config", file)
    assert "total_packets 5" in check_ours(daemon).text
    file.write_text("aliases: false\n")
    assert "runs" in daemon.reload()
    assert "total_packets" not in check_ours(daemon).text


@pytest.fixture
def start(here, folder, aliased, tmp_path, cleanup):
    """The daemon with an environment, and no address to listen at unless one is given."""
    def start(*arguments, **env):
        log = open(tmp_path / "log", "w")
        cleanup.callback(log.close)
        with here.entered():
            process = subprocess.Popen(
                [BINARY, "run", "--module=", "--config.dir", folder, "--control.socket",
                 tmp_path / "socket", *arguments], env={**os.environ, **env}, stdout=log,
                stderr=log, stdin=subprocess.DEVNULL)
        cleanup.callback(process.wait)
        cleanup.callback(process.terminate)
        return process, tmp_path / "log"
    return start


@pytest.mark.parametrize("arguments, env, address", [
    ((), {"PE_PORT": "2112"}, "http://localhost:2112/metrics"),
    (("--web.listen-address", "127.0.0.1:9436"), {"PE_PORT": "2112"},
     "http://127.0.0.1:9436/metrics"),
    (("--web.listen-address", ":9435"), {"PE_PORT": "2112"}, "http://localhost:9435/metrics"),
    ((), {}, "http://localhost:9435/metrics"),
])
def test_the_port_of_the_environment(start, arguments, env, address):
    _, log = start(*arguments, **env)
    until(lambda: "ready:" in log.read_text(), 10 * PATIENCE, lambda: log.read_text())
    assert f"metrics at {address}\n" in log.read_text()
    assert "PE_WORKERS" not in log.read_text()


def test_workers_are_told_to_do_nothing(start):
    _, log = start(PE_WORKERS="4")
    until(lambda: "ready:" in log.read_text(), 10 * PATIENCE, lambda: log.read_text())
    assert "PE_WORKERS does nothing here" in log.read_text()


@pytest.mark.parametrize("port", ["", "0", "65536", "http", "-1"])
def test_a_port_that_is_none(start, port):
    process, log = start(PE_PORT=port)
    assert process.wait(10 * PATIENCE) == 2
    assert f"PE_PORT in the environment takes a port, not '{port}'" in log.read_text()


def test_latency_under_its_older_name(run, here):
    """The query of the older dashboards adds up all labels but le."""
    for family in "ip", "ip6":  # without a chain some ways have nothing to measure
        here.run("nft", f"add table {family} t; add chain {family} t c "
                        "{ type filter hook prerouting priority 0; }")
    daemon = run("--module", "latency", "--aliases", "--option", "latency.sampling=always")

    def counted():
        here.run("ping", "-c", "1", "-q", "127.0.0.1")
        samples = daemon.scrape()
        rows = samples.select("latency_histogram_count")
        assert {labels["hook"] for labels, _ in rows} <= {"prerouting"}
        return samples.total("latency_histogram_count")
    if "netfilter" not in str([probe for unit in daemon.status()["units"]
                               for probe in unit.get("probes", [])]):
        pytest.skip("nothing measures netfilter here")
    until(lambda: counted() > 0, 5 * PATIENCE, "packets are in it", pause=0.3)
