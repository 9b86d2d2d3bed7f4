// SPDX-License-Identifier: MIT
#include <errno.h>

#include "decode/decoder.h"

/* Made by tools/name-table of the headers that the daemon is built with. */
static const struct number_name errors[] = {
#include "errno_names.h"
};

static int decode_errno(const struct decode_env *env, const struct decode_step *step,
			const void *in, size_t len, struct buf *out)
{
	const char *name;
	uint64_t number;

	(void)env;
	(void)step;
	if (decode_parse_decimal(in, len, &number))
		return -EINVAL;
	name = number_name_find(errors, ARRAY_SIZE(errors), number);
	if (name)
		buf_add_str(out, name);
	else
		buf_printf(out, "unknown:%.*s", (int)len, (const char *)in);
	return DECODE_OK;
}

DECODER(errno, .name = "errno", .doc = "decimal error number → its name, as ENOENT, else unknown:N",
	.takes = FORM_DECIMAL, .gives = FORM_NAME, .decode = decode_errno);
