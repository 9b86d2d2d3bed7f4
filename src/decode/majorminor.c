// SPDX-License-Identifier: MIT
#include <errno.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "decode/decoder.h"
#include "decode/hostnames.h"
#include "kernel/partitions.h"

/* The number is as user space has it, and new_encode_dev() of the kernel makes it: the kernel's own
 * form (MKDEV) is another. */
static int decode_majorminor(const struct decode_env *env, const struct decode_step *step,
			     const void *in, size_t len, struct buf *out)
{
	uint32_t device;

	(void)step;
	if (len != sizeof(device))
		return -EINVAL;
	memcpy(&device, in, sizeof(device));
	if (partitions_name(env->host->partitions, major(device), minor(device), out))
		return DECODE_OK;
	buf_printf(out, "unknown:%u:%u", major(device), minor(device));
	return DECODE_UNKNOWN;
}

DECODER(majorminor, .name = "majorminor",
	.doc = "4 bytes of block device number (new_encode_dev) → its name, else "
	       "unknown:MAJOR:MINOR",
	.takes = FORM_BYTES, .gives = FORM_NAME, .sizes = DECODER_SIZE(4),
	.decode = decode_majorminor);
