/* SPDX-License-Identifier: MIT */
/* For targets that parse a file of configuration. */
#pragma once

#include <stdlib.h>
#include <string.h>

#include "config/report.h"

/* @data as a source, with not a byte more, so that a sanitizer sees who reads it. */
static inline struct source fuzz_text(const uint8_t *data, size_t size)
{
	struct source source = {strdup("fuzz.yaml"), malloc(size), size};

	if (size > 0)
		memcpy(source.text, data, size);
	return source;
}

/* Texts of an odd length have their unknown keys let through: a corpus of plain files has both. */
static inline struct report fuzz_report(size_t size)
{
	return (struct report){.lenient = size & 1};
}
