# SPDX-License-Identifier: MIT
"""bpf/packet.bpf.h in XDP programs, against the same model as in TC's."""

import cases
import model
import parsed
import pytest
from bpf import XDP_PASS, Object, object_path

PACKETS = cases.every_kind()
FRAME_MAX = 4096  # more than fits into the first buffer


@pytest.mark.parametrize("name", PACKETS)
def test_truncated_at_every_byte(parser_xdp, name):
    """Here the packet may end wherever it likes; the last is the whole one."""
    data = bytes(PACKETS[name])
    for length in range(14, len(data) + 1):
        action, after = parser_xdp.run_xdp("parse", data[:length])
        assert (action, after) == (XDP_PASS, data[:length])
        expected = model.parse(PACKETS[name], length)
        assert parsed.packet(parser_xdp) == expected, f"cut to {length} bytes"
        assert parsed.segments(parser_xdp) == (1, length, length, length)


@pytest.mark.parametrize("name", cases.IP_KINDS)
def test_without_link_layer(parser_xdp, name):
    data = bytes(cases.IP_KINDS[name])
    for length in range(14, len(data) + 1):
        expected = model.parse(cases.ETHER / cases.IP_KINDS[name], length + 14)
        for offset in ("len", "headers_len", "network_offset", "payload_offset"):
            setattr(expected, offset, getattr(expected, offset) - 14)
        expected.transport_offset -= 14 if expected.ip_version else 0
        assert parser_xdp.run_xdp("parse_l3", data[:length])[0] == XDP_PASS
        assert parsed.packet(parser_xdp) == expected, f"cut to {length} bytes"


def test_without_link_layer_nor_ip(parser_xdp):
    assert parser_xdp.run_xdp("parse_l3", bytes([0x50] * 40))[0] == XDP_PASS
    assert parsed.packet(parser_xdp) == model.Packet(len=40)


@pytest.mark.parametrize(("what", "packet", "expected"), cases.MALFORMED)
def test_malformed(parser_xdp, what, packet, expected):
    assert parser_xdp.run_xdp("parse", bytes(packet) + bytes(20))[0] == XDP_PASS
    found = parsed.packet(parser_xdp)
    assert found.status == model.MALFORMED, what
    assert (found.ip_version, found.protocol) == expected, what


class Splitter:
    """Runs packets that are in two buffers."""

    def __init__(self, parser):
        self.parser = parser
        self.parser.run_xdp("parse_split", bytes(FRAME_MAX))
        self.room = int.from_bytes(parser.get_variable(".bss", "room"), "little")

    def parse(self, data, linear):
        self.parser.set_variable(".bss", "linear", linear)
        before = bytes(self.room - linear)
        action, after = self.parser.run_xdp("parse_split", before + data)
        assert action == XDP_PASS and after == data
        return parsed.packet(self.parser)


@pytest.fixture(scope="session")
def splitter():
    with Object(object_path("tests/packet/parser_xdp")) as parser:
        parser.choose("parse_split")
        try:
            parser.load()
            yield Splitter(parser)
        except OSError:
            pytest.skip("this kernel has no XDP packets of several buffers (Linux 5.18 does)")


@pytest.mark.parametrize("name", PACKETS)
def test_several_buffers(splitter, name):
    """The first buffer ends at every byte, and so does the packet; each of both in turn."""
    data = bytes(PACKETS[name])
    for linear in range(14, len(data)):
        assert splitter.parse(data, linear) == model.parse(PACKETS[name]), f"{linear} are linear"
    for length in range(15, len(data)):
        linear = 14 + length * 7 % (length - 14)
        expected = model.parse(PACKETS[name], length)
        assert splitter.parse(data[:length], linear) == expected, f"{linear} of {length} are linear"


def test_jumbo_frame(splitter):
    packet = cases.ETHER / cases.IP_KINDS["v6-tcp"] / bytes(8800)
    assert splitter.parse(bytes(packet), 1000) == model.parse(packet)
