// SPDX-License-Identifier: MIT
#include "guard_prefix.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/macro.h"

static const uint8_t mapped[GUARD_MAPPED_BITS / 8] = {[10] = 0xff, [11] = 0xff};

static void clear_behind(uint8_t address[16], unsigned bits)
{
	unsigned whole = bits / 8;

	if (bits % 8)
		address[whole++] &= (uint8_t)(0xff << (8 - bits % 8));
	memset(address + whole, 0, 16 - whole);
}

struct guard_prefix guard_prefix_of(const struct network *n)
{
	struct guard_prefix p = {.prefixlen = n->bits};
	size_t at = sizeof(p.address) - n->size;

	if (at) {
		memcpy(p.address, mapped, sizeof(mapped));
		p.prefixlen = GUARD_MAPPED_BITS + n->bits;
	}
	memcpy(p.address + at, n->bytes, n->size);
	clear_behind(p.address, p.prefixlen);
	return p;
}

bool guard_prefix_is_ipv4(const struct guard_prefix *p)
{
	return p->prefixlen >= GUARD_MAPPED_BITS && memcmp(p->address, mapped, sizeof(mapped)) == 0;
}

static bool same_bits(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	return memcmp(a, b, whole) == 0 && (rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0);
}

bool guard_prefix_take(const struct network *n, struct guard_prefix *ret)
{
	struct guard_prefix p = guard_prefix_of(n);

	if (!guard_prefix_is_ipv4(&p) && p.prefixlen < GUARD_MAPPED_BITS &&
	    same_bits(p.address, mapped, p.prefixlen))
		return false;
	*ret = p;
	return true;
}

bool guard_prefix_parse(const char *text, struct guard_prefix *ret)
{
	struct network n;

	return network_parse(text, &n) && guard_prefix_take(&n, ret);
}

struct guard_prefix guard_prefix_cut(const struct guard_prefix *p, unsigned bits)
{
	struct guard_prefix cut = *p;

	cut.prefixlen = MIN(p->prefixlen, bits);
	clear_behind(cut.address, cut.prefixlen);
	return cut;
}

unsigned guard_prefix_length(const struct guard_prefix *p)
{
	return guard_prefix_is_ipv4(p) ? p->prefixlen - GUARD_MAPPED_BITS : p->prefixlen;
}

void guard_prefix_print(const struct guard_prefix *p, char text[GUARD_PREFIX_TEXT])
{
	char address[INET6_ADDRSTRLEN] = "?";

	if (guard_prefix_is_ipv4(p))
		inet_ntop(AF_INET, p->address + sizeof(mapped), address, sizeof(address));
	else
		inet_ntop(AF_INET6, p->address, address, sizeof(address));
	if (p->prefixlen == GUARD_ADDRESS_BITS)
		snprintf(text, GUARD_PREFIX_TEXT, "%s", address);
	else
		snprintf(text, GUARD_PREFIX_TEXT, "%s/%u", address, guard_prefix_length(p));
}

void guard_prefix_add_text(const struct guard_prefix *p, struct buf *text)
{
	char printed[GUARD_PREFIX_TEXT];

	guard_prefix_print(p, printed);
	buf_add_str(text, printed);
}

/* Networks of IPv6 have nothing of IPv4, though mapped addresses may begin like them. */
bool guard_prefix_overlaps(const struct guard_prefix *a, const struct guard_prefix *b)
{
	return guard_prefix_is_ipv4(a) == guard_prefix_is_ipv4(b) &&
	       same_bits(a->address, b->address, MIN(a->prefixlen, b->prefixlen));
}

bool guard_prefix_covers(const struct guard_prefix *outer, const struct guard_prefix *inner)
{
	return outer->prefixlen <= inner->prefixlen && guard_prefix_overlaps(outer, inner);
}
