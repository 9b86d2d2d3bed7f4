# SPDX-License-Identifier: MIT
"""Prometheus itself scrapes the daemon: it takes every format, whatever the maps hold, and computes
from them what is true of the numbers that the kernel has seen."""

import math
import random

import pytest

from configs import add_config, u32
from daemon import PORT
from exposition import CONTENT_TYPES
from kernel import Map
from prometheus import Prometheus, Relay
from test_formats import HOSTILE, MANIFEST, PREFIX, observe, write_counters, write_texts

QUANTILES = [0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1]
UNIT = 2**-30  # seconds: what the numbers of the program are in


@pytest.fixture
def daemon(folder, run_configs):
    add_config(folder, "formats", MANIFEST, "tests/system/formats")
    return run_configs()


@pytest.fixture
def start_prometheus(cleanup, here, tmp_path, prometheus_binary):
    """Starts one with native histograms and waits until it has scraped all jobs."""
    def start(jobs):
        started = cleanup.enter_context(Prometheus(here, tmp_path, prometheus_binary, jobs,
                                                   "--enable-feature=native-histograms"))
        started.wait_scraped(jobs)
        return started

    return start


def at(address, path="/metrics"):
    return {"metrics_path": path, "static_configs": [{"targets": [address]}]}


def exact_quantile(values, q):
    """The smallest of @values that a share of @q is not above."""
    return sorted(values)[max(math.ceil(q * len(values)), 1) - 1] * UNIT


def numbers(seed, count):
    """Times over many orders of magnitude, some of them 0."""
    generator = random.Random(seed)
    return [0] * (count // 100) + [1 + int(generator.lognormvariate(15, 3)) % 2**38
                                   for _ in range(count - count // 100)]


def test_quantiles(daemon, start_prometheus):
    values = numbers(3, 5000)
    observe(daemon, 1, values)
    prometheus = start_prometheus({"daemon": at(f"127.0.0.1:{PORT}")})
    for name, schema in (("coarse_seconds", 0), ("fine_seconds", 5)):
        assert prometheus.number(f"histogram_count({PREFIX}{name})") == len(values)
        assert prometheus.number(f"histogram_sum({PREFIX}{name})") == pytest.approx(
            sum(values) * UNIT)
        for q in QUANTILES:
            exact = exact_quantile(values, q)
            found = prometheus.number(f"histogram_quantile({q}, {PREFIX}{name})")
            if exact == 0:
                assert 0 <= found <= 2**-128  # what counts as zero
            else:
                assert 2**-(1 / 2**schema) <= found / exact <= 2**(1 / 2**schema), (name, q)
    for q in QUANTILES:
        bucket = math.ceil(math.log2(max(exact_quantile(values, q) / UNIT, 1)))
        found = prometheus.number(f"histogram_quantile({q}, {PREFIX}classic_seconds_bucket)")
        assert (2**(bucket - 1) if bucket else 0) * UNIT <= found <= 2**bucket * UNIT, q
    # The native ones come as such alone: no series for each bucket.
    assert prometheus.query(f"{PREFIX}fine_seconds_bucket") == []
    ((_, histogram),) = prometheus.query(f"{PREFIX}fine_seconds")
    assert histogram["count"] == str(len(values))


VOLATILE = "process_.*|scrape_.*|up"


def series(prometheus, job):
    """{(labels): value} of what @job exposes, but what changes from scrape to scrape."""
    found = {}
    for labels, value in prometheus.query(f'{{job="{job}",__name__!~"{VOLATILE}"}}'):
        if "le" in labels:
            labels["le"] = float(labels["le"])
        key = frozenset((name, text) for name, text in labels.items()
                        if name not in ("job", "instance"))
        found[key] = value
    return found


def test_all_formats_are_the_same_to_prometheus(cleanup, here, daemon, start_prometheus):
    expected = write_texts(daemon, HOSTILE)
    write_counters(daemon)
    observe(daemon, 1, numbers(4, 500))
    observe(daemon, 2, [0])
    relay = cleanup.enter_context(Relay(here, PORT, CONTENT_TYPES))
    prometheus = start_prometheus({
        "negotiated": at(f"127.0.0.1:{PORT}"),
        **{format: at(relay.address, f"/{format}") for format in CONTENT_TYPES},
    })
    found = {job: series(prometheus, job)
             for job in ("negotiated", "text", "openmetrics", "protobuf")}
    assert found["text"] == found["openmetrics"]
    assert found["negotiated"] == found["protobuf"]
    texts = {(labels.get("text", ""), labels["number"]): value for labels, value
             in map(lambda row: (dict(row[0]), row[1]), found["text"].items())
             if labels["__name__"] == PREFIX + "texts_total"}
    assert texts == expected
    # Native histograms have one series where the others have one for each bucket.
    parts = ("_bucket", "_count", "_sum")
    native = (PREFIX + "coarse_seconds", PREFIX + "fine_seconds")

    def without_native(series):
        return {key: value for key, value in series.items()
                if not dict(key)["__name__"].startswith(native)}

    assert without_native(found["text"]) == without_native(found["protobuf"])
    for name in native:
        for part in ("count", "sum"):
            assert dict_of(prometheus, f'histogram_{part}({name}{{job="protobuf"}})') == \
                dict_of(prometheus, f'{name}_{part}{{job="text"}}')
        assert not any(dict(key)["__name__"] in {name + part for part in parts}
                       for key in found["protobuf"])


def dict_of(prometheus, expression):
    return {labels["l"]: value for labels, value in prometheus.query(expression)}


def test_counts_beyond_all_numbers(daemon, start_prometheus):
    """Prometheus takes no native histogram whose buckets hold more than 2^63 - 1 as integers."""
    for name in ("classic_seconds", "fine_seconds"):
        for bucket in (0, 1, 40):
            Map(daemon, name).write(u32(1, bucket), 2**64 - 1)
    prometheus = start_prometheus({"daemon": at(f"127.0.0.1:{PORT}")})
    assert prometheus.number(f"histogram_count({PREFIX}fine_seconds)") == 3 * 2.0**64
    assert prometheus.number(f"{PREFIX}classic_seconds_count") == 2.0**64
