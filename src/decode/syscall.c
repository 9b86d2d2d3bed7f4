// SPDX-License-Identifier: MIT
#include "decode/decoder.h"

/* Made by tools/name-table of the headers that the daemon is built with. */
static const struct number_name syscalls[] = {
#include "syscall_names.h"
};

static int decode_syscall(const struct decode_env *env, const struct decode_step *step,
			  const void *in, size_t len, struct buf *out)
{
	(void)env;
	(void)step;
	return number_name_decode(syscalls, ARRAY_SIZE(syscalls), "unknown_syscall", in, len, out);
}

DECODER(syscall, .name = "syscall",
	.doc = "decimal number of a system call of this architecture → its name, else "
	       "unknown_syscall:N",
	.takes = FORM_DECIMAL, .gives = FORM_NAME, .decode = decode_syscall);
