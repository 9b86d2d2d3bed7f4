# SPDX-License-Identifier: MIT
"""What is deployed says the same everywhere, and what it names is there."""

import re
import shutil
import subprocess

import pytest
import yaml

from daemon import BINARY, ROOT

DEPLOY = ROOT / "deploy"
DOCS = ROOT / "docs"
UNIT = DEPLOY / "systemd/wiregauge.service"
COMPOSE = DEPLOY / "compose/compose.yaml"


def of_unit(directive):
    return re.search(rf"^{directive}=(.*)$", UNIT.read_text(), re.MULTILINE)[1]


def test_one_set_of_capabilities():
    service = yaml.safe_load(COMPOSE.read_text())["services"]["wiregauge"]
    least = re.search(r"^## The least that does\n.*?```\n(.*?)\n```",
                      (DOCS / "privileges.md").read_text(), re.DOTALL | re.MULTILINE)[1].split()
    assert sorted(of_unit("CapabilityBoundingSet").split()) == sorted(least)
    assert sorted(of_unit("AmbientCapabilities").split()) == sorted(least)
    assert sorted("CAP_" + name for name in service["cap_add"]) == sorted(least)
    assert service["cap_drop"] == ["ALL"]


def test_compose_mounts_what_is_there():
    for name, service in yaml.safe_load(COMPOSE.read_text())["services"].items():
        for mount in service["volumes"]:
            path = (COMPOSE.parent / mount["source"]).resolve()
            if mount["type"] == "bind" and path.is_relative_to(DEPLOY):
                assert path.exists(), f"{name} mounts {mount['source']}, which is not there"


def test_image_has_a_configuration_and_its_health_check_a_command():
    dockerfile = (DEPLOY / "docker/Dockerfile").read_text()
    for source in re.findall(r"cp (deploy/\S+)", dockerfile):
        assert (ROOT / source).exists()
    command = re.search(r'HEALTHCHECK.* CMD \["/usr/sbin/wiregauge", "(\w+)"', dockerfile)[1]
    help_text = subprocess.run([BINARY, command, "--help"], capture_output=True, text=True,
                               check=True).stdout
    assert "--json" in help_text


def test_exposure_is_what_the_docs_say():
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    run = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", UNIT],
                         capture_output=True, text=True, check=False)
    if run.returncode and "offline" in run.stderr:
        pytest.skip("this systemd-analyze knows no --offline (before version 250)")
    figure = re.search(r"Overall exposure level for wiregauge.service: ([\d.]+)", run.stdout)[1]
    assert f"wiregauge.service: {figure} OK" in (DOCS / "install.md").read_text()


def test_default_configuration_is_one(tmp_path):
    default = DEPLOY / "wiregauge.yaml"
    subprocess.run([BINARY, "run", "--config", default, "--config.check"], check=True)
    # With all that it only proposes switched on, it still is.
    proposed = tmp_path / "wiregauge.yaml"
    proposed.write_text(re.sub(r"^#(?=(modules|web|  ))", "", default.read_text(),
                               flags=re.MULTILINE))
    assert "\n  guard:" in proposed.read_text()
    subprocess.run([BINARY, "run", "--config", proposed, "--config.check"], check=True)
