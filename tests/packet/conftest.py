# SPDX-License-Identifier: MIT
import pytest

from bpf import Object, object_path


@pytest.fixture(scope="session")
def parser():
    with Object(object_path("tests/packet/parser")) as loaded:
        loaded.load()
        yield loaded
