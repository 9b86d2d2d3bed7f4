// SPDX-License-Identifier: MIT
#include "base/buf.h"

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
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (n < 0 || !buf_reserve(b, (size_t)n + 1))
		return;
	va_start(args, fmt);
	vsnprintf(b->data + b->len, (size_t)n + 1, fmt, args);
	va_end(args);
	b->len += (size_t)n;
}

void buf_add_u64(struct buf *b, uint64_t n)
{
	static const char pairs[] = "00010203040506070809101112131415161718192021222324"
				    "25262728293031323334353637383940414243444546474849"
				    "50515253545556575859606162636465666768697071727374"
				    "75767778798081828384858687888990919293949596979899";
	char digits[20];
	size_t at = sizeof(digits);

	while (n >= 100) {
		at -= 2;
		memcpy(digits + at, pairs + n % 100 * 2, 2);
		n /= 100;
	}
	if (n >= 10) {
		at -= 2;
		memcpy(digits + at, pairs + n * 2, 2);
	} else {
		digits[--at] = (char)('0' + n);
	}
	buf_add(b, digits + at, sizeof(digits) - at);
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

/*
 * The fewest significant digits, as "d.dddde±xx", that read back as @d. Below a power of two
 * doubles are twice as close as above it: there the nearest decimal may read back as the neighbour
 * below, while the next one up, further away, reads back as @d.
 */
static void shortest_digits(double d, char *text, size_t size)
{
	int exponent;
	bool power_of_two = fabs(frexp(d, &exponent)) == 0.5;

	for (int digits = 0; digits < 17; digits++) {
		snprintf(text, size, "%.*e", digits, d);
		if (strtod(text, NULL) == d)
			return;
		if (digits == 15 && power_of_two) {
			increment_digits(text);
			if (strtod(text, NULL) == d)
				return;
		}
	}
}

void buf_add_double(struct buf *b, double d)
{
	char text[40];
	const char *e;
	int exponent, significant;

	if (isnan(d)) {
		buf_add_str(b, "NaN");
		return;
	}
	if (isinf(d)) {
		buf_add_str(b, d > 0 ? "+Inf" : "-Inf");
		return;
	}
	shortest_digits(d, text, sizeof(text));
	e = strchr(text, 'e');
	exponent = (int)strtol(e + 1, NULL, 10);
	significant = (int)(e - text) - (text[0] == '-');
	significant -= significant > 1; /* the point */
	/* strconv/ftoa.go: with the shortest precision, the decision takes six digits. */
	if (exponent < -4 || exponent >= 6)
		buf_add_str(b, text);
	else
		buf_printf(b, "%.*f", MAX(significant - 1 - exponent, 0), d);
}

const char *buf_str(struct buf *b)
{
	if (!buf_reserve(b, 1))
		return "";
	b->data[b->len] = '\0';
	return b->data;
}
