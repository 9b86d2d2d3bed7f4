// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "decode/decoder.h"

/* As net.IP of Go, and so ebpf_exporter, prints a wrong length: '?' and the bytes in hex. */
static void add_odd_length(struct buf *out, const uint8_t *bytes, size_t len)
{
	buf_add_char(out, '?');
	for (size_t i = 0; i < len; i++)
		buf_printf(out, "%02x", bytes[i]);
}

static int decode_inet_ip(const struct decode_env *env, const struct decode_step *step,
			  const void *in, size_t len, struct buf *out)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr v6;

	(void)env;
	(void)step;
	if (len == sizeof(struct in_addr)) {
		buf_add_str(out, inet_ntop(AF_INET, in, text, sizeof(text)));
		return DECODE_OK;
	}
	if (len != sizeof(v6)) {
		add_odd_length(out, in, len);
		return DECODE_OK;
	}
	memcpy(&v6, in, sizeof(v6));
	if (IN6_IS_ADDR_V4MAPPED(&v6))
		buf_add_str(out, inet_ntop(AF_INET, &v6.s6_addr[12], text, sizeof(text)));
	else
		buf_add_str(out, inet_ntop(AF_INET6, &v6, text, sizeof(text)));
	return DECODE_OK;
}

DECODER(inet_ip, .name = "inet_ip",
	.doc = "4 or 16 bytes in network order → IP address; v4-mapped ones as IPv4",
	.takes = FORM_BYTES, .gives = FORM_NAME, .decode = decode_inet_ip);
