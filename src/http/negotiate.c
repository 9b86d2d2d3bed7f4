// SPDX-License-Identifier: MIT
#include "http/negotiate.h"

#include <string.h>
#include <strings.h>

#include "base/macro.h"

struct span {
	const char *text; /* not terminated; NULL: there is none */
	size_t len;
};

/* Parameters that say which offer a media range means; others (charset, escaping) make no
 * difference here, where all names are of the letters that every reader takes. */
enum { PARAM_Q, PARAM_VERSION, PARAM_PROTO, PARAM_ENCODING, PARAMS };

static const char *const param_names[PARAMS] = {
	[PARAM_Q] = "q",
	[PARAM_VERSION] = "version",
	[PARAM_PROTO] = "proto",
	[PARAM_ENCODING] = "encoding",
};

/* An element of Accept or Accept-Encoding: "text/plain;version=0.0.4;q=0.5", "gzip". */
struct range {
	struct span name;
	struct span params[PARAMS];
	unsigned quality; /* in thousandths */
};

/* What can be had, in the order in which it is offered to who does not mind. */
static const struct offer {
	const char *type;
	const char *params[PARAMS];
	struct negotiated result;
} offers[] = {
	{"text/plain",
	 {[PARAM_VERSION] = "0.0.4"},
	 {EXPOSITION_TEXT, "text/plain; version=0.0.4; charset=utf-8"}},
	{"text/plain",
	 {[PARAM_VERSION] = "1.0.0"},
	 {EXPOSITION_TEXT, "text/plain; version=1.0.0; charset=utf-8"}},
	{"application/openmetrics-text",
	 {[PARAM_VERSION] = "1.0.0"},
	 {EXPOSITION_OPENMETRICS, "application/openmetrics-text; version=1.0.0; charset=utf-8"}},
	{"application/openmetrics-text",
	 {[PARAM_VERSION] = "0.0.1"},
	 {EXPOSITION_OPENMETRICS, "application/openmetrics-text; version=0.0.1; charset=utf-8"}},
	{"application/vnd.google.protobuf",
	 {[PARAM_PROTO] = "io.prometheus.client.MetricFamily", [PARAM_ENCODING] = "delimited"},
	 {EXPOSITION_PROTOBUF, "application/vnd.google.protobuf; "
			       "proto=io.prometheus.client.MetricFamily; encoding=delimited"}},
};

/* ---- fields to ranges ---- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct span trim(const char *text, size_t len)
{
	for (; len && is_blank(*text); len--)
		text++;
	while (len && is_blank(text[len - 1]))
		len--;
	return (struct span){text, len};
}

static bool span_is(struct span s, const char *text)
{
	return s.text && strlen(text) == s.len && strncasecmp(s.text, text, s.len) == 0;
}

/* How many bytes of @s stand before the first @separator that is not in quotes. */
static size_t part_len(struct span s, char separator)
{
	bool quoted = false;
	size_t i;

	for (i = 0; i < s.len && (quoted || s.text[i] != separator); i++) {
		if (s.text[i] == '"')
			quoted = !quoted;
		else if (quoted && s.text[i] == '\\' && i + 1 < s.len)
			i++;
	}
	return i;
}

/* Takes the part before the next @separator off @rest; false when nothing is left. */
static bool next_part(struct span *rest, char separator, struct span *ret)
{
	size_t len;

	if (!rest->text)
		return false;
	len = part_len(*rest, separator);
	*ret = trim(rest->text, len);
	*rest = len < rest->len ? (struct span){rest->text + len + 1, rest->len - len - 1}
				: (struct span){0};
	return true;
}

/* "0.75" in thousandths; what is no such number counts as not said. */
static unsigned parse_quality(struct span s)
{
	unsigned quality = 0, scale = 1000;

	if (s.len == 0 || (s.text[0] != '0' && s.text[0] != '1') || (s.len > 1 && s.text[1] != '.'))
		return 1000;
	quality = (unsigned)(s.text[0] - '0') * scale;
	for (size_t i = 2; i < s.len && s.text[i] >= '0' && s.text[i] <= '9'; i++) {
		scale /= 10;
		quality += (unsigned)(s.text[i] - '0') * scale;
	}
	return MIN(quality, 1000U);
}

