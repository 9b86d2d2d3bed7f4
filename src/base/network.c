// SPDX-License-Identifier: MIT
#include "base/network.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

/* A decimal number and nothing else: strtoul takes blanks and signs. */
static bool parse_bits(const char *text, unsigned most, unsigned *ret)
{
	unsigned long bits;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	bits = strtoul(text, &end, 10);
	*ret = (unsigned)bits;
	return *end == '\0' && bits <= most;
}

bool network_parse(const char *text, struct network *ret)
{
	char address[INET6_ADDRSTRLEN];
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);

	if (len >= sizeof(address))
		return false;
	memcpy(address, text, len);
	address[len] = '\0';
	*ret = (struct network){0};
	if (inet_pton(AF_INET, address, ret->bytes) == 1)
		ret->size = 4;
	else if (inet_pton(AF_INET6, address, ret->bytes) == 1)
		ret->size = 16;
	else
		return false;
	ret->bits = (unsigned)(8 * ret->size);
	return !slash || parse_bits(slash + 1, ret->bits, &ret->bits);
}

bool network_contains(const struct network *outer, const struct network *inner)
{
	unsigned whole = outer->bits / 8, rest = outer->bits % 8;

	if (outer->size != inner->size || inner->bits < outer->bits)
		return false;
	return memcmp(outer->bytes, inner->bytes, whole) == 0 &&
	       (rest == 0 || (outer->bytes[whole] ^ inner->bytes[whole]) >> (8 - rest) == 0);
}
