// SPDX-License-Identifier: MIT
/*
 * OpenMetrics 1.0.0: https://github.com/prometheus/OpenMetrics. Its lines of samples are those of
 * the text format, but for the spelling of bounds; what is said of a family differs:
 *
 *	- A counter's samples are named <family>_total. One that is called otherwise would get
 *	  another name, and break who looks for it; so it is of type `unknown` and keeps its name.
 *	  The same goes for a counter whose name without _total is that of another family.
 *	- The unit is told where the name ends in one of Prometheus's base units.
 */
#include "metrics/lines.h"

static const char *const type_names[] = {
	[METRIC_COUNTER] = "counter",
	[METRIC_GAUGE] = "gauge",
	[METRIC_HISTOGRAM] = "histogram",
};

static bool has_name(const struct family *f, const char *name, size_t len)
{
	return strlen(f->name) == len && memcmp(f->name, name, len) == 0;
}

/* The length of the name of family @index, as OpenMetrics sees it. */
static size_t family_name_len(const struct family_list *all, size_t index)
{
	const struct family *f = all->items[index];
	size_t base = family_base_len(f);

	/* Sorted by name, what has fewer letters comes before. */
	for (size_t i = 0; f->name[base] && i < index; i++) {
		if (has_name(all->items[i], f->name, base))
			return strlen(f->name);
	}
	return base;
}

static void openmetrics_begin_family(struct buf *out, const struct family_list *all, size_t index)
{
	const struct family *f = all->items[index];
	size_t len = family_name_len(all, index);
	bool unknown = f->type == METRIC_COUNTER && len == strlen(f->name);
	const char *unit = family_unit(f->name, len);

	lines_add_help(out, f->name, len, f->help, true);
	lines_add_comment(out, "TYPE", f->name, len, unknown ? "unknown" : type_names[f->type]);
	if (unit)
		lines_add_comment(out, "UNIT", f->name, len, unit);
}

static void openmetrics_add_histogram(struct buf *out, const struct family *f,
				      struct label_text labels, struct histogram_sample sample)
{
	lines_add_histogram(out, f, labels, sample, true);
}

static void openmetrics_end(struct buf *out)
{
	buf_add_str(out, "# EOF\n");
}

const struct exposition exposition_openmetrics = {
	.begin_family = openmetrics_begin_family,
	.add_uint = lines_add_uint,
	.add_double = lines_add_double,
	.add_histogram = openmetrics_add_histogram,
	.end = openmetrics_end,
};
