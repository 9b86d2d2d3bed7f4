// SPDX-License-Identifier: MIT
#include "base/buf.h"

#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void buf_free(struct buf *b)
{
	free(b->data);
	*b = (struct buf){0};
}

bool buf_grow(struct buf *b, size_t more)
{
	size_t need = b->len + more;
	size_t cap = MAX(b->cap * 2, (size_t)128);
	char *data;

	if (b->failed || need < more)
		goto failed;
	if (cap < need)
		cap = need;
	data = realloc(b->data, cap);
	if (!data)
		goto failed;
	b->data = data;
	b->cap = cap;
	return true;
failed:
	b->failed = true;
	return false;
}

void buf_add_str(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	size_t room = b->cap - b->len;
	va_list args;
	int n;

	if (b->failed)
		return;
	va_start(args, fmt);
	n = vsnprintf(room ? b->data + b->len : NULL, room, fmt, args);
	va_end(args);
	if (n < 0)
		return;
	if ((size_t)n >= room) {
		if (!buf_reserve(b, (size_t)n + 1))
			return;
		va_start(args, fmt);
		vsnprintf(b->data + b->len, (size_t)n + 1, fmt, args);
		va_end(args);
	}
	b->len += (size_t)n;
}

/* How many decimal digits @n has. log10 2 is 1233 / 4096 as exactly as 64 bits need. */
static unsigned count_digits(uint64_t n)
{
	static const uint64_t first_of[] = {
		/* numbers with 1, 2, 3 … digits begin here */
		0,
		10,
		100,
		1000,
		10000,
		100000,
		1000000,
		10000000,
		100000000,
		1000000000,
		UINT64_C(10000000000),
		UINT64_C(100000000000),
		UINT64_C(1000000000000),
		UINT64_C(10000000000000),
		UINT64_C(100000000000000),
		UINT64_C(1000000000000000),
		UINT64_C(10000000000000000),
		UINT64_C(100000000000000000),
		UINT64_C(1000000000000000000),
		UINT64_C(10000000000000000000),
	};
	unsigned bits = 64 - (unsigned)__builtin_clzll(n | 1);
	unsigned at_least = bits * 1233 >> 12;

	return at_least + (n >= first_of[at_least]);
}

char *buf_put_u64(char *to, uint64_t n)
{
	static const char pairs[] = "00010203040506070809101112131415161718192021222324"
				    "25262728293031323334353637383940414243444546474849"
				    "50515253545556575859606162636465666768697071727374"
				    "75767778798081828384858687888990919293949596979899";
	char *end = to + count_digits(n), *at = end;

	while (n >= 100) {
		at -= 2;
		memcpy(at, pairs + n % 100 * 2, 2);
		n /= 100;
	}
	if (n >= 10)
		memcpy(at - 2, pairs + n * 2, 2);
	else
		at[-1] = (char)('0' + n);
	return end;
}

void buf_add_u64(struct buf *b, uint64_t n)
{
	if (buf_reserve(b, BUF_U64_DIGITS))
		b->len = (size_t)(buf_put_u64(b->data + b->len, n) - b->data);
}

/* One more in the last place of "d.dddde±xx"; the digits are not all nines. */
static void increment_digits(char *text)
{
	char *c = strchr(text, 'e') - 1;

	for (; *c == '9' || *c == '.'; c--) {
		if (*c == '9')
			*c = '0';
	}
	++*c;
}

/* "1.500e+03" becomes "1.5e+03". */
static void strip_zeros(char *text)
{
	char *e = strchr(text, 'e'), *end = e;

	if (!memchr(text, '.', (size_t)(e - text)))
		return;
	while (end[-1] == '0')
		end--;
	if (end[-1] == '.')
		end--;
	memmove(end, e, strlen(e) + 1);
}

/*
 * The fewest significant digits, as "d.dddde±xx", that read back as @d. A decimal of up to DBL_DIG
 * digits comes back when the double nearest to it is printed with DBL_DIG (C11, 5.2.4.2.2): fewer
 * need not be tried, except for the subnormal, which have fewer bits.
 *
 * Below a power of two doubles are twice as close as above it: there the nearest decimal may read
 * back as the neighbour below, while the next one up, further away, reads back as @d.
 */
static void shortest_digits(double d, char *text, size_t size)
{
	int exponent;
	bool power_of_two = fabs(frexp(d, &exponent)) == 0.5;

	for (int digits = fabs(d) < DBL_MIN ? 1 : DBL_DIG; digits <= DBL_DECIMAL_DIG; digits++) {
		snprintf(text, size, "%.*e", digits - 1, d);
		if (strtod(text, NULL) == d)
			break;
		if (digits == DBL_DECIMAL_DIG - 1 && power_of_two) {
			increment_digits(text);
			if (strtod(text, NULL) == d)
				break;
		}
	}
	strip_zeros(text);
}

