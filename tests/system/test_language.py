# SPDX-License-Identifier: MIT
"""What the language has beyond ebpf_exporter's, in the daemon: gauges, options, `when`."""

import pytest

from bpf import lib
from configs import LABEL, add_config, u32
from kernel import Map

CPUS = lib.libbpf_num_possible_cpus()
GAUGES = f"""
options:
  - {{name: details, type: bool, default: true, help: Also the rest}}
metrics:
  gauges:
    - name: plain_total
      help: A gauge that goes down
      labels: [{LABEL % ("kind", 4)}, {{name: address, size: 4, decoders: [{{name: inet_ip}}]}}]
    - {{name: single_total, help: Only with details, when: details}}
  counters:
    - name: percpu_total
      help: Only with details
      when: details
      labels: [{LABEL % ("kind", 4)}]
  histograms:
    - name: exp2zero_bytes
      help: Only with details
      when: details
      bucket_type: exp2zero
      bucket_max: 3
      labels: [{LABEL % ("bucket", 4)}]
"""


METRICS = ("plain_total", "single_total", "percpu_total", "exp2zero_bytes")


def exported(daemon):
    """Which metrics of the config are exported, once its maps hold something."""
    Map(daemon, "plain_total").write(u32(3, 0), 1)
    Map(daemon, "percpu_total").write(u32(3), *[1] * CPUS)
    Map(daemon, "exp2zero_bytes").write(u32(3), 1)
    text = daemon.scrape().text
    return {name for name in METRICS if f"# TYPE ebpf_exporter_{name} " in text}


def test_gauges_go_up_and_down(folder, run_configs):
    add_config(folder, "gauges", GAUGES)
    daemon = run_configs()
    target = Map(daemon, "plain_total")
    key = u32(3) + bytes([192, 0, 2, 1])
    for value in (7, 2**53, 0):
        target.write(key, value)
        samples = daemon.scrape()
        assert samples.value("ebpf_exporter_plain_total", kind="3", address="192.0.2.1") == value
    assert "# TYPE ebpf_exporter_plain_total gauge\n" in samples.text
    assert "# HELP ebpf_exporter_plain_total A gauge that goes down\n" in samples.text


@pytest.mark.parametrize("setting, names", [
    ([], {"plain_total", "single_total", "percpu_total", "exp2zero_bytes"}),
    (["--option", "gauges.details=true"], {"plain_total", "single_total", "percpu_total",
                                           "exp2zero_bytes"}),
    (["--option", "gauges.details=false"], {"plain_total"}),
])
def test_what_depends_on_an_option_is_exported_while_that_is_true(folder, run_configs, setting,
                                                                  names):
    add_config(folder, "gauges", GAUGES)
    daemon = run_configs(*setting)
    assert exported(daemon) == names


@pytest.mark.parametrize("on, series", [
    ("false", {("3",): 12, ("4",): 1}),
    ("true", {("3", "192.0.2.1"): 5, ("3", "192.0.2.2"): 7, ("4", "0.0.0.0"): 1}),
])
def test_label_is_exported_while_its_option_is_true(folder, run_configs, on, series):
    add_config(folder, "gauges", GAUGES.replace("name: address,", "name: address, when: details,"))
    daemon = run_configs("--option", f"gauges.details={on}")
    target = Map(daemon, "plain_total")
    target.write(u32(3) + bytes([192, 0, 2, 1]), 5)
    target.write(u32(3) + bytes([192, 0, 2, 2]), 7)
    target.write(u32(4, 0), 1)
    found = daemon.scrape().select("ebpf_exporter_plain_total")
    assert {tuple(labels[name] for name in ("kind", "address") if name in labels): value
            for labels, value in found} == series


def test_option_in_the_daemon_file(folder, run_configs, tmp_path):
    """For a user's config as for a module that is built in."""
    add_config(folder, "gauges", GAUGES)
    (tmp_path / "wiregauge.yaml").write_text("modules: {gauges: {details: false}}\n")
    daemon = run_configs("--config", tmp_path / "wiregauge.yaml")
    assert exported(daemon) == {"plain_total"}


def test_namespace_is_the_prefix(folder, run_configs):
    add_config(folder, "named", "namespace: lab_7\n"
               "metrics: {gauges: [{name: single_total, help: x}]}\n")
    daemon = run_configs()
    Map(daemon, "single_total").write(u32(0), 5)
    assert daemon.scrape().value("lab_7_single_total") == 5
    assert exported(daemon) == set()


def test_a_map_that_cannot_be_read_takes_no_other_along(folder, run_configs):
    add_config(folder, "both", f"""
metrics:
  counters:
    - {{name: unreadable_total, help: x, labels: [{LABEL % ("kind", 4)}]}}
    - {{name: readable_total, help: x}}
""", "tests/system/unreadable")
    daemon = run_configs()
    before = daemon.scrape().value("wiregauge_read_errors_total", config="both")
    samples = daemon.scrape()
    assert samples.value("wiregauge_read_errors_total", config="both") == before + 1
    assert samples.value("ebpf_exporter_readable_total") == 0
    assert samples.select("ebpf_exporter_unreadable_total") == []
    assert "unreadable_total" in "\n".join(daemon.complaints())
    assert len(daemon.complaints()) == 1  # not at each scrape
