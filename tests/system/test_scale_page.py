# SPDX-License-Identifier: MIT
"""The configurations that docs/scale.md gives for Prometheus, as promtool judges them."""

import re
import subprocess

import pytest
import yaml

from daemon import ROOT

pytestmark = pytest.mark.host

CONFIGS = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/scale.md").read_text(), re.S)


@pytest.mark.parametrize("text", CONFIGS)
def test_promtool_takes_it(promtool, tmp_path, text):
    config = tmp_path / "prometheus.yml"
    config.write_text(text)
    targets = tmp_path / "targets"
    targets.mkdir()
    (targets / "hosts.yml").write_text("- targets: ['host1:9435']\n")
    agent = ["--agent"] if "feature=agent" in text else []
    done = subprocess.run([promtool, "check", "config", *agent, config], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_shards_have_each_host_once():
    """Of four servers with the numbers 0 to 3, one keeps a host."""
    text, = (text for text in CONFIGS if "hashmod" in text)
    job, = yaml.safe_load(text)["scrape_configs"]
    assert [rule["action"] for rule in job["relabel_configs"]] == ["hashmod", "keep"]
    assert int(job["relabel_configs"][1]["regex"]) < job["relabel_configs"][0]["modulus"]
