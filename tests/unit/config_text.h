/* SPDX-License-Identifier: MIT */
/* For tests: a config out of text. */
#pragma once

#include <stdlib.h>
#include <string.h>

#include "config/config.h"

/* Parses @text as the config "test"; the test fails when that fails. */
static inline struct config *config_from_text(const char *text)
{
	struct source source = {strdup("test.yaml"), strdup(text), strlen(text)};
	_cleanup_report_ struct report report = {0};
	struct config *config = NULL;

	if (config_parse("test", source, &report, &config))
		fail_msg("%s", buf_str(&report.text));
	return config;
}
