/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What draws a flow at random for each packet of a bench: bare.bpf.c, bare_xdp.bpf.c. */
#pragma once

#include <stdbool.h>

#include <linux/types.h>

/* Of the test packet: where the last four bytes of the source address are, and the source port. */
const volatile __u32 address_offset = 0;
const volatile __u32 port_offset = 0;
const volatile __u32 flows = 1;

__u32 random_state = 1;

/* The program that gets the packet then. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} measured SEC(".maps");

/* Marsaglia, "Xorshift RNGs": period 2^32 - 1. */
static __always_inline __u32 next_random(void)
{
	__u32 x = random_state;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	random_state = x;
	return x;
}

static __always_inline bool spread_packet(void *data, void *end)
{
	__u32 flow = next_random() % flows;
	__u32 *address = data + address_offset;
	__u16 *port = data + port_offset;

	if ((void *)(address + 1) > end || (void *)(port + 1) > end)
		return false;
	*address = flow;
	*port = flow;
	return true;
}
