// SPDX-License-Identifier: MIT
#include "base/units.h"

#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/macro.h"

/* ---- numbers with a fraction, exactly ---- */

/* Digits behind the point, which is as fine as anybody needs. */
enum { FRACTION_DIGITS = 9, FRACTION = 1000000000 };

struct decimal {
	uint64_t whole, fraction;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool take_whole(const char **text, uint64_t *ret)
{
	*ret = 0;
	if (!is_digit(**text))
		return false;
	for (; is_digit(**text); (*text)++) {
		if (__builtin_mul_overflow(*ret, 10, ret) ||
		    __builtin_add_overflow(*ret, (uint64_t)(**text - '0'), ret))
			return false;
	}
	return true;
}

static bool take_fraction(const char **text, uint64_t *ret)
{
	unsigned digits = 0;

	*ret = 0;
	if (!is_digit(**text))
		return false;
	for (; is_digit(**text); (*text)++) {
		if (++digits > FRACTION_DIGITS)
			return false;
		*ret = *ret * 10 + (uint64_t)(**text - '0');
	}
	for (; digits < FRACTION_DIGITS; digits++)
		*ret *= 10;
	return true;
}

/* *text then stands behind the number. */
static bool take_decimal(const char **text, struct decimal *ret)
{
	ret->fraction = 0;
	if (!take_whole(text, &ret->whole))
		return false;
	if (**text != '.')
		return true;
	(*text)++;
	return take_fraction(text, &ret->fraction);
}

/* What is below a whole one is cut off. */
static bool multiply(const struct decimal *d, uint64_t factor, uint64_t *ret)
{
	__uint128_t rest = (__uint128_t)d->fraction * factor / FRACTION;
	uint64_t number;

	if (__builtin_mul_overflow(d->whole, factor, &number) ||
	    __builtin_add_overflow(number, (uint64_t)rest, &number))
		return false;
	*ret = number;
	return true;
}

/* ---- rates ---- */

static const struct {
	const char *prefix;
	uint64_t factor;
	bool binary;
} prefixes[] = {
	{"", 1, false},           {"k", 1000, false},          {"m", 1000000, false},
	{"g", 1000000000, false}, {"t", 1000000000000, false}, {"ki", 1ULL << 10, true},
	{"mi", 1ULL << 20, true}, {"gi", 1ULL << 30, true},    {"ti", 1ULL << 40, true},
};

static const struct {
	const char *unit;
	struct rate one;
} rate_units[] = {
	{"bit", {RATE_BITS, 1}},
	{"bps", {RATE_BITS, 8}}, /* bytes: tc(8), PARAMETERS, RATES */
	{"pps", {RATE_PACKETS, 1}},
};

static bool parse_rate_unit(const char *text, struct rate *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(rate_units); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(prefixes); k++) {
			size_t len = strlen(prefixes[k].prefix);
			bool packets = rate_units[i].one.of == RATE_PACKETS;

			if (strncasecmp(text, prefixes[k].prefix, len) != 0 ||
			    strcasecmp(text + len, rate_units[i].unit) != 0 ||
			    (packets && prefixes[k].binary))
				continue;
			*ret = rate_units[i].one;
			ret->per_second *= prefixes[k].factor;
			return true;
		}
	}
	return false;
}

bool rate_parse(const char *text, struct rate *ret)
{
	struct decimal number;
	struct rate rate;

	if (!take_decimal(&text, &number) || !parse_rate_unit(text, &rate) ||
	    !multiply(&number, rate.per_second, &rate.per_second))
		return false;
	*ret = rate;
	return true;
}

const char *rate_text(const struct rate *r, char text[static UNITS_TEXT_MAX])
{
	size_t best = 0;

	for (size_t k = 0; k < ARRAY_SIZE(prefixes) && !prefixes[k].binary; k++) {
		if (r->per_second && r->per_second % prefixes[k].factor == 0)
			best = k;
	}
	snprintf(text, UNITS_TEXT_MAX, "%" PRIu64 "%s%s", r->per_second / prefixes[best].factor,
		 prefixes[best].prefix, r->of == RATE_PACKETS ? "pps" : "bit");
	return text;
}

