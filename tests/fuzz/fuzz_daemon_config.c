// SPDX-License-Identifier: MIT
/* The daemon file. */
#include "fuzz.h"

#include <assert.h>
#include <errno.h>

#include "config/daemon.h"
#include "fuzz_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_report_ struct report report = fuzz_report(size);
	struct daemon_config *config = NULL;
	int err = daemon_config_parse(fuzz_text(data, size), &report, &config);

	assert(err == 0 || err == -EINVAL);
	assert((err == 0) == (report.errors == 0));
	daemon_config_free(config);
	return 0;
}
