# SPDX-License-Identifier: MIT
"""The daemon under load: what a scrape allocates, and what grows when it is asked again."""

import http.client
import mmap
import os
from pathlib import Path

import pytest

from bpf import lib
from configs import LABEL, add_config, u32, u64
from daemon import SANITIZED
from kernel import Map

CPUS = lib.libbpf_num_possible_cpus()
COUNTER = Path(os.environ.get("BUILD_ROOT", "build")) / "bench/libcount_malloc.so"

MANIFEST = f"""
metrics:
  counters:
    - name: plain_total
      help: A hash
      labels: [{LABEL % ("kind", 4)}, {{name: address, size: 4, decoders: [{{name: inet_ip}}]}}]
    - {{name: single_total, help: One}}
    - {{name: percpu_total, help: Per CPU, labels: [{LABEL % ("kind", 4)}]}}
    - name: bycpu_total
      help: By CPU
      labels: [{LABEL % ("kind", 4)}, {LABEL % ("cpu", 2)}]
  histograms:
    - name: exp2_seconds
      help: A histogram
      bucket_type: exp2
      bucket_max: 4
      bucket_multiplier: 0.000001
      labels: [{LABEL % ("device", 4)}, {LABEL % ("bucket", 4)}]
    - name: fixed_bytes
      help: Per CPU, as listed
      bucket_type: fixed
      bucket_keys: [5, 7, 100]
      labels: [{LABEL % ("bucket", 8)}]
"""

FORMATS = {
    "text": "text/plain;version=0.0.4",
    "openmetrics": "application/openmetrics-text;version=1.0.0",
    "protobuf": "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;"
                "encoding=delimited",
}


def fill(daemon):
    plain, percpu, bycpu, exp2, fixed = (Map(daemon, name) for name in (
        "plain_total", "percpu_total", "bycpu_total", "exp2_seconds", "fixed_bytes"))
    for kind in range(50):
        plain.write(u32(kind, kind), 2**40 + kind)
        percpu.write(u32(kind), *range(kind, kind + CPUS))
        bycpu.write(u32(kind), *range(kind, kind + CPUS))
    for bucket in range(6):
        exp2.write(u32(1, bucket), 1000 + bucket)
    for bucket in (5, 7, 100, 101):
        fixed.write(u64(bucket), *[bucket] * CPUS)


class Scraper:
    """One kept connection, as Prometheus has it."""

    def __init__(self, daemon):
        self.connection = http.client.HTTPConnection("localhost")
        self.connection.sock = daemon.connect()

    def __call__(self, kind, gzip):
        headers = {"Accept": FORMATS[kind], **({"Accept-Encoding": "gzip"} if gzip else {})}
        self.connection.request("GET", "/metrics", headers=headers)
        response = self.connection.getresponse()
        body = response.read()
        assert response.status == 200 and body
        assert response.headers["Content-Type"].startswith(FORMATS[kind].split(";")[0])
        assert (response.headers["Content-Encoding"] == "gzip") == gzip
        return len(body)


# Attaching allocates and takes descriptors, and new series allocate: no part of a steady scrape.
RARELY = ("--option", "latency.sampling=0.1%", "--option", "tcp.sampling=0.1%")


@pytest.fixture
def counted(folder, run):
    """A daemon with the default modules and a config of all kinds, and how often it allocated."""
    if SANITIZED:
        pytest.skip("the sanitizer has an allocator of its own: nothing to count")
    assert COUNTER.exists(), f"{COUNTER} is not built"
    page = os.memfd_create("allocations")
    os.truncate(page, mmap.PAGESIZE)
    add_config(folder, "load", MANIFEST)
    daemon = run("--config.dir", folder, *RARELY, pass_fds=[page],
                 env={"COUNT_MALLOC_FD": str(page), "LD_PRELOAD": str(COUNTER.resolve())})
    fill(daemon)
    with mmap.mmap(page, mmap.PAGESIZE) as shared:
        yield daemon, lambda: int.from_bytes(shared[:8], "little")
    os.close(page)


@pytest.mark.parametrize("gzip", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("kind", FORMATS)
def test_a_steady_scrape_allocates_nothing(counted, kind, gzip):
    daemon, allocations = counted
    scrape = Scraper(daemon)
    at_start = allocations()
    assert at_start > 100  # it does count
    for _ in range(5):
        scrape(kind, gzip)
    assert allocations() > at_start  # the first ones may: buffers grow to their size
    before = allocations()
    for _ in range(20):
        scrape(kind, gzip)
    assert allocations() - before == 0


def test_formats_in_turn_allocate_nothing(counted):
    """As when several scrapers ask the same daemon."""
    daemon, allocations = counted
    scrape = Scraper(daemon)
    turns = [(kind, gzip) for kind in FORMATS for gzip in (False, True)]
    for _ in range(5):
        for turn in turns:
            scrape(*turn)
    before = allocations()
    for _ in range(10):
        for turn in turns:
            scrape(*turn)
    assert allocations() - before == 0


def resident(daemon, kind="VmRSS"):
    for line in Path(f"/proc/{daemon.pid}/status").read_text().splitlines():
        if line.startswith(kind + ":"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"no {kind}")


@pytest.mark.skipif(SANITIZED, reason="the sanitizer has memory of its own for all that is had")
def test_what_loading_took_is_given_back(folder, run, tmp_path):
    """With the default modules: the kernel's BTF alone would be more, and so would the seats of all
    the clients that the server could have. A reload leaves no more behind."""
    config = tmp_path / "wiregauge.yaml"
    config.write_text("modules: {}\n")
    daemon = run("--config", config)
    scrape = Scraper(daemon)
    scrape("text", True)
    assert resident(daemon, "RssAnon") < 6 << 20
    for percent in range(2, 6):
        config.write_text(f"modules:\n  latency: {{sampling: {percent}%}}\n")
        assert "the new configuration runs" in daemon.reload()
        scrape("text", True)
    assert resident(daemon, "RssAnon") < 6 << 20


def test_a_thousand_scrapes_grow_nothing(folder, run):
    add_config(folder, "load", MANIFEST)
    daemon = run("--config.dir", folder, *RARELY)
    fill(daemon)
    scrape = Scraper(daemon)
    for _ in range(50):
        scrape("text", True)
    before, descriptors = resident(daemon), len(daemon.descriptors())
    for _ in range(1000):
        scrape("text", True)
    assert resident(daemon) - before < (1 << 20) * (20 if SANITIZED else 1)
    assert len(daemon.descriptors()) == descriptors
