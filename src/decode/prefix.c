// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "decode/decoder.h"

enum { V4_SIZE = 4, V4_BITS = 32, V6_SIZE = 16, V6_BITS = 128 };

static int prepare_prefix(const struct decoder_setup *setup, struct decode_step *step)
{
	bool v4 = setup->label->size == V4_SIZE;

	if (v4 ? step->config->has_prefix : step->config->has_prefix6)
		return 0;
	return report_error(setup->report, setup->source, step->config->place,
			    "decoder 'prefix' needs '%s' for the addresses of label '%s', which "
			    "has %u bytes",
			    v4 ? "prefix" : "prefix6", setup->label->name.text, setup->label->size);
}

/* Bits behind the first @keep of @address become 0. */
static void mask(uint8_t *address, size_t size, unsigned keep)
{
	for (size_t i = 0; i < size; i++, keep -= MIN(keep, 8U)) {
		if (keep < 8)
			address[i] &= (uint8_t)(0xff00 >> keep);
	}
}

static void add_network(struct buf *out, int family, uint8_t *address, unsigned keep)
{
	char text[INET6_ADDRSTRLEN];

	mask(address, family == AF_INET ? V4_SIZE : V6_SIZE, keep);
	buf_printf(out, "%s/%u", inet_ntop(family, address, text, sizeof(text)), keep);
}

static int decode_prefix(const struct decode_env *env, const struct decode_step *step,
			 const void *in, size_t len, struct buf *out)
{
	const struct decoder_config *config = step->config;
	/* Also of an IPv4 address that is written as an IPv6 one. */
	unsigned keep4 = config->has_prefix ? config->prefix : V4_BITS;
	struct in6_addr v6;

	(void)env;
	if (len != V4_SIZE && len != V6_SIZE)
		return -EINVAL;
	memcpy(&v6, in, len);
	if (len == V4_SIZE)
		add_network(out, AF_INET, &v6.s6_addr[0], keep4);
	else if (IN6_IS_ADDR_V4MAPPED(&v6))
		add_network(out, AF_INET, &v6.s6_addr[V6_SIZE - V4_SIZE], keep4);
	else
		add_network(out, AF_INET6, &v6.s6_addr[0], config->prefix6);
	return DECODE_OK;
}

DECODER(prefix, .name = "prefix",
	.doc = "4 or 16 bytes in network order → the network of the address, as 10.1.0.0/16; "
	       "v4-mapped ones as IPv4",
	.parameters = DECODER_PARAM_PREFIX | DECODER_PARAM_PREFIX6, .takes = FORM_BYTES,
	.gives = FORM_NAME, .sizes = DECODER_SIZE(V4_SIZE) | DECODER_SIZE(V6_SIZE),
	.prepare = prepare_prefix, .decode = decode_prefix);
