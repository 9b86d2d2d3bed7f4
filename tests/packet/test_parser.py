# SPDX-License-Identifier: MIT
"""bpf/packet.bpf.h against the model, packet by packet."""

import errno

import cases
import model
import pytest
from bpf import TC_ACT_UNSPEC
from parsed import packet as result
from parsed import segments
from scapy.layers.inet import TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrHopByHop, Jumbo
from scapy.layers.l2 import Ether
from scapy.packet import Raw

PACKETS = cases.every_kind()


@pytest.mark.parametrize("name", PACKETS)
def test_whole(parser, name):
    data = bytes(PACKETS[name])
    assert parser.run("parse", data) == TC_ACT_UNSPEC
    assert result(parser) == model.parse(PACKETS[name])


@pytest.mark.parametrize("name", PACKETS)
def test_truncated_at_every_byte(parser, name):
    data = bytes(PACKETS[name])
    for length in range(14, len(data)):
        assert parser.run("parse_cut", data, cb=(length,)) == TC_ACT_UNSPEC
        assert result(parser) == model.parse(PACKETS[name], length), f"cut to {length} bytes"


@pytest.mark.parametrize("name", cases.IP_KINDS)
def test_without_link_layer(parser, name):
    ip = cases.IP_KINDS[name]
    data = bytes(ip).ljust(54, b"\0")  # BPF_PROG_TEST_RUN refuses shorter ones
    expected = model.parse(cases.ETHER / ip)
    expected.len = len(data)
    for offset in ("headers_len", "network_offset", "transport_offset", "payload_offset"):
        setattr(expected, offset, getattr(expected, offset) - 14)
    assert parser.run("parse_l3", data) == TC_ACT_UNSPEC
    assert result(parser) == expected


@pytest.mark.parametrize("name", PACKETS)
def test_tag_kept_aside(parser, name):
    """The tag counts as if it were in the frame, and is the outermost."""
    tci = 0x6123
    expected = model.parse(PACKETS[name])
    expected.tags += 1
    expected.len += 4
    expected.headers_len += 4
    expected.vlan, expected.inner_vlan = tci, expected.vlan
    assert parser.run("parse_aside", bytes(PACKETS[name]), cb=(tci,)) == TC_ACT_UNSPEC
    assert result(parser) == expected


@pytest.fixture(scope="session")
def splits(parser):
    """Skips where BPF_PROG_TEST_RUN cannot leave a part of the packet in pages."""
    try:
        parser.run("parse", bytes(PACKETS["arp"]), data_end=14)
    except OSError as error:
        assert error.errno == errno.EINVAL
        pytest.skip("this kernel's BPF_PROG_TEST_RUN makes linear packets only (7.x can)")


@pytest.mark.parametrize("name", cases.IP_KINDS)
def test_headers_outside_the_linear_part(splits, parser, name):
    """Behind a tag, as the kernel wants a plain IP header to be linear here."""
    packet = cases.ETHER / cases.TAGS["vlan"] / cases.IP_KINDS[name]
    for linear in range(14, len(packet)):
        assert parser.run("parse", bytes(packet), data_end=linear) == TC_ACT_UNSPEC
        assert result(parser) == model.parse(packet), f"{linear} bytes are linear"


@pytest.mark.parametrize(("what", "packet", "expected"), cases.MALFORMED)
def test_malformed(parser, what, packet, expected):
    assert parser.run("parse", bytes(packet) + bytes(20)) == TC_ACT_UNSPEC
    found = result(parser)
    assert found.status == model.MALFORMED, what
    assert (found.ip_version, found.protocol) == expected, what


def test_jumbo_option_of_a_super_packet_is_not_on_the_wire(parser):
    """BIG TCP: the kernel inserts it for itself."""
    headers = Ether() / IPv6(plen=0) / IPv6ExtHdrHopByHop(nh=6, options=[Jumbo(jumboplen=70000)])
    tcp = TCP(sport=1, dport=2)
    data = bytes(headers / tcp / Raw(bytes(3000)))
    on_wire = len(Ether() / IPv6() / tcp)
    assert parser.run("parse", data, gso_size=1000, gso_segs=3) == TC_ACT_UNSPEC
    found = result(parser)
    assert (found.len, found.headers_len) == (len(data) - 8, on_wire)
    assert segments(parser) == (3, on_wire + 1000, on_wire + 1000, 3 * (on_wire + 1000))


@pytest.mark.parametrize("segs_told", [True, False])
@pytest.mark.parametrize("payload", [1, 999, 1000, 1001, 2000, 2500, 3400])
@pytest.mark.parametrize("headers",
                         ["v4-tcp-options", "v6-tcp", "v6-all-extensions", "v4-udp-empty"])
def test_segments(parser, headers, payload, segs_told):
    """The cut is made here by building each segment."""
    ip = cases.ETHER / cases.IP_KINDS[headers].copy()
    if headers != "v4-udp-empty":
        ip.getlayer(TCP).remove_payload()
    data = bytes(range(250)) * 14
    cut = [len(ip / Raw(data[at : min(at + 1000, payload)])) for at in range(0, payload, 1000)]
    told = len(cut) if segs_told else 0
    super_packet = bytes(ip / Raw(data[:payload]))
    assert parser.run("parse", super_packet, gso_size=1000, gso_segs=told) == TC_ACT_UNSPEC
    count, size, last_size, total = segments(parser)
    assert [size] * (count - 1) + [last_size] == cut
    assert total == sum(cut)


def test_segments_of_unknown_sizes(parser):
    """GSO_BY_FRAGS: what they add up to is exact, what each has is not known."""
    packet = cases.ETHER / cases.V4 / UDP() / Raw(bytes(1000))
    headers = 14 + 20 + 8
    assert parser.run("parse", bytes(packet), gso_size=0xFFFF, gso_segs=3) == TC_ACT_UNSPEC
    assert segments(parser) == (3, headers + 333, headers + 334, 1000 + 3 * headers)
