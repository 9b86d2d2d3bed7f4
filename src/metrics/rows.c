// SPDX-License-Identifier: MIT
#include "metrics/rows.h"

#include <errno.h>

#include "kernel/ring.h"

/* Bytes of the labels, with what is between them. */
static uint64_t key_size(const struct metric_config *metric)
{
	uint64_t size = 0;

	for (size_t i = 0; i < metric->labels.count; i++) {
		const struct label_config *label = &metric->labels.items[i];

		size += label->of.text ? 0 : (uint64_t)label->size + label->padding;
	}
	return size;
}

static int check_rows(const struct metric_config *metric, const struct source *source,
		      const struct map_info *map, struct report *report)
{
	const struct rows_config *rows = &metric->rows;
	uint64_t end = rows->offset + (uint64_t)rows->size * rows->count;
	uint64_t labels = key_size(metric);

	if (map->per_cpu || ring_is(map) || metric->perf_event_array)
		return report_error(report, source, rows->place,
				    "'rows' goes with hashes and arrays that are not per CPU; map "
				    "'%s' is none",
				    map->name);
	if (labels == 0 || labels > rows->size)
		return report_error(report, source, rows->place,
				    "a row of %u bytes begins with its labels, and they have %llu "
				    "bytes",
				    rows->size, (unsigned long long)labels);
	if (end > map->value_size)
		return report_error(report, source, rows->place,
				    "the rows end at byte %llu, but the values of map '%s' have %u "
				    "bytes",
				    (unsigned long long)end, map->name, map->value_size);
	return 0;
}

int rows_apply(const struct metric_config *metric, const struct source *source,
	       struct map_info *map, struct report *report)
{
	const struct rows_config *rows = &metric->rows;
	int err;

	if (!metric->has_rows || map->rows.count)
		return 0;
	err = check_rows(metric, source, map, report);
	if (err)
		return err;
	map->rows = (struct map_rows){
		.count = rows->count,
		.offset = rows->offset,
		.map_key_size = map->key_size,
		.map_value_size = map->value_size,
		.map_max_entries = map->max_entries,
	};
	map->key_size = (uint32_t)key_size(metric);
	map->value_size = rows->size;
	map->max_entries *= rows->count;
	return 0;
}
