/* SPDX-License-Identifier: MIT */
/*
 * Networks as the maps of guard.h have them (struct guard_prefix): 16 bytes, IPv4 mapped into IPv6
 * (RFC 4291, section 2.5.5.2), so that one trie holds both. What is behind the prefix is zero.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/network.h"
#include "guard.h"

enum {
	GUARD_ADDRESS_BITS = 128,
	GUARD_MAPPED_BITS = 96, /* of an IPv4 address, those that are always the same */
	GUARD_PREFIX_TEXT = 52, /* the longest as text: 45 of an IPv6 address, '/', 128 */
};

/* Of any; see guard_prefix_take(). */
struct guard_prefix guard_prefix_of(const struct network *n);

/* What guard_prefix_parse() takes, for a sentence. */
#define GUARD_NETWORK_TAKES                                                                        \
	NETWORK_TAKES "; all of IPv4 is 0.0.0.0/0, all of IPv6 that is used 2000::/3"

/*
 * False where @text is neither an address nor a network; and for a network of IPv6 that has the
 * mapped addresses in it, as ::/0: in the kernel's tries that would be all of IPv4, too.
 */
bool guard_prefix_parse(const char *text, struct guard_prefix *ret);

/* The same of one that was parsed. */
bool guard_prefix_take(const struct network *n, struct guard_prefix *ret);

/* Its first @bits bits, of those that it has. */
struct guard_prefix guard_prefix_cut(const struct guard_prefix *p, unsigned bits);

/* "192.0.2.0/24"; one address without its length. */
void guard_prefix_print(const struct guard_prefix *p, char text[GUARD_PREFIX_TEXT]);
void guard_prefix_add_text(const struct guard_prefix *p, struct buf *text);

/* Whether there is an address in both of them: then one of them is in the other. */
bool guard_prefix_overlaps(const struct guard_prefix *a, const struct guard_prefix *b);
bool guard_prefix_covers(const struct guard_prefix *outer, const struct guard_prefix *inner);
bool guard_prefix_is_ipv4(const struct guard_prefix *p);

/* The bits of it that a person would name: 24 of ::ffff:192.0.2.0/120. */
unsigned guard_prefix_length(const struct guard_prefix *p);
