// SPDX-License-Identifier: MIT
#include <errno.h>

#include "decode/decoder.h"

/* IANA "Assigned Internet Protocol Numbers": those that are seen in the wild, under the names that
 * ip(8) and nft(8) use. Not from /etc/protocols, which minimal systems lack. */
static const struct number_name protocols[] = {
	{0, "hopopt"},
	{1, "icmp"},
	{2, "igmp"},
	{4, "ipip"},
	{6, "tcp"},
	{8, "egp"},
	{9, "igp"},
	{17, "udp"},
	{33, "dccp"},
	{41, "ipv6"},
	{43, "ipv6-route"},
	{44, "ipv6-frag"},
	{46, "rsvp"},
	{47, "gre"},
	{50, "esp"},
	{51, "ah"},
	{58, "icmpv6"},
	{59, "ipv6-nonxt"},
	{60, "ipv6-opts"},
	{88, "eigrp"},
	{89, "ospf"},
	{94, "ipip-encap"},
	{97, "etherip"},
	{103, "pim"},
	{108, "ipcomp"},
	{112, "vrrp"},
	{115, "l2tp"},
	{132, "sctp"},
	{135, "mobility-header"},
	{136, "udplite"},
	{137, "mpls-in-ip"},
	{139, "hip"},
	{143, "ethernet"},
	{255, "reserved"},
};

enum { HIGHEST_PROTOCOL = 255 };

static int decode_ip_proto(const struct decode_env *env, const struct decode_step *step,
			   const void *in, size_t len, struct buf *out)
{
	const char *name = NULL;
	uint64_t number;

	(void)env;
	(void)step;
	if (decode_parse_decimal(in, len, &number))
		return -EINVAL;
	if (number <= HIGHEST_PROTOCOL)
		name = number_name_find(protocols, ARRAY_SIZE(protocols), number);
	if (name)
		buf_add_str(out, name);
	else
		buf_add(out, in, len);
	return DECODE_OK;
}

DECODER(ip_proto, .name = "ip_proto",
	.doc = "decimal IP protocol number → its name; numbers without one are passed on",
	.takes = FORM_DECIMAL, .gives = FORM_TEXT, .decode = decode_ip_proto);
