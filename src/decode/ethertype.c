// SPDX-License-Identifier: MIT
#include <inttypes.h>

#include "decode/decoder.h"

/* IEEE 802 numbers; the kernel's include/uapi/linux/if_ether.h has the same under ETH_P_*. */
static const struct number_name ethertypes[] = {
	{0x0800, "ipv4"},
	{0x0806, "arp"},
	{0x0842, "wol"},
	{0x22f3, "trill"},
	{0x8035, "rarp"},
	{0x809b, "atalk"},
	{0x8100, "vlan"},
	{0x8137, "ipx"},
	{0x86dd, "ipv6"},
	{0x8808, "pause"},
	{0x8809, "slow"},
	{0x8847, "mpls"},
	{0x8848, "mpls-multicast"},
	{0x8863, "pppoe-discovery"},
	{0x8864, "pppoe-session"},
	{0x888e, "eapol"},
	{0x88a2, "aoe"},
	{0x88a8, "qinq"},
	{0x88cc, "lldp"},
	{0x88e5, "macsec"},
	{0x88f5, "mvrp"},
	{0x88f7, "ptp"},
	{0x8902, "cfm"},
	{0x8906, "fcoe"},
	{0x8914, "fip"},
	{0x8915, "roce"},
	{0x893a, "ieee1905"},
	{0x894f, "nsh"},
	{0x9000, "loopback"},
};

/* IEEE 802.3, 3.2.6: from 1536 on the field is a type, below it is a length. */
enum { LOWEST_ETHERTYPE = 0x0600, HIGHEST_ETHERTYPE = 0xffff };

static int decode_ethertype(const struct decode_env *env, const struct decode_step *step,
			    const void *in, size_t len, struct buf *out)
{
	const char *name;
	uint64_t number;

	(void)env;
	(void)step;
	if (decode_parse_decimal(in, len, &number) || number < LOWEST_ETHERTYPE ||
	    number > HIGHEST_ETHERTYPE) {
		buf_add(out, in, len);
		return DECODE_OK;
	}
	name = number_name_find(ethertypes, ARRAY_SIZE(ethertypes), number);
	if (name)
		buf_add_str(out, name);
	else
		buf_printf(out, "0x%04" PRIx64, number);
	return DECODE_OK;
}

DECODER(ethertype, .name = "ethertype",
	.doc = "decimal ethertype → its name or 0x…; text that is no ethertype is passed on",
	.takes = FORM_DECIMAL | FORM_NAME, .gives = FORM_TEXT, .decode = decode_ethertype);
