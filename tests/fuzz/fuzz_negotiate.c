// SPDX-License-Identifier: MIT
/* The fields Accept and Accept-Encoding. */
#include "fuzz.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "http/negotiate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *field = calloc(1, size + 1);
	struct negotiated n;

	if (!field)
		return 0;
	memcpy(field, data, size);
	n = negotiate_format(field);
	assert(n.format < EXPOSITION_FORMATS);
	/* What is offered can be asked for. */
	assert(negotiate_format(n.content_type).content_type == n.content_type);
	negotiate_gzip(field);
	return 0;
}
