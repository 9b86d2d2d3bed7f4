// SPDX-License-Identifier: MIT
/* Numbers, durations, factors and booleans as people write them; and those that decoders write. */
#include "fuzz.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/bind.h"
#include "decode/decoder.h"
#include "engine/plan.h"

/* What was read, written in the plainest way, is read as the same. */
static void check_number(uint64_t number)
{
	uint64_t again, decimal;
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, number);
	assert(number_parse(text, &again) && again == number);
	assert(option_parse_uint(text, &again) == 0 && again == number);
	assert(decode_parse_decimal(text, strlen(text), &decimal) == 0 && decimal == number);
}

static void check_duration(uint64_t ns)
{
	char text[32];
	uint64_t again;

	/* Durations are read by way of doubles, as Go's fractions are. */
	snprintf(text, sizeof(text), "%" PRIu64 "ns", ns);
	assert(duration_parse(text, &again));
	assert(again == ns || (ns > UINT64_C(1) << 53 && fabs((double)again - (double)ns) <= 1024));
}

static void check_text(const char *text)
{
	uint64_t number;
	double factor;
	bool truth;

	if (number_parse(text, &number))
		check_number(number);
	if (option_parse_uint(text, &number) == 0)
		check_number(number);
	if (duration_parse(text, &number))
		check_duration(number);
	if (factor_parse(text, &factor))
		assert(factor >= 0 && isfinite(factor));
	(void)bool_parse(text, &truth);
	(void)option_parse_bool(text, &truth);
	assert(strlen(shown(text).text) < sizeof(struct shown));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = malloc(size + 1);
	uint64_t number;

	memcpy(text, data, size);
	text[size] = '\0';
	check_text(text);
	if (decode_parse_decimal(data, size, &number) == 0)
		check_number(number);
	return 0;
}
