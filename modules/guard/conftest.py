# SPDX-License-Identifier: MIT
import sys
from pathlib import Path

import pytest
import yaml

from daemon import PATIENCE, command
from netns import address_pair
from waiting import until

sys.path.insert(0, str(Path(__file__).parent))  # guarding.py, plane.py, flooding.py

from guarding import Guard  # noqa: E402

LOADED = 20 * PATIENCE  # s: the verifier reads a long program


@pytest.fixture
def pair(here, there):
    address_pair(here, there)
    return here, there


@pytest.fixture
def start(launch, cleanup, here, pair, tmp_path):
    """Runs guard with these options at the interface "wire", until it is attached."""

    def remove():
        with here.entered():
            done = command("cleanup")
        assert done.returncode == 0, done.stderr

    cleanup.callback(remove)
    path = tmp_path / "wiregauge.yaml"

    def write(**options):
        options.setdefault("log_file", str(tmp_path / "guard.log"))
        options.setdefault("protect", [])
        path.write_text(yaml.safe_dump({"modules": {
            "guard": {"enabled": True, **options}, "xdp": {"interfaces": ["wire"]}}}))

    def run(**options):
        write(**options)
        daemon = launch("--module=guard", "--config", path)
        until(lambda: "ready: " in daemon.log() or daemon.process.poll() is not None, LOADED,
              daemon.log)
        until(lambda: any(daemon.attached(name)
                          for name in ("xdp_ingress", "xdp_linear", "xdp_basic")), LOADED,
              daemon.log)
        return Guard(daemon)

    run.write = write
    return run
