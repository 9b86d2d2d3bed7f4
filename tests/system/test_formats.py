# SPDX-License-Identifier: MIT
"""All formats of a scrape say the same, whatever the maps hold."""

import gzip
import random
import subprocess

import pytest

from configs import LABEL, add_config, u32
from exposition import CONTENT_TYPES, READERS, parse_protobuf
from kernel import Map, Program

PREFIX = "ebpf_exporter_"
MANIFEST = f"""
metrics:
  counters:
    - name: texts_total
      help: "Quotes \\" and \\\\ and\\nlines"
      labels:
        - {{name: text, size: 64, decoders: [{{name: string}}]}}
        - {LABEL % ("number", 4)}
    - {{name: runs, help: A counter that is not called _total, labels: [{LABEL % ("n", 4)}]}}
    - {{name: pair_total, help: A counter, labels: [{LABEL % ("n", 4)}]}}
    - {{name: empty_total, help: Nothing yet, labels: [{LABEL % ("n", 4)}]}}
  gauges:
    - {{name: pair, help: A gauge of almost the same name, labels: [{LABEL % ("n", 4)}]}}
  histograms:
    - name: classic_seconds
      help: Powers of two
      bucket_type: exp2
      bucket_min: 0
      bucket_max: 40
      bucket_multiplier: 2^-30
      labels: [{LABEL % ("l", 4)}, {LABEL % ("bucket", 4)}]
    - name: coarse_seconds
      help: Native, schema 0
      bucket_type: native
      schema: 0
      bucket_max: 41
      bucket_multiplier: 2^-30
      labels: [{LABEL % ("l", 4)}, {LABEL % ("bucket", 4)}]
    - name: fine_seconds
      help: Native, schema 5
      bucket_type: native
      schema: 5
      bucket_max: 1281
      bucket_multiplier: 2^-30
      labels: [{LABEL % ("l", 4)}, {LABEL % ("bucket", 4)}]
"""

# What a label may hold: bytes that mean something to a reader of text, and what is not UTF-8.
HOSTILE = [
    b"", b"plain", b'"', b"\\", b"\n", b"\\n", b'\\"', b'a"} 1\nb{c="', b'",le="1', b"{},=# ",
    b"\r\n\t\x01\x1b\x7f", b"\xff", b"\xc3(", b"\xc0\x80", b"\xe0\x80\xaf", b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80", b"\xf0\x9f\x90", "\u00e9\u4e2d\U0001f600\ufeff".encode(), b"\x80" * 64,
    b'"' * 64, b"\\" * 64, b"\n" * 64, b"# EOF\n", b"\xe2\x80\xa8\xc2\x85\xc2\xa0",
]
NUMBERS = [0, 1, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1]


def readable(text):
    """The label that is to come of @text: up to NUL, and each byte that is not UTF-8 replaced."""
    out, rest = "", text.split(b"\0")[0]
    while rest:
        for length in (1, 2, 3, 4):
            try:
                out += rest[:length].decode()
                break
            except UnicodeDecodeError:
                pass
        else:
            out, length = out + "\ufffd", 1
        rest = rest[length:]
    return out


@pytest.fixture
def daemon(folder, run_configs):
    add_config(folder, "formats", MANIFEST, "tests/system/formats")
    return run_configs()


def write_texts(daemon, texts):
    """{label: sum of the numbers written under it}"""
    expected, target = {}, Map(daemon, "texts_total")
    for number, text in enumerate(texts):
        value = NUMBERS[number % len(NUMBERS)]
        target.write(text.ljust(64, b"\0")[:64] + u32(number), value)
        expected[readable(text), str(number)] = float(value)
    return expected


def write_counters(daemon):
    for name, number in (("runs", 7), ("pair", 8), ("pair_total", 9)):
        Map(daemon, name).write(u32(1), number)


def observe(daemon, label, values):
    program = Program(daemon, "observe")
    for value in values:
        program.run_raw_tracepoint(value, label)


def fetch(daemon, format, **headers):
    status, got, body = daemon.request(headers={"Accept": CONTENT_TYPES[format], **headers})
    assert status == 200
    assert got["Content-Type"] == CONTENT_TYPES[format]
    return gzip.decompress(body) if got["Content-Encoding"] == "gzip" else body


def read(daemon, format):
    """{family: Family} of what does not change from one scrape to the next."""
    families = READERS[format](fetch(daemon, format))
    return {name: family for name, family in families.items() if not name.startswith("process_")}


def assert_formats_agree(daemon):
    found = {format: read(daemon, format) for format in READERS}
    unknown = {name for name, family in found["openmetrics"].items() if family.type == "unknown"}
    # These cannot be counters in OpenMetrics.
    assert unknown <= {PREFIX + "runs", PREFIX + "pair_total"}
    for name in unknown:
        found["openmetrics"][name] = found["openmetrics"][name]._replace(type="counter")
    assert list(found["text"]) == sorted(found["text"])
    assert found["text"] == found["openmetrics"] == found["protobuf"]
    return found["text"]


