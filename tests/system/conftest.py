# SPDX-License-Identifier: MIT
import os
import shutil
import subprocess
from contextlib import ExitStack

import pytest

from attaching import has_symbol
from cgroup import Cgroup, mount_point
from daemon import BINARY, ROOT, Daemon
from netns import Namespace, connect


@pytest.fixture
def cleanup():
    """Whatever is entered here is left at the end of the test, last first, also when it fails."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def make_namespace(cleanup):
    return lambda: cleanup.enter_context(Namespace())


@pytest.fixture
def here(make_namespace):
    """The namespace that the daemon runs in."""
    return make_namespace()


@pytest.fixture
def there(make_namespace, here):
    """The one at the other end of the veth pair "wire"."""
    namespace = make_namespace()
    connect(here, namespace)
    return namespace


@pytest.fixture
def folder(tmp_path):
    """A config.dir."""
    path = tmp_path / "configs"
    path.mkdir()
    return path


@pytest.fixture
def launch(cleanup, here, tmp_path):
    """Starts a daemon, ready or not; each has a directory of its own."""
    assert BINARY.exists(), f"{BINARY} is not built; WIREGAUGE names another"

    def start(*arguments, **options):
        if "tcx" in arguments and not has_symbol("tcx_link_attach"):
            pytest.skip("this kernel has no TCX (Linux 6.6 and newer have it)")
        directory = tmp_path / f"daemon-{len(list(tmp_path.glob('daemon-*')))}"
        directory.mkdir()
        daemon = Daemon(here, directory, *arguments, **options)
        cleanup.callback(daemon.close)
        return daemon

    return start


@pytest.fixture
def run(launch):
    """Starts a daemon and waits until it is ready."""
    return lambda *arguments, **options: launch(*arguments, **options).wait_ready()


@pytest.fixture
def run_packets(launch):
    """Runs the module packets alone: half of the time until it is ready is the other modules'."""
    return lambda *arguments, **options: launch("--module=packets", *arguments,
                                                **options).wait_ready()


@pytest.fixture
def run_configs(run, folder):
    """Runs the folder's configs and no built-in module."""
    return lambda *arguments: run("--module=", "--config.dir", folder, *arguments)


def find_oracle(name, variable):
    """Path of a binary of the Debian package prometheus."""
    path = os.environ.get(variable) or shutil.which(name)
    if not path:
        done = subprocess.run([ROOT / "tools/oracle", "prometheus"], capture_output=True, text=True)
        path = next((line for line in done.stdout.split() if line.endswith("/" + name)), None)
    if not path or not os.access(path, os.X_OK):
        pytest.skip(f"{name} is not there and could not be fetched (Debian package prometheus)")
    return path


@pytest.fixture
def groups():
    """A cgroup to make others in."""
    if not mount_point():
        pytest.skip("no cgroup2 file system is mounted here")
    with Cgroup() as group:
        yield group


@pytest.fixture(scope="session")
def promtool():
    return find_oracle("promtool", "PROMTOOL")


@pytest.fixture(scope="session")
def prometheus_binary():
    return find_oracle("prometheus", "PROMETHEUS")
