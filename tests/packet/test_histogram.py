# SPDX-License-Identifier: MIT
"""bpf/histogram.bpf.h, run by the kernel, against whole numbers of any length.

v ≤ 2^(k/2^n) is v^(2^n) ≤ 2^k: no root and nothing rounded.
"""
import itertools
import random
import struct

import pytest

from bpf import Object, object_path

SCHEMAS = range(6)
FRAME = bytes(60)
LARGEST = 2**64 - 1
BUCKET_MIN, BUCKET_MAX = 4, 100  # of the maps in histogram.bpf.c


def native_index(value, schema):
    """The least k with value ≤ 2^(k/2^schema)."""
    return (value ** (2**schema) - 1).bit_length()


def floor_of_bound(k, schema):
    """2^(k/2^schema) rounded down: the root of a root, each rounded down, is the whole root."""
    value = 2**k
    for _ in range(schema):
        low, high = 0, 1 << (value.bit_length() // 2 + 1)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if middle * middle <= value else (low, middle)
        value = low
    return value


def values_around_bounds(schema):
    around = {floor_of_bound(k, schema) + step
              for k in range(64 * 2**schema + 1) for step in (-1, 0, 1)}
    return sorted(value for value in around if 1 <= value <= LARGEST)


@pytest.fixture(scope="module")
def histogram():
    with Object(object_path("tests/packet/histogram")) as loaded:
        loaded.load()
        yield loaded


def run(histogram, program, value, schema=0):
    cb = (value & 0xFFFFFFFF, value >> 32, schema)
    return histogram.run(program, FRAME, cb=cb)


def test_the_oracle_agrees_with_itself():
    """Two ways to say where a bucket ends."""
    for schema in SCHEMAS:
        for k in range(0, 64 * 2**schema, 7):
            bound = floor_of_bound(k, schema)
            assert native_index(bound, schema) <= k < native_index(bound + 1, schema)


@pytest.mark.parametrize("schema", SCHEMAS)
def test_index_at_all_bounds(histogram, schema):
    values = values_around_bounds(schema)
    assert len(values) > 64
    for value in values:
        assert run(histogram, "packet_index", value, schema) == native_index(value, schema), value


@pytest.mark.parametrize("schema", SCHEMAS)
def test_index_in_a_tracing_program(histogram, schema):
    values = values_around_bounds(schema)[:: 1 + schema]
    for value in values:
        found = histogram.run_raw_tracepoint("traced_index", value, schema)
        assert found == native_index(value, schema), value


def test_index_of_any_value(histogram):
    numbers = random.Random(1)
    for _ in range(3000):
        value = numbers.getrandbits(numbers.randint(1, 64)) or 1
        schema = numbers.choice(SCHEMAS)
        assert run(histogram, "packet_index", value, schema) == native_index(value, schema), value


def test_log2_is_rounded_up(histogram):
    for exponent, step in itertools.product(range(64), (-1, 0, 1)):
        value = 2**exponent + step
        expected = (value - 1).bit_length() if value else 0
        assert run(histogram, "log2_up", value) == expected, value


def scale(histogram, ns):
    run(histogram, "scale", ns)
    return struct.unpack("Q", histogram.lookup("scaled", struct.pack("I", 0))[0])[0]


def interesting_times():
    """Those around 2^k units and 10^k ns, where 2^43 ns are, and any."""
    numbers = random.Random(2)
    yield from range(100)
    for k in range(64):
        yield from (2**k * 10**9 // 2**30 + step for step in (-1, 0, 1, 2))
        yield from (2**k + step for step in (-1, 0, 1))
    for k in range(20):
        yield from (10**k + step for step in (-1, 0, 1))
    for _ in range(3000):
        yield numbers.getrandbits(numbers.randint(1, 63))
        yield numbers.randrange(2**34) * 1953125  # whole numbers of units


def test_scaled_nanoseconds(histogram):
    for ns in interesting_times():
        if not 0 <= ns < 2**63:
            continue
        rounded_up = -(-ns * 2**30 // 10**9)
        found = scale(histogram, ns)
        if ns < 2**43:
            assert found == rounded_up, ns
        else:
            assert rounded_up - 1 <= found <= rounded_up, ns
            assert found >= ns * 2**30 // 10**9, ns


def test_scaling_does_not_wrap(histogram):
    most = LARGEST * 10**9 // 2**30
    assert scale(histogram, most) == -(-most * 2**30 // 10**9)
    assert scale(histogram, most + 2) == LARGEST
    assert scale(histogram, LARGEST) == LARGEST


def test_powers_of_two_of_seconds_are_exact(histogram):
    """The longest time of each such bucket is in it, and the next nanosecond is in the next."""
    for k in range(1, 43):
        longest = 2**k * 10**9 // 2**30
        for schema in SCHEMAS:
            assert native_index(scale(histogram, longest), schema) <= k * 2**schema
            assert native_index(scale(histogram, longest + 1), schema) > k * 2**schema


def test_counting_into_maps(histogram):
    """Clamped to the first and the last bucket, zero in the first; the sum behind the last."""
    values = [0, 1, 2, 3, 5, 100, 101, 4000, 5793, 5794, 10**6]
    expected = {BUCKET_MAX + 1: sum(values)}
    for value in values:
        bucket = native_index(value, 3) + 1 if value else 0
        bucket = min(max(bucket, BUCKET_MIN), BUCKET_MAX)
        expected[bucket] = expected.get(bucket, 0) + 1
        run(histogram, "count", value)
    for name in ("histogram", "percpu_histogram"):
        found = {struct.unpack("II", key): sum(struct.unpack("Q", value)[0] for value in values)
                 for key, values in histogram.read(name)}
        assert found == {(7, bucket): count for bucket, count in expected.items()}
        histogram.clear(name)