def test_formats_agree(daemon):
    expected = write_texts(daemon, HOSTILE)
    write_counters(daemon)
    generator = random.Random(1)
    observe(daemon, 1, [0, 1, 2, 3, 2**40 + 1])
    observe(daemon, 2, [int(generator.lognormvariate(14, 3)) for _ in range(2000)])
    families = assert_formats_agree(daemon)
    texts = families[PREFIX + "texts_total"]
    assert texts.help == 'Quotes " and \\ and\nlines'
    assert {(dict(labels)["text"], dict(labels)["number"]): value
            for (_, labels), value in texts.samples.items()} == expected
    assert families[PREFIX + "pair"].type == "gauge"
    assert families[PREFIX + "pair_total"].type == families[PREFIX + "runs"].type == "counter"
    assert PREFIX + "empty_total" not in families
    for name in ("classic_seconds", "coarse_seconds", "fine_seconds"):
        samples = families[PREFIX + name].samples
        assert samples[f"{PREFIX}{name}_count", frozenset({("l", "2")})] == 2000


def test_formats_agree_on_random_bytes(daemon):
    generator = random.Random(2)
    texts = [generator.randbytes(generator.randrange(65)) for _ in range(1000)]
    texts += [bytes(generator.choices(b'\\"\n,={} a\xc3\xa9\xf0\x9f', k=64)) for _ in range(1000)]
    expected = write_texts(daemon, texts)
    samples = assert_formats_agree(daemon)[PREFIX + "texts_total"].samples
    assert {(dict(labels)["text"], dict(labels)["number"]): value
            for (_, labels), value in samples.items()} == expected


def test_counts_beyond_all_numbers(daemon):
    """What a map holds may be anything: cumulative counts must not fall."""
    for name in ("classic_seconds", "fine_seconds", "coarse_seconds"):
        target = Map(daemon, name)
        for bucket in (0, 1, 5, 40, 41):
            target.write(u32(1, bucket), 2**64 - 1)
    families = assert_formats_agree(daemon)
    for name in ("classic_seconds", "fine_seconds", "coarse_seconds"):
        assert families[PREFIX + name].samples[f"{PREFIX}{name}_count",
                                               frozenset({("l", "1")})] == 2.0**64


def test_promtool_takes_hostile_labels(daemon, promtool):
    write_texts(daemon, HOSTILE)
    write_counters(daemon)
    done = subprocess.run([promtool, "check", "metrics"], input=fetch(daemon, "text"),
                          capture_output=True)
    said = done.stdout + done.stderr
    # It does not like the names; that is what they are here for.
    assert [line for line in said.decode().splitlines()
            if 'should have "_total" suffix' not in line
            and 'should not have "_total" suffix' not in line] == []


@pytest.mark.parametrize("format", READERS)
def test_headers_of_each_format(daemon, format):
    write_counters(daemon)
    headers = {"Accept": CONTENT_TYPES[format], "Accept-Encoding": "gzip"}
    status, got, body = daemon.request(headers=headers)
    assert (status, got["Content-Type"], got["Vary"], got["Content-Encoding"]) == (
        200, CONTENT_TYPES[format], "Accept, Accept-Encoding", "gzip")
    assert PREFIX + "pair_total" in READERS[format](gzip.decompress(body))
    status, head, nothing = daemon.request(method="HEAD", headers=headers)
    assert (status, nothing) == (200, b"")
    for name in ("Content-Type", "Vary", "Content-Encoding"):
        assert head[name] == got[name]
    assert int(head["Content-Length"]) > 100


def test_native_histograms_are_in_protobuf(daemon):
    observe(daemon, 3, [0, 2, 3, 1000])
    families = {family.name: family for family in parse_protobuf(fetch(daemon, "protobuf"))}
    classic = families[PREFIX + "classic_seconds"].metric[0].histogram
    assert not classic.HasField("schema") and not classic.positive_span
    fine = families[PREFIX + "fine_seconds"].metric[0].histogram
    assert (fine.schema, fine.zero_threshold, fine.zero_count) == (5, 2**-128, 1)
    assert (fine.sample_count, fine.sample_sum) == (4, 1005 / 2**30)
    indices, index = [], 0
    for span in fine.positive_span:
        index += span.offset
        indices += range(index, index + span.length)
        index += span.length
    assert len(indices) == len(fine.positive_delta)
    # value 2 is at the bound 2^1; each octave has 32 buckets, and units are 2^-30
    assert indices == [32 - 960, 51 - 960, 319 - 960] and list(fine.positive_delta) == [1, 0, 0]
    assert 2**(318 / 32) < 1000 <= 2**(319 / 32) and 2**(50 / 32) < 3 <= 2**(51 / 32)
    coarse = families[PREFIX + "coarse_seconds"].metric[0].histogram
    assert coarse.schema == 0 and coarse.sample_count == 4