/* ---- durations ---- */

/* The largest first: in this order they may follow each other. */
static const struct {
	const char *unit;
	uint64_t ns;
} times[] = {
	{"w", 604800 * NSEC_PER_SEC},
	{"d", 86400 * NSEC_PER_SEC},
	{"h", 3600 * NSEC_PER_SEC},
	{"m", 60 * NSEC_PER_SEC},
	{"s", NSEC_PER_SEC},
	{"ms", NSEC_PER_MSEC},
	{"us", 1000},
	{"ns", 1},
};

static size_t letters(const char *text)
{
	size_t n = 0;

	while ((text[n] | 0x20) >= 'a' && (text[n] | 0x20) <= 'z')
		n++;
	return n;
}

/* The index of the unit that @text begins with, from @from on; ARRAY_SIZE(times) for none. */
static size_t find_time(const char *text, size_t from)
{
	size_t len = letters(text);

	for (size_t i = from; i < ARRAY_SIZE(times); i++) {
		if (strlen(times[i].unit) == len && strncasecmp(text, times[i].unit, len) == 0)
			return i;
	}
	return ARRAY_SIZE(times);
}

bool timespan_parse(const char *text, uint64_t *ret)
{
	uint64_t total = 0, part;
	struct decimal number;
	size_t next = 0;

	do {
		if (!take_decimal(&text, &number))
			return false;
		if (*text == '\0' && next == 0)
			return multiply(&number, NSEC_PER_SEC, ret);
		next = find_time(text, next);
		if (next == ARRAY_SIZE(times) || !multiply(&number, times[next].ns, &part) ||
		    __builtin_add_overflow(total, part, &total))
			return false;
		text += strlen(times[next++].unit);
	} while (*text);
	*ret = total;
	return true;
}

const char *timespan_text(uint64_t ns, char text[static UNITS_TEXT_MAX])
{
	size_t len = 0;

	snprintf(text, UNITS_TEXT_MAX, "0s");
	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		if (ns >= times[i].ns)
			len += (size_t)snprintf(text + len, UNITS_TEXT_MAX - len, "%" PRIu64 "%s",
						ns / times[i].ns, times[i].unit);
		ns %= times[i].ns;
	}
	return text;
}

/* ---- ports ---- */

static const struct {
	const char *name;
	uint8_t protocol;
} protocols[] = {{"tcp", IPPROTO_TCP}, {"udp", IPPROTO_UDP}};

static bool take_port(const char **text, uint16_t *ret)
{
	uint64_t port;

	if (!take_whole(text, &port) || port == 0 || port > UINT16_MAX)
		return false;
	*ret = (uint16_t)port;
	return true;
}

/* "" or "/udp" */
static bool parse_protocol(const char *text, uint8_t *ret)
{
	*ret = 0;
	if (*text == '\0')
		return true;
	for (size_t i = 0; *text == '/' && i < ARRAY_SIZE(protocols); i++) {
		if (strcasecmp(text + 1, protocols[i].name) == 0)
			*ret = protocols[i].protocol;
	}
	return *ret != 0;
}

bool ports_parse(const char *text, struct ports *ret)
{
	struct ports p;

	if (!take_port(&text, &p.first))
		return false;
	p.last = p.first;
	if (*text == '-' && (text++, !take_port(&text, &p.last)))
		return false;
	if (p.last < p.first || !parse_protocol(text, &p.protocol))
		return false;
	*ret = p;
	return true;
}

const char *ports_text(const struct ports *p, char text[static UNITS_TEXT_MAX])
{
	int len = snprintf(text, UNITS_TEXT_MAX, "%u", p->first);

	if (p->last != p->first)
		len += snprintf(text + len, UNITS_TEXT_MAX - (size_t)len, "-%u", p->last);
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
		if (protocols[i].protocol == p->protocol)
			snprintf(text + len, UNITS_TEXT_MAX - (size_t)len, "/%s",
				 protocols[i].name);
	}
	return text;
}
