# SPDX-License-Identifier: MIT
"""Too few descriptors, too little memory: said clearly, survived, and nothing is left over."""

import pytest

from daemon import PATIENCE, SANITIZED
from kernel import assert_untouched
from waiting import until

NO_DESCRIPTORS = "too many open files"
MISLEADING = ("verifier", "damaged", "is wrong")


def outcome(daemon):
    """"ready", or what it ended with"""
    return until(lambda: "ready" if "ready: " in daemon.log() else daemon.process.poll() is not None
                 and daemon.fails(), 10 * PATIENCE, "it is ready or has ended")


@pytest.mark.parametrize("mechanism", ["tcx", "clsact"])
def test_starts_with_any_number_of_descriptors(here, there, launch, mechanism):
    """From too few for anything to enough: it runs, or ends and says why."""
    ready = 0
    for limit in range(4, 60, 6 if SANITIZED else 1):
        daemon = launch("--tc.mechanism", mechanism, through=("prlimit", f"--nofile={limit}"))
        result = outcome(daemon)
        if result == "ready":
            daemon.stop()
            ready += 1
        else:
            code, log = result
            assert code == 1 and NO_DESCRIPTORS in log.lower(), f"{limit}: {code}\n{log}"
        assert not any(word in daemon.log() for word in MISLEADING), daemon.log()
        assert_untouched(here)
    assert ready
