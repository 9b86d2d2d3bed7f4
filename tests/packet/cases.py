# SPDX-License-Identifier: MIT
"""One packet of each kind that the parser knows, and of some that it does not."""

from scapy.contrib.lldp import (LLDPDU, LLDPDUChassisID, LLDPDUEndOfLLDPDU, LLDPDUPortID,
                                LLDPDUTimeToLive)
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_RR
from scapy.layers.inet6 import (
    ICMPv6EchoRequest,
    ICMPv6ND_NS,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    PadN,
    RouterAlert,
)
from scapy.layers.ipsec import AH, ESP
from scapy.layers.l2 import ARP, GRE, LLC, STP, Dot1AD, Dot1Q, Dot3, Ether
from scapy.layers.sctp import SCTP
from scapy.packet import Raw

PAYLOAD = Raw(bytes(range(40)))
ETHER = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
# Read without an Ethernet header, bytes 12 and 13 of these are the ethertype: BPF_PROG_TEST_RUN
# sets skb->protocol from there, which is how the programs for devices without a link layer are
# tested.
V4 = IP(src="8.0.0.1", dst="192.0.2.2")
V6 = IPv6(src="2001:db8:86dd::1", dst="2001:db8::2")

HOP_BY_HOP = IPv6ExtHdrHopByHop(options=[RouterAlert()])
DESTINATION = IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(12))])
ROUTING = IPv6ExtHdrRouting(type=4, segleft=0, addresses=["2001:db8::3"])

# IP packets: name → what follows the Ethernet header and tags
IP_KINDS = {
    "v4-tcp": V4 / TCP(sport=1234, dport=80, flags="PA") / PAYLOAD,
    "v4-tcp-options": V4 / TCP(dport=443, flags="S", options=[("MSS", 1460), ("WScale", 7)]),
    "v4-udp": V4 / UDP(sport=53, dport=5353) / PAYLOAD,
    "v4-udp-empty": V4 / UDP(sport=1, dport=2),
    "v4-icmp": V4 / ICMP(type=8, code=0) / PAYLOAD,
    "v4-icmp-unreachable": V4 / ICMP(type=3, code=4) / IP() / UDP(),
    "v4-sctp": V4 / SCTP(sport=7, dport=8) / PAYLOAD,
    "v4-gre": V4 / GRE() / IP() / UDP(),
    "v4-esp": V4 / ESP(spi=1, seq=1, data=bytes(20)),
    "v4-ipip": V4 / IP() / TCP(),
    "v4-icmpv6-number": IP(src="8.0.0.1", proto=58) / PAYLOAD,
    "v4-unknown": IP(src="8.0.0.1", proto=253) / PAYLOAD,
    "v4-options": IP(src="8.0.0.1", options=[IPOption_RR()]) / UDP(sport=9, dport=10) / PAYLOAD,
    "v4-fragment-first": IP(src="8.0.0.1", flags="MF", proto=17) / UDP(sport=3, dport=4) / PAYLOAD,
    "v4-fragment-later": IP(src="8.0.0.1", frag=185, proto=17) / PAYLOAD,
    "v4-fragment-middle": IP(src="8.0.0.1", flags="MF", frag=100, proto=6) / PAYLOAD,
    "v4-fragment-lowest-offset": IP(src="8.0.0.1", flags="MF", frag=1, proto=17) / PAYLOAD,
    "v4-fragment-highest-bit": IP(src="8.0.0.1", frag=4096, proto=17) / PAYLOAD,
    "v4-dont-fragment": IP(src="8.0.0.1", flags="DF") / UDP(sport=5, dport=6) / PAYLOAD,
    "v6-tcp": V6 / TCP(sport=4321, dport=22, flags="FA") / PAYLOAD,
    "v6-udp": V6 / UDP(sport=5, dport=6) / PAYLOAD,
    "v6-icmp": V6 / ICMPv6EchoRequest() / PAYLOAD,
    "v6-neighbour": V6 / ICMPv6ND_NS(tgt="2001:db8::9"),
    "v6-sctp": V6 / SCTP(sport=11, dport=12) / PAYLOAD,
    "v6-icmpv4-number": IPv6(src="2001:db8:86dd::1", nh=1) / PAYLOAD,
    "v6-none": IPv6(src="2001:db8:86dd::1", nh=59),
    "v6-unknown": IPv6(src="2001:db8:86dd::1", nh=254) / PAYLOAD,
    "v6-hop-by-hop": V6 / HOP_BY_HOP / UDP(sport=1, dport=2) / PAYLOAD,
    "v6-routing": V6 / ROUTING / TCP(sport=1, dport=2) / PAYLOAD,
    "v6-destination": V6 / DESTINATION / UDP(sport=1, dport=2) / PAYLOAD,
    "v6-authentication": V6 / AH(nh=17, spi=1, seq=2, icv=bytes(12), payloadlen=4)
        / UDP(sport=1, dport=2) / PAYLOAD,
    "v6-atomic-fragment": V6 / IPv6ExtHdrFragment(m=0, offset=0) / UDP(sport=1, dport=2),
    "v6-fragment-first": V6 / IPv6ExtHdrFragment(m=1, offset=0) / UDP(sport=1, dport=2) / PAYLOAD,
    "v6-fragment-later": V6 / IPv6ExtHdrFragment(m=0, offset=90, nh=17) / PAYLOAD,
    "v6-fragment-middle": V6 / IPv6ExtHdrFragment(m=1, offset=90, nh=6) / PAYLOAD,
    "v6-fragment-lowest-offset": V6 / IPv6ExtHdrFragment(m=1, offset=1, nh=17) / PAYLOAD,
    "v6-fragment-highest-bit": V6 / IPv6ExtHdrFragment(m=0, offset=4096, nh=17) / PAYLOAD,
    "v6-all-extensions": V6 / HOP_BY_HOP / DESTINATION / ROUTING / IPv6ExtHdrFragment(m=1)
        / AH(nh=60, spi=1, seq=2, icv=bytes(12), payloadlen=4) / DESTINATION
        / TCP(sport=77, dport=88) / PAYLOAD,
}

