// SPDX-License-Identifier: MIT
/* Texts of scalars to numbers and booleans, and back into sentences. */
#include <ctype.h>
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <strings.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "config/bind.h"

static const struct {
	const char *prefix;
	int base;
	const char *digits;
} number_forms[] = {
	{"0x", 16, "0123456789abcdefABCDEF"},
	{"0o", 8, "01234567"},
	{"0b", 2, "01"},
	{"", 10, "0123456789"},
};

/* "1e6" and "8.0" are whole numbers too, as far as a double is exact. */
static bool parse_whole_fraction(const char *text, uint64_t *ret)
{
	const double exact = 9007199254740992.0; /* 2^53 */
	char *end;
	double d;

	if (strspn(text, "0123456789.eE+") != strlen(text) || !isdigit((unsigned char)text[0]))
		return false;
	/* Digits alone were read as a number already, so these do not fit one. */
	if (!strpbrk(text, ".eE"))
		return false;
	d = strtod(text, &end);
	if (*end || d < 0 || d > exact || d != floor(d))
		return false;
	*ret = (uint64_t)d;
	return true;
}

bool number_parse(const char *text, uint64_t *ret)
{
	char digits[72];
	size_t n = 0, form = 0, skip;
	uint64_t number;
	char *end;

	for (; *text && n < sizeof(digits) - 1; text++) {
		if (*text != '_' || n == 0)
			digits[n++] = *text;
	}
	digits[n] = '\0';
	if (*text)
		return false;
	while (strncmp(digits, number_forms[form].prefix, strlen(number_forms[form].prefix)) != 0)
		form++;
	skip = strlen(number_forms[form].prefix);
	if (n == skip || strspn(digits + skip, number_forms[form].digits) != n - skip)
		return parse_whole_fraction(digits, ret);
	/* 010 is eight to some readers of YAML and ten to others. */
	if (skip == 0 && n > 1 && digits[0] == '0')
		return false;
	errno = 0;
	number = strtoull(digits + skip, &end, number_forms[form].base);
	if (errno || *end)
		return false;
	*ret = number;
	return true;
}

/* The exponents of doubles that keep all their digits. */
static bool power_parse(const char *text, double *ret)
{
	size_t digits = strspn(text + (*text == '-'), "0123456789");
	int exponent;

	if (digits == 0 || digits > 4 || text[(*text == '-') + digits])
		return false;
	exponent = atoi(text);
	if (exponent < DBL_MIN_EXP || exponent >= DBL_MAX_EXP)
		return false;
	*ret = ldexp(1, exponent);
	return true;
}

bool factor_parse(const char *text, double *ret)
{
	char *end;
	double d;

	if (strncmp(text, "2^", 2) == 0)
		return power_parse(text + 2, ret);
	/* Not what else strtod(3) takes: hexadecimal, "inf", "nan". */
	if (!*text || strspn(text, "0123456789.eE+-") != strlen(text))
		return false;
	d = strtod(text, &end);
	if (*end || d < 0 || isinf(d))
		return false;
	*ret = d;
	return true;
}

/* pkg.go.dev/time#ParseDuration; longer ones first where one begins like another. */
static const struct {
	const char *name;
	uint64_t ns;
} duration_units[] = {
	{"ns", 1},
	{"us", 1000},
	{"\xc2\xb5s", 1000}, /* the micro sign */
	{"\xce\xbcs", 1000}, /* the Greek letter */
	{"ms", 1000000},
	{"s", NSEC_PER_SEC},
	{"m", 60 * NSEC_PER_SEC},
	{"h", 3600 * NSEC_PER_SEC},
};

/* The unit that @text begins with; NULL when there is none. */
static const char *duration_unit(const char *text, uint64_t *ret_ns)
{
	for (size_t i = 0; i < ARRAY_SIZE(duration_units); i++) {
		size_t len = strlen(duration_units[i].name);

		if (strncmp(text, duration_units[i].name, len) == 0) {
			*ret_ns = duration_units[i].ns;
			return text + len;
		}
	}
	return NULL;
}

/* One number with its unit; gives back what follows, or NULL. */
static const char *duration_part(const char *text, double *ret_ns)
{
	size_t len = strspn(text, "0123456789.");
	uint64_t unit;
	char *end;
	double number;

	if (len == 0 || (len == 1 && *text == '.'))
		return NULL;
	number = strtod(text, &end);
	if (end != text + len)
		return NULL;
	text = duration_unit(end, &unit);
	*ret_ns = number * (double)unit;
	return text;
}

bool duration_parse(const char *text, uint64_t *ret)
{
	const double most = 9223372036854775807.0; /* of Go; 292 years */
	double sum = 0, part;

	if (STREQ(text, "0")) {
		*ret = 0;
		return true;
	}
	do {
		text = duration_part(text, &part);
		if (!text)
			return false;
		sum += part;
	} while (*text && sum < most);
	if (sum >= most)
		return false;
	*ret = (uint64_t)llround(sum);
	return true;
}

bool bool_parse(const char *text, bool *ret)
{
	static const struct {
		const char *word;
		bool value;
	} words[] = {
		{"true", true},   {"yes", true}, {"on", true},   {"y", true},
		{"false", false}, {"no", false}, {"off", false}, {"n", false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (strcasecmp(text, words[i].word) == 0) {
			*ret = words[i].value;
			return true;
		}
	}
	return false;
}

struct shown shown(const char *text)
{
	enum { LONGEST = 60 };
	struct shown s;
	size_t len = strlen(text), n = 0;

	while (n < len && n < LONGEST)
		n += MAX(utf8_sequence(text + n, len - n), (size_t)1);
	memcpy(s.text, text, n);
	s.text[n] = '\0';
	if (n < len)
		memcpy(s.text + n, "\xe2\x80\xa6", sizeof("\xe2\x80\xa6"));
	return s;
}