static void parse_param(struct span param, struct range *range)
{
	struct span name, value = param;

	next_part(&value, '=', &name);
	if (!value.text)
		return;
	value = trim(value.text, value.len);
	if (value.len >= 2 && value.text[0] == '"' && value.text[value.len - 1] == '"')
		value = (struct span){value.text + 1, value.len - 2};
	for (size_t i = 0; i < PARAMS; i++) {
		if (span_is(name, param_names[i]))
			range->params[i] = value;
	}
}

static bool next_range(struct span *rest, struct range *ret)
{
	struct span element, param;

	if (!next_part(rest, ',', &element))
		return false;
	*ret = (struct range){0};
	next_part(&element, ';', &ret->name);
	while (next_part(&element, ';', &param))
		parse_param(param, ret);
	ret->quality = parse_quality(ret->params[PARAM_Q]);
	return true;
}

static struct span whole_field(const char *field)
{
	return (struct span){field, field ? strlen(field) : 0};
}

/* ---- ranges to offers ---- */

/* How precisely a range means an offer. */
enum fit { FIT_NONE, FIT_ANYTHING, FIT_GROUP, FIT_TYPE, FIT_PARAMS };

static enum fit params_fit(const struct range *range, const struct offer *offer)
{
	enum fit fit = FIT_TYPE;

	for (size_t i = PARAM_Q + 1; i < PARAMS; i++) {
		if (!range->params[i].text || !offer->params[i])
			continue;
		if (!span_is(range->params[i], offer->params[i]))
			return FIT_NONE;
		fit = FIT_PARAMS;
	}
	return fit;
}

static enum fit range_fit(const struct range *range, const struct offer *offer)
{
	size_t group = strcspn(offer->type, "/") + 1;
	struct span name = range->name;

	if (span_is(name, offer->type))
		return params_fit(range, offer);
	if (span_is(name, "*/*"))
		return FIT_ANYTHING;
	if (name.len == group + 1 && name.text[group] == '*' &&
	    strncasecmp(name.text, offer->type, group) == 0)
		return FIT_GROUP;
	return FIT_NONE;
}

/* How much an offer is wanted. */
struct preference {
	enum fit fit;     /* of the range that means it most precisely: that one decides */
	unsigned quality; /* … and says this */
	unsigned place;   /* of the range in the field */
};

static struct preference find_preference(const struct offer *offer, const char *accept)
{
	struct preference found = {.fit = FIT_NONE};
	struct span rest = whole_field(accept);
	struct range range;

	for (unsigned place = 0; next_range(&rest, &range); place++) {
		enum fit fit = range_fit(&range, offer);

		if (fit > found.fit)
			found = (struct preference){fit, range.quality, place};
	}
	return found;
}

static bool is_preferred(const struct preference *a, const struct preference *b)
{
	return a->quality != b->quality ? a->quality > b->quality : a->place < b->place;
}

struct negotiated negotiate_format(const char *accept)
{
	struct preference best = {0};
	size_t choice = 0;

	for (size_t i = 0; i < ARRAY_SIZE(offers); i++) {
		struct preference p = find_preference(&offers[i], accept);

		if (p.quality && (!best.quality || is_preferred(&p, &best))) {
			best = p;
			choice = i;
		}
	}
	return offers[choice].result;
}

bool negotiate_gzip(const char *accept_encoding)
{
	struct span rest = whole_field(accept_encoding);
	unsigned gzip = 0, any = 0;
	bool named = false;
	struct range range;

	while (next_range(&rest, &range)) {
		if (span_is(range.name, "gzip") || span_is(range.name, "x-gzip")) {
			gzip = range.quality;
			named = true;
		} else if (span_is(range.name, "*")) {
			any = range.quality;
		}
	}
	return (named ? gzip : any) > 0;
}
