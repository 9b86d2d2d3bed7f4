// SPDX-License-Identifier: MIT
/* Making a collector out of the config of a metric and its map. */
#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "kernel/mapread.h"
#include "metrics/collector_state.h"
#include "metrics/rows.h"

static int compare_labels(const void *a, const void *b, void *ctx)
{
	const struct layout *layout = ctx;
	const uint32_t *x = a, *y = b;

	return strcmp(layout->labels[*x].decoder.config->name.text,
		      layout->labels[*y].decoder.config->name.text);
}

static bool has_text(const struct text_list *list, const char *name)
{
	for (size_t i = 0; list && i < list->count; i++) {
		if (STREQ(list->items[i].text, name))
			return true;
	}
	return false;
}

static bool wants_label(const struct text_list *subset, const struct text_list *without,
			const char *name)
{
	return (!subset || subset->count == 0 || has_text(subset, name)) &&
	       !has_text(without, name);
}

/* Fills @labels with the indices of the labels in @subset (NULL or empty = all) that are not in
 * @without, by name. */
static size_t choose_labels(struct layout *layout, const struct text_list *subset,
			    const struct text_list *without, uint32_t *labels)
{
	size_t n = 0;

	for (uint32_t i = 0; i < layout->n_labels; i++) {
		const struct key_label *label = &layout->labels[i];

		if (!label->off && wants_label(subset, without, label->decoder.config->name.text))
			labels[n++] = i;
	}
	qsort_r(labels, n, sizeof(*labels), compare_labels, layout);
	return n;
}

/* The view with exactly the labels of @subset that are not in @without, and for as many series,
 * made if there is none yet. */
static int find_or_add_view(struct collector *c, const struct text_list *subset,
			    const struct text_list *without, uint32_t top, uint32_t *ret)
{
	uint32_t *labels = calloc(MAX(c->layout.n_labels, (size_t)1), sizeof(*labels));
	uint64_t seed;
	size_t n;

	if (!labels)
		return -ENOMEM;
	n = choose_labels(&c->layout, subset, without, labels);
	for (uint32_t i = 0; i < c->n_views; i++) {
		const struct view *v = &c->views[i];

		if (v->top == top && v->n_labels == n &&
		    memcmp(v->labels, labels, n * sizeof(*labels)) == 0) {
			free(labels);
			*ret = i;
			return 0;
		}
	}
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		seed = clock_monotonic_ns() ^ (uintptr_t)labels;
	*ret = (uint32_t)c->n_views++;
	view_init(&c->views[*ret], seed);
	c->views[*ret].max_series = c->config->max_series;
	c->views[*ret].carries = c->ttl > 0 || top;
	c->views[*ret].top = top;
	c->views[*ret].labels = labels;
	c->views[*ret].n_labels = n;
	return 0;
}

static int place_field(struct collector *c, struct field *f, const struct text_list *subset,
		       uint32_t top)
{
	int err = find_or_add_view(c, subset, NULL, top, &f->view);

	if (err)
		return err;
	f->collector = c;
	f->n_words = f->buckets.count + 1;
	f->word = c->views[f->view].words;
	c->views[f->view].words += f->n_words;
	return 0;
}

static int place_top_field(struct collector *c, struct field *f, uint32_t top)
{
	const struct value_config *v = f->top;
	int err = place_field(c, f, &v->labels, top);

	if (err || (err = find_or_add_view(c, &v->labels, &v->others, 0, &f->sum_view)))
		return err;
	f->sum_word = c->views[f->sum_view].words++;
	c->tops = true;
	return 0;
}

/* Behind the numbers of all fields. */
static void make_room_for_tops(struct collector *c)
{
	for (size_t i = 0; i < c->n_views; i++) {
		struct view *v = &c->views[i];

		if (!v->top)
			continue;
		v->top_word = v->words;
		v->words += top_words(v->words);
	}
}

/* An alias is the whole name. */
static int init_family(struct field *f, const char *prefix, const struct text *name,
		       const struct text *alias, const struct text *help, enum metric_type type)
{
	int err = family_init(&f->family, alias->text ? "" : prefix,
			      alias->text ? alias->text : name->text, help->text ? help->text : "",
			      type);

	f->family.samples = collector_samples;
	f->family.ctx = f;
	if (type == METRIC_HISTOGRAM)
		f->family.buckets = &f->buckets;
	return err;
}

