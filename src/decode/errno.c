// SPDX-License-Identifier: MIT
#include "decode/decoder.h"

/* Made by tools/name-table of the headers that the daemon is built with. */
static const struct number_name errors[] = {
#include "errno_names.h"
};

static int decode_errno(const struct decode_env *env, const struct decode_step *step,
			const void *in, size_t len, struct buf *out)
{
	(void)env;
	(void)step;
	return number_name_decode(errors, ARRAY_SIZE(errors), "unknown", in, len, out);
}

DECODER(errno, .name = "errno", .doc = "decimal error number → its name, as ENOENT, else unknown:N",
	.takes = FORM_DECIMAL, .gives = FORM_NAME, .decode = decode_errno);
