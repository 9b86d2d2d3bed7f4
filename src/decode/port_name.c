// SPDX-License-Identifier: MIT
#include <errno.h>

#include "decode/decoder.h"
#include "decode/hostnames.h"
#include "decode/services.h"

enum { HIGHEST_PORT = 65535 };

static int decode_port_name(const struct decode_env *env, const struct decode_step *step,
			    const void *in, size_t len, struct buf *out)
{
	const char *name;
	uint64_t port;

	if (decode_parse_decimal(in, len, &port) || port > HIGHEST_PORT)
		return -EINVAL;
	name = services_name(env->host->services, (uint16_t)port, step->config->protocol);
	if (name)
		buf_add_str(out, name);
	else
		buf_add(out, in, len);
	return DECODE_OK;
}

DECODER(port_name, .name = "port_name",
	.doc = "decimal port → its name in /etc/services; ports without one are passed on",
	.parameters = DECODER_PARAM_PROTOCOL, .takes = FORM_DECIMAL, .gives = FORM_TEXT,
	.decode = decode_port_name);
