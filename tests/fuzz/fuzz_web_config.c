// SPDX-License-Identifier: MIT
/* The web config file. */
#include "fuzz.h"

#include <assert.h>
#include <errno.h>

#include "config/web.h"
#include "fuzz_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_report_ struct report report = fuzz_report(size);
	struct web_config *config = NULL;
	int err = web_config_parse(fuzz_text(data, size), &report, &config);

	assert(err == 0 || err == -EINVAL);
	assert((err == 0) == (report.errors == 0));
	web_config_free(config);
	return 0;
}
