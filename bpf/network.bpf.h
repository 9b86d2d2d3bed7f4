/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A network that an option of type network names, as the daemon writes it:
 *
 *	const volatile __u32 only_network[NETWORK_WORDS];
 *
 *	word	 0         1 … 4     5 … 8
 *		| version | address | mask |
 *
 * version: 4 or 6; 0 where no network was named. Address and mask are as a packet has them, those
 * of IPv4 in their first word, and the address has no bit that the mask has not.
 */
#pragma once

#include <stdbool.h>

#include <linux/types.h>

enum { NETWORK_WORDS = 9 };

/* Whether @address, of 4 or 16 bytes in network order, of @ip_version, is in @network. */
static inline __attribute__((always_inline)) bool network_has(const volatile __u32 *network,
							      __u8 ip_version, const __u32 *address)
{
	__u32 differs = 0;

	if (network[0] != ip_version)
		return false;
	for (int i = 0; i < (ip_version == 4 ? 1 : 4); i++)
		differs |= (address[i] & network[5 + i]) ^ network[1 + i];
	return !differs;
}
