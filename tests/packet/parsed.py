# SPDX-License-Identifier: MIT
"""What the programs of parser.bpf.c and parser_xdp.bpf.c leave in their map."""

import dataclasses
import struct

import model

LAYOUT = struct.Struct("=8x5I4x5H9B5x")  # struct packet
SEGMENTS = struct.Struct("=3I4xQ")  # struct packet_segments
FIELDS = [field.name for field in dataclasses.fields(model.Packet)]


def packet(parser):
    value = parser.lookup("results", bytes(4))[0]
    numbers = list(LAYOUT.unpack_from(value))
    del numbers[11]  # direction
    return model.Packet(**dict(zip(FIELDS, numbers)))


def segments(parser):
    return SEGMENTS.unpack_from(parser.lookup("results", bytes(4))[0], LAYOUT.size)
