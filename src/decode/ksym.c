// SPDX-License-Identifier: MIT
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "decode/decoder.h"
#include "kernel/ksyms.h"

static int decode_ksym(const struct decode_env *env, const struct decode_step *step, const void *in,
		       size_t len, struct buf *out)
{
	uint64_t address;
	const char *name;

	(void)step;
	if (len != sizeof(address))
		return -EINVAL;
	memcpy(&address, in, sizeof(address));
	name = ksyms_name(env->ksyms, address);
	if (!name) {
		buf_printf(out, "unknown_addr:0x%" PRIx64, address);
		return DECODE_UNKNOWN;
	}
	buf_add_str(out, name);
	return DECODE_OK;
}

DECODER(ksym, .name = "ksym",
	.doc = "8 bytes of kernel address → the symbol at exactly that address",
	.takes = FORM_BYTES, .gives = FORM_NAME, .sizes = DECODER_SIZE(8), .reads_symbols = true,
	.decode = decode_ksym);
