// SPDX-License-Identifier: MIT
/* The text of a perf event: what stands in SEC("perf_event/…") and at `event:`. */
#include "fuzz.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "kernel/perf_event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = calloc(1, size + 1);
	struct perf_event_attr attr;
	struct error error;

	if (!text)
		return 0;
	memcpy(text, data, size);
	if (perf_event_parse(text, &attr, &error))
		assert(error.exit == EXIT_USAGE && *error.text);
	else
		assert(attr.sample_period > 0 && attr.disabled);
	return 0;
}
