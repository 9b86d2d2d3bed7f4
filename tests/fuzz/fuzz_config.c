// SPDX-License-Identifier: MIT
/* A module's manifest, or a user's config. */
#include "fuzz.h"

#include <assert.h>
#include <errno.h>

#include "config/config.h"
#include "fuzz_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_report_ struct report report = fuzz_report(size);
	struct config *config = NULL;
	int err = config_parse("fuzz", fuzz_text(data, size), &report, &config);

	assert(err == 0 || err == -EINVAL);
	assert((err == 0) == (report.errors == 0));
	config_free(config);
	return 0;
}
