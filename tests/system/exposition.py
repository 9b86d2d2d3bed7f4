# SPDX-License-Identifier: MIT
"""Expositions as readers that are not ours understand them, in one form for all formats:

    read_text(body), read_openmetrics(body), read_protobuf(body)

give {name: Family}; the name is that of the samples, of histograms without _bucket and so on.
Bounds are numbers.
"""

import math
import re
from typing import NamedTuple

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.internal.decoder import _DecodeVarint32
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

CONTENT_TYPES = {
    "text": "text/plain; version=0.0.4; charset=utf-8",
    "openmetrics": "application/openmetrics-text; version=1.0.0; charset=utf-8",
    "protobuf": "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; "
                "encoding=delimited",
}


class Family(NamedTuple):
    type: str
    help: str
    samples: dict  # (name, frozenset of labels) → value


# --- protobuf: io/prometheus/client/metrics.proto, as far as it is used here

PACKAGE = "io.prometheus.client"
SCHEMA = {
    "LabelPair": "string name=1; string value=2",
    "Gauge": "double value=1",
    "Counter": "double value=1",
    "Bucket": "uint64 cumulative_count=1; double upper_bound=2",
    "BucketSpan": "sint32 offset=1; uint32 length=2",
    "Histogram": "uint64 sample_count=1; double sample_sum=2; *Bucket bucket=3; "
                 "double sample_count_float=4; sint32 schema=5; double zero_threshold=6; "
                 "uint64 zero_count=7; double zero_count_float=8; *BucketSpan negative_span=9; "
                 "*BucketSpan positive_span=12; *sint64 positive_delta=13; "
                 "*double positive_count=14",
    "Metric": "*LabelPair label=1; Gauge gauge=2; Counter counter=3; Histogram histogram=7",
    "MetricFamily": "string name=1; string help=2; int32 type=3; *Metric metric=4; string unit=5",
}
TYPES = {0: "counter", 1: "gauge", 4: "histogram"}


def add_field(message, declaration):
    kind, _, rest = declaration.strip().partition(" ")
    name, number = rest.split("=")
    repeated, kind = kind.startswith("*"), kind.lstrip("*")
    Field = descriptor_pb2.FieldDescriptorProto
    field = message.field.add(name=name, number=int(number),
                              label=Field.LABEL_REPEATED if repeated else Field.LABEL_OPTIONAL)
    if kind in SCHEMA:
        field.type, field.type_name = Field.TYPE_MESSAGE, f".{PACKAGE}.{kind}"
    else:
        field.type = getattr(Field, f"TYPE_{kind.upper()}")


def message_class():
    file = descriptor_pb2.FileDescriptorProto(name="metrics.proto", package=PACKAGE,
                                              syntax="proto2")
    for name, fields in SCHEMA.items():
        message = file.message_type.add(name=name)
        for declaration in fields.split(";"):
            add_field(message, declaration)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    factory = message_factory.MessageFactory(pool)
    return factory.GetPrototype(pool.FindMessageTypeByName(f"{PACKAGE}.MetricFamily"))


MetricFamily = message_class()


def parse_protobuf(body):
    """The messages of an exposition."""
    at = 0
    while at < len(body):
        length, at = _DecodeVarint32(body, at)
        assert at + length <= len(body)
        message = MetricFamily()
        assert message.ParseFromString(body[at:at + length]) == length
        assert not list(message.UnknownFields())
        yield message
        at += length


def histogram_samples(name, labels, histogram):
    for bucket in histogram.bucket:
        yield (f"{name}_bucket", labels | {("le", bucket.upper_bound)}), bucket.cumulative_count
    yield (f"{name}_bucket", labels | {("le", math.inf)}), histogram.sample_count
    yield (f"{name}_count", labels), histogram.sample_count
    yield (f"{name}_sum", labels), histogram.sample_sum


def native_buckets(histogram):
    """{index: count} of a native one. Index k has what is above 2^((k-1)/2^schema), and not above
    2^(k/2^schema); None what counts as zero."""
    found, index, count, deltas = {}, 0, 0, iter(histogram.positive_delta)
    for span in histogram.positive_span:
        index += span.offset
        for _ in range(span.length):
            count += next(deltas)
            found[index] = count
            index += 1
    assert sum(found.values()) + histogram.zero_count == histogram.sample_count
    return found | ({None: histogram.zero_count} if histogram.zero_count else {})


def metric_samples(name, metric):
    labels = frozenset((pair.name, pair.value) for pair in metric.label)
    assert len(labels) == len(metric.label)
    (kind,) = {field.name for field, _ in metric.ListFields()} - {"label"}
    if kind == "histogram":
        return list(histogram_samples(name, labels, metric.histogram))
    return [((name, labels), getattr(metric, kind).value)]


def unique(pairs):
    pairs = list(pairs)
    found = dict(pairs)
    assert len(found) == len(pairs), "a series comes twice"
    return found


def read_protobuf(body):
    return unique((family.name, Family(TYPES[family.type], family.help, unique(
        (key, float(value)) for metric in family.metric
        for key, value in metric_samples(family.name, metric)
    ))) for family in parse_protobuf(body))


# --- the text formats

def sample_key(sample):
    return sample.name, frozenset((name, float(value) if name == "le" else value)
                                  for name, value in sample.labels.items())


def read_families(families):
    return unique((family.name if family.type == "histogram" else family.samples[0].name, Family(
        family.type, family.documentation,
        unique((sample_key(sample), float(sample.value)) for sample in family.samples),
    )) for family in families)


def undo_renaming(families, bare):
    """prometheus_client calls all samples of counters _total; @bare: names that have none."""
    for family in families:
        if family.type == "counter" and family.name in bare:
            family.samples = [sample._replace(name=family.name) for sample in family.samples]
        yield family


def read_text(body):
    text = body.decode()
    counters = set(re.findall(r"^# TYPE (\S+) counter$", text, re.M))
    bare = {name for name in counters if not name.endswith("_total")}
    return read_families(undo_renaming(parse_text(text), bare))


def read_openmetrics(body):
    return read_families(parse_openmetrics(body.decode()))


READERS = {"text": read_text, "openmetrics": read_openmetrics, "protobuf": read_protobuf}
