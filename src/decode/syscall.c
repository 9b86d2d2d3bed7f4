// SPDX-License-Identifier: MIT
#include <errno.h>

#include "decode/decoder.h"

/* Made by tools/name-table of the headers that the daemon is built with. */
static const struct number_name syscalls[] = {
#include "syscall_names.h"
};

static int decode_syscall(const struct decode_env *env, const struct decode_step *step,
			  const void *in, size_t len, struct buf *out)
{
	const char *name;
	uint64_t number;

	(void)env;
	(void)step;
	if (decode_parse_decimal(in, len, &number))
		return -EINVAL;
	name = number_name_find(syscalls, ARRAY_SIZE(syscalls), number);
	if (name)
		buf_add_str(out, name);
	else
		buf_printf(out, "unknown_syscall:%.*s", (int)len, (const char *)in);
	return DECODE_OK;
}

DECODER(syscall, .name = "syscall",
	.doc = "decimal number of a system call of this architecture → its name, else "
	       "unknown_syscall:N",
	.takes = FORM_DECIMAL, .gives = FORM_NAME, .decode = decode_syscall);