TAGS = {
    "vlan": Dot1Q(vlan=100),
    "vlan-priority": Dot1Q(vlan=5, prio=6, id=1),
    "qinq": Dot1AD(vlan=200) / Dot1Q(vlan=300),
    "two-customer-tags": Dot1Q(vlan=1) / Dot1Q(vlan=2),
}

OTHER_KINDS = {
    "arp": ETHER / ARP(),
    "arp-padded": ETHER / ARP() / Raw(bytes(18)),
    "lldp": Ether(src="02:00:00:00:00:01", dst="01:80:c2:00:00:0e", type=0x88CC)
        / LLDPDUChassisID(subtype=4, id="02:00:00:00:00:01")
        / LLDPDUPortID(subtype=5, id="eth0") / LLDPDUTimeToLive(ttl=120) / LLDPDUEndOfLLDPDU(),
    "spanning-tree": Dot3(src="02:00:00:00:00:01", dst="01:80:c2:00:00:00") / LLC() / STP(),
    "unknown-ethertype": Ether(src="02:00:00:00:00:01", type=0x88B5) / PAYLOAD,
    "three-tags": ETHER / Dot1AD(vlan=1) / Dot1Q(vlan=2) / Dot1Q(vlan=3) / V4 / UDP(),
    "vlan-arp": ETHER / Dot1Q(vlan=9) / ARP(),
}

# what is wrong, the packet, its IP version and protocol as far as they can be told
MALFORMED = [
    ("IPv4 says 6", Ether() / IP(version=6, src="8.0.0.1", ihl=5), (0, 0)),
    ("IPv4 header of 16 bytes", Ether() / IP(ihl=4) / UDP(), (0, 0)),
    ("IPv6 says 4", Ether() / IPv6(version=4) / UDP(), (0, 0)),
    ("TCP header of 16 bytes", Ether() / IP() / TCP(dataofs=4), (4, 6)),
    ("7 extensions", Ether() / IPv6() / IPv6ExtHdrDestOpt() / IPv6ExtHdrDestOpt()
        / IPv6ExtHdrDestOpt() / IPv6ExtHdrDestOpt() / IPv6ExtHdrDestOpt() / IPv6ExtHdrDestOpt()
        / IPv6ExtHdrDestOpt() / UDP(), (6, 60)),
]


def every_kind():
    """name → scapy packet with its Ethernet header"""
    packets = {name: ETHER / ip for name, ip in IP_KINDS.items()}
    for tag_name, tag in TAGS.items():
        for name in ("v4-tcp", "v4-udp", "v6-udp", "v6-hop-by-hop", "v6-fragment-later"):
            packets[f"{tag_name}-{name}"] = ETHER / tag / IP_KINDS[name]
    return packets | OTHER_KINDS