static int check_value_field(const struct value_config *v, const struct field *f,
			     const struct map_info *map, const struct source *source,
			     struct report *report)
{
	uint64_t end = (uint64_t)f->offset + (f->array ? 8 * (uint64_t)f->buckets.count : f->size);

	if (end > map->value_size)
		return report_error(
			report, source, v->place,
			"'%s' ends at byte %llu of the value, but the values of map '%s' "
			"have %u bytes",
			v->name.text, (unsigned long long)end, map->name, map->value_size);
	if (v->has_sum_offset && (uint64_t)v->sum_offset + 8 > map->value_size)
		return report_error(
			report, source, v->place,
			"sum_offset of '%s' is beyond the value: the values of map '%s' "
			"have %u bytes",
			v->name.text, map->name, map->value_size);
	return 0;
}

/* How many series a value with `top` may have. */
static uint32_t top_of(const struct collector_env *env, const struct value_config *v)
{
	uint64_t top = env->number ? env->number(env->when_ctx, v->top.text) : 1;

	return (uint32_t)MIN(top, (uint64_t)COLLECTOR_TOP_MAX);
}

static int add_value_field(struct collector *c, const struct value_config *v,
			   const struct map_info *map, const struct collector_env *env,
			   const struct source *source, struct report *report)
{
	struct field *f = &c->fields[c->n_fields++];
	int err;

	if (c->feed && c->feed->is_tally) {
		f->size = sizeof(uint64_t);
		f->offset = (uint32_t)(v - c->config->values.items) * f->size;
	} else {
		f->offset = v->offset;
		f->size = v->size;
	}
	f->config = v;
	f->array = v->type == METRIC_HISTOGRAM;
	f->has_sum = v->has_sum_offset;
	f->sum_offset = v->sum_offset;
	if (f->array && (err = buckets_init(&f->buckets, &v->buckets)))
		return err;
	if ((err = check_value_field(v, f, map, source, report)) ||
	    (err = init_family(f, env->prefix, &v->name, &v->alias, &v->help, v->type)))
		return err;
	if (!v->top.text)
		return place_field(c, f, &v->labels, 0);
	f->top = v;
	return place_top_field(c, f, top_of(env, v));
}

static int add_plain_field(struct collector *c, const struct map_info *map,
			   const struct collector_env *env, const struct source *source,
			   struct report *report)
{
	const struct metric_config *m = c->config;
	struct field *f = &c->fields[c->n_fields++];
	int err;

	f->size = sizeof(uint64_t);
	if (map->value_size != f->size)
		return report_error(report, source, m->name.place,
				    "the values of map '%s' have %u bytes; a metric is one 8-byte "
				    "number, or say with `values:` which bytes are which",
				    map->name, map->value_size);
	if (m->type == METRIC_HISTOGRAM && (err = buckets_init(&f->buckets, &m->buckets)))
		return err;
	err = init_family(f, env->prefix, &m->name, &m->alias, &m->help, m->type);
	return err ? err : place_field(c, f, NULL, 0);
}

static bool is_exported(const struct collector_env *env, const struct text *when, bool no_export,
			const struct text *alias)
{
	if (no_export || (alias && alias->text && !env->aliases))
		return false;
	return !when->text || !env->when || env->when(env->when_ctx, when->text);
}

static int add_fields(struct collector *c, const struct map_info *map,
		      const struct collector_env *env, const struct source *source,
		      struct report *report)
{
	size_t count = c->config->values.count;
	int err = 0;

	c->fields = calloc(MAX(count, (size_t)1), sizeof(*c->fields));
	c->views = calloc(MAX(2 * count, (size_t)1), sizeof(*c->views)); /* with sums of tops */
	if (!c->fields || !c->views)
		return -ENOMEM;
	if (!is_exported(env, &c->config->when, c->config->no_export, &c->config->alias))
		return 0;
	if (count == 0)
		return add_plain_field(c, map, env, source, report);
	for (size_t i = 0; i < count; i++) {
		const struct value_config *v = &c->config->values.items[i];
		bool is_off = v->top.text && top_of(env, v) == 0;
		int failed = !is_off && is_exported(env, &v->when, v->no_export, &v->alias)
				     ? add_value_field(c, v, map, env, source, report)
				     : 0;

		if (failed)
			err = failed;
	}
	make_room_for_tops(c);
	return err;
}

