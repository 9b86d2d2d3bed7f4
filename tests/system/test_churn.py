# SPDX-License-Identifier: MIT
"""Scrapes while keys come and go: what stays is there each time, once, and with its value."""

import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path

from configs import LABEL, add_config, u32
from daemon import PATIENCE
from kernel import Map

MAPS = ("ready_total", "grown_total")
STABLE = 10000  # in each of them
CHURNED = 6000
SCRAPES = 300 if PATIENCE == 1 else 100  # fewer where all is slower

MANIFEST = "metrics:\n  counters:\n" + "".join(
    f"    - {{name: {name}, help: Keys that come and go., labels: [{LABEL % ('key', 4)}]}}\n"
    for name in MAPS)


@contextmanager
def churning(numbers):
    """Another process that adds and deletes keys behind the stable ones."""
    helper = subprocess.Popen(
        [sys.executable, Path(__file__).with_name("churner.py"), str(numbers.fd),
         str(STABLE), str(CHURNED)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=(numbers.fd,), text=True)
    try:
        yield helper
    finally:
        helper.kill()
        helper.communicate()


def value_of(key):
    """Large, and not alike: no other one can be taken for it."""
    return (key * 2654435761 + 1) << 17


def line_of(name, key):
    return f'ebpf_exporter_{name}{{key="{key}"}} {value_of(key)}'


def test_stable_keys_among_others_that_come_and_go(run_configs, folder):
    add_config(folder, "churn", MANIFEST, "tests/system/churn")
    daemon = run_configs()
    maps = [Map(daemon, name) for name in MAPS]
    for key in range(STABLE):
        for numbers in maps:
            numbers.write(u32(key), value_of(key))
    stable = {line_of(name, key) for name in MAPS for key in range(STABLE)}
    seen = set()
    with ExitStack() as stack:
        helpers = [stack.enter_context(churning(numbers)) for numbers in maps]
        for _ in range(SCRAPES):
            status, _, body = daemon.request()
            assert status == 200
            lines = [line for line in body.decode().splitlines() if "_total{key=" in line]
            found = set(lines)
            others = found - stable
            assert stable <= found, sorted(stable - found)[:3]
            # No series comes twice: Prometheus would refuse all of the page.
            assert len(found) == len(lines)
            assert len({line.split(" ")[0] for line in others}) == len(others)
            seen.add(len(others))
        added = [int(helper.communicate("end")[0]) for helper in helpers]
    # Something was going on: of others, now so many were there and now so many.
    assert min(added) > SCRAPES and len(seen) > 10, (added, seen)
    assert len(daemon.scrape().select(f"ebpf_exporter_{MAPS[0]}")) == STABLE
