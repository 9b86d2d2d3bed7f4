# SPDX-License-Identifier: MIT
"""What the parser should find in a packet, told by scapy's dissection: written without looking at
the parser, from the protocols' documents."""

import dataclasses

from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import (
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    IPv6ExtHdrSegmentRouting,
)
from scapy.layers.ipsec import AH
from scapy.layers.l2 import Dot1AD, Dot1Q, Dot3, Ether
from scapy.layers.sctp import SCTP
from scapy.packet import bind_layers

# scapy's authentication header does not look into what it authenticates.
for number, what in {6: TCP, 17: UDP, 60: IPv6ExtHdrDestOpt}.items():
    bind_layers(AH, what, nh=number)

WHOLE, TRUNCATED, MALFORMED = range(3)
UNFRAGMENTED, FIRST, LATER = range(3)
EXTENSIONS = (
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    IPv6ExtHdrSegmentRouting,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    AH,
)


@dataclasses.dataclass
class Packet:
    """struct packet of packet.bpf.h, without skb and direction"""

    len: int = 0
    headers_len: int = 0
    network_offset: int = 0
    transport_offset: int = 0
    payload_offset: int = 0
    ethertype: int = 0
    vlan: int = 0
    inner_vlan: int = 0
    source_port: int = 0
    destination_port: int = 0
    tags: int = 0
    ip_version: int = 0
    protocol: int = 0
    fragment: int = UNFRAGMENTED
    status: int = WHOLE
    tcp_flags: int = 0
    icmp_type: int = 0
    icmp_code: int = 0


class Cut(Exception):
    """The packet ends within the header at hand."""


class Model:
    """Goes through the layers of a packet of which only the first `length` bytes are there."""

    def __init__(self, packet, length):
        self.layers = []
        while packet:
            self.layers.append(packet)
            packet = packet.payload
        self.left = length
        self.at = 0
        self.found = Packet(len=length)

    def need(self, size):
        if self.at + size > self.found.len:
            raise Cut

    def next(self, kinds, minimum=None):
        """The next layer if it is one of these, all (or a minimum) of it being there."""
        if not self.layers or not isinstance(self.layers[0], kinds):
            return None
        layer = self.layers[0]
        self.need(minimum or len(layer) - len(layer.payload))
        return self.layers.pop(0)

    def advance(self, layer):
        self.at += len(layer) - len(layer.payload)

    def link(self):
        ether = self.next((Ether, Dot3))
        self.advance(ether)
        self.found.ethertype = ether.len if isinstance(ether, Dot3) else ether.type
        self.found.network_offset = self.found.payload_offset = self.at
        while self.found.tags < 2 and (tag := self.next((Dot1Q, Dot1AD))):
            tci = tag.prio << 13 | tag.id << 12 | tag.vlan
            self.found.tags += 1
            if self.found.tags == 1:
                self.found.vlan = tci
            else:
                self.found.inner_vlan = tci
            self.advance(tag)
            self.found.ethertype = tag.type
            self.found.network_offset = self.found.payload_offset = self.at

    def network(self):
        if ip := self.next(IP, 20):
            self.found.ip_version, self.found.protocol = 4, ip.proto
            if ip.frag:
                self.found.fragment = LATER
            elif ip.flags.MF:
                self.found.fragment = FIRST
            self.advance(ip)
            self.transport_at()
            self.need(0)
        elif ip := self.next(IPv6):
            self.found.ip_version, self.found.protocol = 6, ip.nh
            self.advance(ip)
            self.transport_at()
            self.extensions()

    def transport_at(self):
        self.found.transport_offset = self.found.payload_offset = self.at

    def extensions(self):
        while extension := self.next(EXTENSIONS):
            self.found.protocol = extension.nh
            if isinstance(extension, IPv6ExtHdrFragment):
                if extension.offset:
                    self.found.fragment = LATER
                elif extension.m:
                    self.found.fragment = FIRST
            self.advance(extension)
            self.transport_at()

    def transport(self):
        found = self.found
        if not found.ip_version or found.fragment == LATER:
            return
        if tcp := self.next(TCP, 20):
            found.source_port, found.destination_port = tcp.sport, tcp.dport
            found.tcp_flags = int(tcp.flags) & 0xFF
            self.need(tcp.dataofs * 4)
            self.at += tcp.dataofs * 4
        elif (udp := self.next(UDP)) or (udp := self.next(SCTP)):
            found.source_port, found.destination_port = udp.sport, udp.dport
            self.advance(udp)
        elif self.layers and found.protocol == {4: 1, 6: 58}[found.ip_version]:
            self.need(8)
            found.icmp_type, found.icmp_code = self.layers[0].type, self.layers[0].code
            self.at += 8
        found.payload_offset = self.at


def parse(packet, length=None):
    """What the parser should say of a scapy packet, of which the first `length` bytes are there."""
    data = bytes(packet)
    model = Model(Ether(data), len(data) if length is None else length)
    try:
        model.link()
        model.network()
        model.transport()
    except Cut:
        model.found.status = TRUNCATED
    model.found.headers_len = model.found.payload_offset
    return model.found