static int check_ttl(const struct metric_config *metric, const struct map_info *map,
		     const struct source *source, struct report *report)
{
	const uint64_t arrays = 1ULL << BPF_MAP_TYPE_ARRAY | 1ULL << BPF_MAP_TYPE_PERCPU_ARRAY |
				1ULL << BPF_MAP_TYPE_ARRAY_OF_MAPS;

	if (metric->ttl_ns == 0 || map->type >= 64 || !(arrays >> map->type & 1))
		return 0;
	return report_error(report, source, metric->ttl_place,
			    "'ttl' deletes entries, and map '%s' is an array, whose entries are "
			    "always there",
			    map->name);
}

static int open_map(struct collector *c, const struct map_info *map, const struct source *source,
		    struct report *report)
{
	struct mapread *reader;
	struct error error;
	int err = mapread_new(map, &reader, &error);

	if (err)
		return report_error(report, source, c->config->name.place, "%s", error.text);
	c->feed = mapread_feed(reader);
	c->map_max_entries = map->max_entries;
	return 0;
}

int collector_new(const struct metric_config *metric, const struct source *source,
		  const struct map_info *map, struct feed *feed, const struct collector_env *env,
		  struct report *report, struct collector **ret)
{
	const struct label_switch labels = {env->when, env->when_ctx};
	struct collector *c = calloc(1, sizeof(*c));
	struct map_info rows = *map;
	int err;

	map = &rows; /* which may be those of the map */
	if (!c) {
		feed_free(feed);
		return -ENOMEM;
	}
	c->feed = feed;
	c->config = metric;
	c->env = env->decode;
	c->ttl = (uint32_t)MIN(ROUND_UP(metric->ttl_ns, NSEC_PER_SEC) / NSEC_PER_SEC,
			       (uint64_t)UINT32_MAX);
	if ((err = check_ttl(metric, map, source, report)) ||
	    (err = rows_apply(metric, source, &rows, report)) ||
	    (err = layout_build(&c->layout, metric, map, env->decode, &labels, source, report)) ||
	    (err = add_fields(c, map, env, source, report)))
		goto fail;
	table_init(&c->keys, c->layout.extended_key_size);
	c->pieces = calloc(MAX(c->layout.n_labels, (size_t)1), sizeof(*c->pieces));
	c->extended_key = malloc(c->layout.extended_key_size);
	/* Where all texts are empty there is a place for them nevertheless. */
	if (!c->pieces || !c->extended_key || !buf_reserve(&c->decoded, 1) ||
	    !buf_reserve(&c->label_text, 1)) {
		err = -ENOMEM;
		goto fail;
	}
	if (!c->feed && (err = open_map(c, map, source, report)))
		goto fail;
	c->value_stride = c->feed->stride / c->feed->values_per_entry;
	if (c->ttl && !(c->last_values = malloc(c->feed->stride))) {
		err = -ENOMEM;
		goto fail;
	}
	*ret = c;
	return 0;
fail:
	collector_free(c);
	return err;
}

static const struct field *find_field(const struct collector *c, const struct text *name)
{
	const struct value_config *v;

	if (!metric_find_value(c->config, name->text, &v) || !v)
		return NULL;
	for (size_t i = 0; i < c->n_fields; i++) {
		if (c->fields[i].config == v)
			return &c->fields[i];
	}
	return NULL;
}

void collector_find_rests(struct collector *c, struct collector *const *all, size_t n_all)
{
	for (size_t i = 0; i < c->n_fields; i++) {
		struct field *f = &c->fields[i];

		for (size_t k = 0; f->top && !f->rest && k < n_all; k++)
			f->rest = find_field(all[k], &f->top->rest);
	}
}

void collector_free(struct collector *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->n_fields; i++) {
		family_free(&c->fields[i].family);
		buckets_free(&c->fields[i].buckets);
	}
	for (size_t i = 0; i < c->n_views; i++)
		view_free(&c->views[i]);
	feed_free(c->feed);
	layout_free(&c->layout);
	table_free(&c->keys);
	decode_scratch_free(&c->scratch);
	buf_free(&c->decoded);
	buf_free(&c->label_text);
	buf_free(&c->doomed);
	buf_free(&c->expired);
	buf_free(&c->waiting);
	free(c->fields);
	free(c->views);
	free(c->entries);
	free(c->entry_series);
	free(c->ages);
	free(c->last);
	free(c->last_values);
	free(c->pieces);
	free(c->extended_key);
	free(c);
}