/* Between these, quick_digits() stays within 128 bits. */
#define QUICK_MIN 1e-4
#define QUICK_MAX 1e15

static const uint64_t powers_of_ten[] = {
	1ULL,
	10ULL,
	100ULL,
	1000ULL,
	10000ULL,
	100000ULL,
	1000000ULL,
	10000000ULL,
	100000000ULL,
	1000000000ULL,
	10000000000ULL,
	100000000000ULL,
	1000000000000ULL,
	10000000000000ULL,
	100000000000000ULL,
	1000000000000000ULL,
	10000000000000000ULL,
	100000000000000000ULL,
};

/* log10(@d) rounded down, for QUICK_MIN ≤ d < QUICK_MAX. */
static int decimal_exponent(double d)
{
	int exponent = 0;

	if (d < 1)
		return d >= 1e-1 ? -1 : d >= 1e-2 ? -2 : d >= 1e-3 ? -3 : -4;
	while (d >= (double)powers_of_ten[exponent + 1])
		exponent++;
	return exponent;
}

static void write_digits(uint64_t number, int exponent, char *text)
{
	char *end = buf_put_u64(text + 1, number);

	text[0] = text[1];
	text[1] = '.';
	*end++ = 'e';
	*end++ = exponent < 0 ? '-' : '+';
	*end++ = (char)('0' + abs(exponent) / 10);
	*end++ = (char)('0' + abs(exponent) % 10);
	*end = '\0';
}

/*
 * What shortest_digits() does, for most of the numbers that there are, in a tenth of its time: @d
 * is m × 2^-s, and n digits of it are m × 10^k × 2^-s rounded to a whole number. That reads back
 * as @d if it is off by less than half of what m + 1 would make; or by just half, as reading rounds
 * to even, for an even m. All of it in whole numbers. False: not one of them.
 */
static bool quick_digits(double d, char *text)
{
	int binary, exponent;
	uint64_t m;

	if (!(d >= QUICK_MIN && d < QUICK_MAX))
		return false;
	m = (uint64_t)ldexp(frexp(d, &binary), DBL_MANT_DIG);
	if ((m & (m - 1)) == 0) /* with neighbours at different distances */
		return false;
	exponent = decimal_exponent(d);
	for (int digits = DBL_DIG; digits <= DBL_DECIMAL_DIG; digits++) {
		int shift = DBL_MANT_DIG - binary, k = digits - 1 - exponent;
		unsigned __int128 step = powers_of_ten[MIN(k, DBL_DECIMAL_DIG)];
		unsigned __int128 scaled, number, off;

		step *= powers_of_ten[MAX(k - DBL_DECIMAL_DIG, 0)];
		scaled = m * step;
		number = (scaled + ((unsigned __int128)1 << (shift - 1))) >> shift;
		off = number << shift > scaled ? (number << shift) - scaled
					       : scaled - (number << shift);
		if (off * 2 > step || (off * 2 == step && m & 1))
			continue;
		/* The first of two that are as near might be the odd one. */
		if (number >= powers_of_ten[digits] || number < powers_of_ten[digits - 1] ||
		    off * 2 == (unsigned __int128)1 << shift)
			return false;
		write_digits((uint64_t)number, exponent, text);
		return true;
	}
	return false;
}

/* The digits of "d.dddde±xx" written out, without an exponent. */
static void add_fixed(struct buf *b, const char *text, const char *e, int exponent)
{
	if (*text == '-')
		buf_add_char(b, *text++);
	if (exponent < 0)
		buf_add(b, "0.0000", (size_t)(1 - exponent));
	for (; text < e; text++) {
		if (*text == '.')
			continue;
		buf_add_char(b, *text);
		if (exponent-- == 0 && text + 1 < e)
			buf_add_char(b, '.');
	}
	for (; exponent >= 0; exponent--)
		buf_add_char(b, '0');
}

void buf_add_double(struct buf *b, double d)
{
	char text[40];
	const char *e;
	int exponent;

	if (isnan(d)) {
		buf_add_str(b, "NaN");
		return;
	}
	if (isinf(d)) {
		buf_add_str(b, d > 0 ? "+Inf" : "-Inf");
		return;
	}
	if (quick_digits(d, text))
		strip_zeros(text);
	else
		shortest_digits(d, text, sizeof(text));
	e = strchr(text, 'e');
	exponent = (int)strtol(e + 1, NULL, 10);
	/* strconv/ftoa.go: with the shortest precision, the decision takes six digits. */
	if (exponent < -4 || exponent >= 6)
		buf_add_str(b, text);
	else
		add_fixed(b, text, e, exponent);
}

const char *buf_str(struct buf *b)
{
	if (!buf_reserve(b, 1))
		return "";
	b->data[b->len] = '\0';
	return b->data;
}
