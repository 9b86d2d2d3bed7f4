// SPDX-License-Identifier: MIT
#include "metrics/layout.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CPU_LABEL "cpu"

/* A histogram with `values` keeps its buckets in the value; then no label is a bucket. */
static bool last_label_is_bucket(const struct metric_config *metric)
{
	return metric->type == METRIC_HISTOGRAM && metric->values.count == 0;
}

/* The last label but the bucket, when it is the CPU of a per-CPU map; else NULL. */
static const struct label_config *find_cpu_label(const struct metric_config *metric,
						 const struct map_info *map)
{
	size_t count = metric->labels.count - last_label_is_bucket(metric);
	const struct label_config *last = count ? &metric->labels.items[count - 1] : NULL;

	return map->per_cpu && last && STREQ(last->name.text, CPU_LABEL) ? last : NULL;
}

/* Where the label is whose bytes are those of @label as well; it stands before. */
static uint32_t offset_of(const struct layout *l, const struct metric_config *metric,
			  const struct label_config *label)
{
	size_t i = 0;

	while (i < l->n_labels && !STREQ(metric->labels.items[i].name.text, label->of.text))
		i++;
	return i < l->n_labels ? l->labels[i].offset : 0;
}

/* Puts the labels at their offsets; gives the bytes of the map's key that they take. */
static uint32_t place_labels(struct layout *l, const struct metric_config *metric,
			     const struct label_config *cpu, uint32_t first)
{
	uint32_t at = first;

	for (size_t i = 0; i < metric->labels.count; i++) {
		const struct label_config *label = &metric->labels.items[i];
		bool is_bucket = l->has_bucket && i == metric->labels.count - 1;
		struct key_label *to = is_bucket ? &l->bucket : &l->labels[i];

		to->decoder.config = label;
		if (label == cpu) {
			to->offset = l->key_size;
			continue;
		}
		if (label->of.text) {
			to->offset = offset_of(l, metric, label);
			continue;
		}
		to->offset = at;
		at += label->size + label->padding;
	}
	return at;
}

static int report_key_size(const struct metric_config *metric, const struct map_info *map,
			   uint32_t described, const struct source *source, struct report *report)
{
	return report_error(
		report, source, metric->name.place,
		"the labels of '%s' describe a key of %u bytes (sizes and paddings added up), "
		"but the keys of map '%s' have %u bytes",
		metric->name.text, described, map->name, map->key_size);
}

static int check_bucket(const struct label_decoder *d, const struct source *source,
			struct report *report)
{
	size_t last = d->config->decoders.count - 1;

	if (d->gives != FORM_NAME)
		return 0;
	return report_error(report, source, d->config->decoders.items[last].name.place,
			    "'%s' is the bucket of a histogram (its last label), so it must become "
			    "a number; decoder '%s' gives a name",
			    d->config->name.text, d->chain[last].decoder->name);
}

static void switch_labels(struct layout *l, const struct label_switch *labels)
{
	for (size_t i = 0; labels->on && i < l->n_labels; i++) {
		const struct label_config *config = l->labels[i].decoder.config;

		if (config && config->when.text)
			l->labels[i].off = !labels->on(labels->ctx, config->when.text);
	}
}

static int build_decoders(struct layout *l, const struct decode_env *env,
			  const struct source *source, struct report *report)
{
	static const struct decode_env nothing;
	size_t count = l->n_labels + l->has_bucket;
	int err = 0;

	for (size_t i = 0; i < count; i++) {
		struct key_label *label = i < l->n_labels ? &l->labels[i] : &l->bucket;
		int failed = label_decoder_build(&label->decoder, label->decoder.config,
						 label->off ? &nothing : env, source, report);

		if (failed)
			err = failed;
	}
	if (!err && l->has_bucket)
		err = check_bucket(&l->bucket.decoder, source, report);
	return err;
}

int layout_build(struct layout *l, const struct metric_config *metric, const struct map_info *map,
		 const struct decode_env *env, const struct label_switch *labels,
		 const struct source *source, struct report *report)
{
	const struct label_config *cpu = find_cpu_label(metric, map);
	/* The key of a map that is there for one value, or one for each CPU, says nothing. */
	bool index_only = map->key_size == sizeof(uint32_t) &&
			  metric->labels.count - last_label_is_bucket(metric) == (cpu ? 1 : 0) &&
			  !last_label_is_bucket(metric);
	uint32_t described;
	int err = 0;

	*l = (struct layout){
		.has_bucket = last_label_is_bucket(metric),
		.by_cpu = cpu,
		.only_zero = index_only,
		.key_size = map->key_size,
		.extended_key_size = map->key_size + (cpu ? (uint32_t)sizeof(uint16_t) : 0),
	};
	l->labels = calloc(MAX(metric->labels.count, (size_t)1), sizeof(*l->labels));
	if (!l->labels)
		return -ENOMEM;
	l->n_labels = metric->labels.count - l->has_bucket;
	described = place_labels(l, metric, cpu, index_only ? map->key_size : 0);
	switch_labels(l, labels);
	if (cpu && cpu->size != sizeof(uint16_t))
		err = report_error(
			report, source, cpu->place,
			"label 'cpu' of a per-CPU map must have a size of 2 bytes, not %u",
			cpu->size);
	if (described != map->key_size)
		err = report_key_size(metric, map, described, source, report);
	if (err || (err = build_decoders(l, env, source, report)))
		layout_free(l);
	return err;
}

unsigned layout_follows(const struct layout *l)
{
	unsigned follows = l->bucket.decoder.follows;

	for (size_t i = 0; i < l->n_labels; i++) {
		if (!l->labels[i].off)
			follows |= l->labels[i].decoder.follows;
	}
	return follows;
}

void layout_free(struct layout *l)
{
	for (size_t i = 0; i < l->n_labels; i++)
		label_decoder_free(&l->labels[i].decoder);
	label_decoder_free(&l->bucket.decoder);
	free(l->labels);
	*l = (struct layout){0};
}
