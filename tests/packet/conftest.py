# SPDX-License-Identifier: MIT
import pytest

from bpf import Object, object_path


@pytest.fixture(scope="session")
def parser():
    with Object(object_path("tests/packet/parser")) as loaded:
        loaded.load()
        yield loaded


@pytest.fixture(scope="session")
def parser_xdp():
    with Object(object_path("tests/packet/parser_xdp")) as loaded:
        loaded.load()
        yield loaded
