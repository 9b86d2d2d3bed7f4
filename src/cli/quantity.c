// SPDX-License-Identifier: MIT
#include "cli/quantity.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/macro.h"
#include "config/config.h"

/* Digits behind the point so that three are shown in all. */
static int decimals(double number)
{
	if (number >= 99.95)
		return 0;
	return number >= 9.995 ? 1 : 2;
}

/* A number of at least 0, its prefix, and a unit. */
static struct quantity with_prefix(double number, const char *unit, bool whole)
{
	static const char *const prefixes[] = {"", "k", "M", "G", "T", "P", "E"};
	struct quantity q;
	size_t i = 0;

	whole |= number == 0;
	while (number >= 999.5 && i + 1 < ARRAY_SIZE(prefixes)) {
		number /= 1000;
		i++;
	}
	snprintf(q.text, sizeof(q.text), "%.*f%s%s%s", i == 0 && whole ? 0 : decimals(number),
		 number, *unit || i ? " " : "", prefixes[i], unit);
	return q;
}

/* Up to here every digit is shown. */
enum { COUNT_WHOLE = 10000 };

static struct quantity count(double number)
{
	struct quantity q;

	if (number >= COUNT_WHOLE)
		return with_prefix(number, "", true);
	snprintf(q.text, sizeof(q.text), "%.0f", number);
	return q;
}

struct quantity quantity_seconds(double seconds)
{
	static const struct {
		double below, factor;
		const char *unit;
	} small[] = {{999.5e-9, 1e9, "ns"},
		     {999.5e-6, 1e6, "µs"},
		     {999.5e-3, 1e3, "ms"},
		     {60, 1, "s"}};
	unsigned long long whole = (unsigned long long)MIN(MAX(seconds, 0.0), 1e15);
	struct quantity q;

	if (seconds == 0)
		return (struct quantity){"0 s"};
	for (size_t i = 0; i < ARRAY_SIZE(small); i++) {
		double number = seconds * small[i].factor;

		if (seconds >= small[i].below)
			continue;
		snprintf(q.text, sizeof(q.text), "%.*f %s", decimals(number), number,
			 small[i].unit);
		return q;
	}
	if (whole < 3600)
		snprintf(q.text, sizeof(q.text), "%llum%02llus", whole / 60, whole % 60);
	else if (whole < 86400)
		snprintf(q.text, sizeof(q.text), "%lluh%02llum", whole / 3600, whole / 60 % 60);
	else
		snprintf(q.text, sizeof(q.text), "%llud%02lluh", whole / 86400, whole / 3600 % 24);
	return q;
}

/* What is written behind the number, by enum column_unit. */
static const struct {
	const char *unit, *rate_unit;
} units[] = {
	[UNIT_NONE] = {"", "/s"},
	[UNIT_COUNT] = {"", "/s"},
	[UNIT_BYTES] = {"B", "B/s"},
	[UNIT_PACKETS] = {"", "pps"},
};

static struct quantity plain(double number)
{
	struct quantity q;

	if (number == floor(number) && fabs(number) < 1e15)
		snprintf(q.text, sizeof(q.text), "%.0f", number);
	else
		snprintf(q.text, sizeof(q.text), "%.4g", number);
	return q;
}

struct quantity quantity_format(double number, const char *unit, bool rate)
{
	const char *text = "";

	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (STREQ(column_unit_name((enum column_unit)i), unit))
			text = rate ? units[i].rate_unit : units[i].unit;
	}
	if (!isfinite(number))
		return (struct quantity){"-"};
	if (STREQ(unit, "seconds") || STREQ(unit, "age"))
		return quantity_seconds(number);
	if (rate || *text)
		return with_prefix(number, text, !rate);
	return STREQ(unit, "none") ? plain(number) : count(number);
}
