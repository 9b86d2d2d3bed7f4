# SPDX-License-Identifier: MIT
"""`wiregauge config check` against a compiled object: each tests/golden/check/NAME.yaml is wrong in
a way that only its object shows, and NAME.expected is what is told, letter by letter.
GOLDEN_UPDATE=1 writes these anew: read the difference."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden" / "check"
BUILD = Path(os.environ.get("BUILD_ROOT", ROOT / "build"))
WIREGAUGE = os.environ.get("WIREGAUGE", str(ROOT / "build" / "wiregauge"))
CASES = sorted(GOLDEN.glob("[0-9]*.yaml"))


def check(tmp_path, config):
    shutil.copy(config, tmp_path / config.name)
    shutil.copy(BUILD / "tests" / "check_maps.bpf.o", tmp_path / f"{config.stem}.bpf.o")
    return subprocess.run([WIREGAUGE, "config", "check", config.name], cwd=tmp_path,
                          capture_output=True, text=True, timeout=30)


@pytest.mark.parametrize("config", CASES, ids=lambda path: path.stem)
def test_says_what_is_wrong(tmp_path, config):
    done = check(tmp_path, config)
    expected = config.with_suffix(".expected")
    if os.environ.get("GOLDEN_UPDATE"):
        expected.write_text(done.stderr)
    assert done.stderr == expected.read_text()
    assert done.returncode == 2


def test_there_are_cases():
    assert len(CASES) >= 15


def test_valid_config_says_nothing(tmp_path):
    done = check(tmp_path, GOLDEN / "valid.yaml")
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "")


def test_file_that_is_not_there(tmp_path):
    done = subprocess.run([WIREGAUGE, "config", "check", "nothing.yaml"], cwd=tmp_path,
                          capture_output=True, text=True, timeout=30)
    assert done.returncode == 2
    assert "nothing.yaml" in done.stderr and "No such file" in done.stderr
