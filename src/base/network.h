/* SPDX-License-Identifier: MIT */
/* Addresses and networks as people write them: "192.0.2.7", "10.0.0.0/8", "2001:db8::/32". */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct network {
	uint8_t bytes[16]; /* in network order; what is behind the prefix stays as written */
	size_t size;       /* of an address: 4 or 16 */
	unsigned bits;     /* that count; of an address all */
};

/* What network_parse() takes, for a sentence. */
#define NETWORK_TAKES "an address or a network such as 192.0.2.0/24 or 2001:db8::/32"

/* False, and *ret is anything, where @text is none. */
bool network_parse(const char *text, struct network *ret);

/* Whether all of @inner is in @outer. An IPv4 network is in none of IPv6. */
bool network_contains(const struct network *outer, const struct network *inner);
