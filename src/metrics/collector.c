// SPDX-License-Identifier: MIT
#include "metrics/collector_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "metrics/exposition.h"

/* How long what an entry names must be unknown before `delete_unknown` removes the entry from the
 * map: a packet may be counted before the message that its interface exists has been read. */
#define DELETE_AFTER_SEC 10

/* How often an entry with unknown names is decoded again. */
#define RETRY_AFTER_SEC 10

/* Dead entries or series are dropped when they are more than this, and more than the live ones. */
#define DEAD_TOLERATED 1024

/* ---- decoding a key: once, not at each scrape ---- */

/* Runs one label's chain; its text goes behind the others in c->decoded. */
static int decode_label(struct collector *c, const struct key_label *label, const uint8_t *key,
			struct piece *ret)
{
	struct decoded text = {0};
	int result =
		label_decoder_run(&label->decoder, c->env, key + label->offset, &c->scratch, &text);

	if (result < 0 || result == DECODE_DROP)
		return result;
	*ret = (struct piece){.at = c->decoded.len, .len = text.len};
	buf_add(&c->decoded, text.text, text.len);
	return result;
}

/* All labels of @key; an enum entry_state, *unknown says whether a name should be looked up
 * again. */
static enum entry_state decode_labels(struct collector *c, const uint8_t *key, bool *unknown)
{
	enum entry_state state = ENTRY_SHOWN;

	buf_reset(&c->decoded);
	for (size_t i = 0; i < c->layout.n_labels; i++) {
		const struct key_label *label = &c->layout.labels[i];
		int result = decode_label(c, label, key, &c->pieces[i]);

		if (result == DECODE_DROP)
			return ENTRY_IGNORED;
		if (result < 0)
			return ENTRY_BROKEN;
		if (result == DECODE_UNKNOWN) {
			*unknown = true;
			if (label->decoder.config->delete_unknown)
				state = ENTRY_HIDDEN;
		}
	}
	return buf_ok(&c->decoded) ? state : ENTRY_BROKEN;
}

/* Which number of the histogram the bucket label of @key names. */
static enum entry_state decode_bucket(struct collector *c, const uint8_t *key, uint32_t *word)
{
	const struct buckets *buckets = &c->fields[0].buckets;
	struct decoded text;
	uint64_t number;
	int result = label_decoder_run(&c->layout.bucket.decoder, c->env,
				       key + c->layout.bucket.offset, &c->scratch, &text);

	if (result < 0 || result == DECODE_DROP)
		return result < 0 ? ENTRY_BROKEN : ENTRY_IGNORED;
	if (decode_parse_decimal(text.text, text.len, &number))
		return ENTRY_BROKEN;
	*word = buckets_index(buckets, number);
	if (*word == BUCKET_OUTSIDE)
		return ENTRY_IGNORED;
	if (*word == BUCKET_SUM)
		*word = buckets->count;
	return ENTRY_SHOWN;
}

/* The text of the labels of view @v, out of what decode_labels() left. */
static void render_labels(struct collector *c, const struct view *v)
{
	buf_reset(&c->label_text);
	for (size_t i = 0; i < v->n_labels; i++) {
		const struct piece *piece = &c->pieces[v->labels[i]];
		const struct key_label *label = &c->layout.labels[v->labels[i]];

		label_text_add(&c->label_text, label->decoder.config->name.text,
			       c->decoded.data + piece->at, piece->len);
	}
}

static enum entry_state find_series(struct collector *c, uint32_t *series)
{
	for (size_t i = 0; i < c->n_views; i++) {
		render_labels(c, &c->views[i]);
		series[i] = buf_ok(&c->label_text)
				    ? view_find_or_add(&c->views[i], c->label_text.data,
						       c->label_text.len)
				    : TABLE_NONE;
		if (series[i] == TABLE_NONE)
			return ENTRY_BROKEN;
	}
	return ENTRY_SHOWN;
}

static void decode_entry(struct collector *c, struct entry *entry, uint32_t *series,
			 const uint8_t *key)
{
	bool was_hidden = entry->state == ENTRY_HIDDEN;

	entry->epoch = c->epoch;
	entry->unknown = false;
	entry->state = decode_labels(c, key, &entry->unknown);
	if (entry->state == ENTRY_SHOWN && c->layout.has_bucket)
		entry->state = decode_bucket(c, key, &entry->word);
	if (entry->state == ENTRY_SHOWN)
		entry->state = find_series(c, series);
	if (entry->state != ENTRY_HIDDEN || !was_hidden)
		entry->since = c->now;
}

/* ---- reading ---- */

static bool grow_entries(struct collector *c)
{
	void *p;

	if (c->cap >= c->keys.cap)
		return true;
	p = reallocarray(c->entries, c->keys.cap, sizeof(*c->entries));
	if (!p)
		return false;
	c->entries = p;
	p = reallocarray(c->entry_series, c->keys.cap, c->n_views * sizeof(*c->entry_series));
	if (!p)
		return false;
	c->entry_series = p;
	c->cap = c->keys.cap;
	return true;
}

/*
 * The entry of the extended key @key, made if it is new; TABLE_NONE without memory. The kernel
 * gives the entries of a map in the same order each time, so that most often it is the one behind
 * the last.
 */
static uint32_t find_entry(struct collector *c, const uint8_t *key)
{
	bool added = false;
	uint32_t index =
		table_holds(&c->keys, c->next, key) ? c->next : table_add(&c->keys, key, &added);

	c->next = index + 1;
	if (index == TABLE_NONE || !added)
		return index;
	if (!grow_entries(c)) {
		table_drop_last(&c->keys);
		return TABLE_NONE;
	}
	c->entries[index] = (struct entry){.state = ENTRY_NEW};
	return index;
}

static bool must_decode(const struct collector *c, const struct entry *entry)
{
	return entry->state == ENTRY_NEW || entry->epoch != c->epoch ||
	       entry->state == ENTRY_HIDDEN ||
	       (entry->unknown && c->now - entry->since >= RETRY_AFTER_SEC);
}

static uint64_t read_number(const uint8_t *at, uint32_t size)
{
	uint64_t u64;
	uint32_t u32;
	uint16_t u16;

	switch (size) {
	case sizeof(u64):
		memcpy(&u64, at, sizeof(u64));
		return u64;
	case sizeof(u32):
		memcpy(&u32, at, sizeof(u32));
		return u32;
	case sizeof(u16):
		memcpy(&u16, at, sizeof(u16));
		return u16;
	default:
		return *at;
	}
}

static void add_array(const struct field *f, uint64_t *to, const uint8_t *value)
{
	for (uint32_t i = 0; i < f->buckets.count; i++)
		to[i] += read_number(value + f->offset + i * sizeof(uint64_t), sizeof(uint64_t));
	if (f->has_sum)
		to[f->buckets.count] += read_number(value + f->sum_offset, sizeof(uint64_t));
}

/* Adds one value (of one CPU, for a per-CPU map) to the series of its entry. */
static void add_value(struct collector *c, const struct entry *entry, const uint32_t *series,
		      const uint8_t *value)
{
	for (size_t i = 0; i < c->n_fields; i++) {
		const struct field *f = &c->fields[i];
		uint64_t *to = view_touch(&c->views[f->view], series[f->view], c->scrape) + f->word;

		if (f->array)
			add_array(f, to, value);
		else
			to[entry->word] += read_number(value + f->offset, f->size);
	}
}

/* One key with @n_values values that are summed. */
static int add_entry(struct collector *c, const uint8_t *key, const uint8_t *values,
		     size_t n_values)
{
	size_t stride = c->feed->stride / c->feed->values_per_entry;
	uint32_t index = find_entry(c, key);
	struct entry *entry;
	uint32_t *series;

	if (index == TABLE_NONE)
		return -ENOMEM;
	entry = &c->entries[index];
	series = c->entry_series + (size_t)index * c->n_views;
	if (entry->seen == c->scrape) /* read key by key, an entry may come twice */
		return 0;
	entry->seen = c->scrape;
	c->live++;
	if (must_decode(c, entry))
		decode_entry(c, entry, series, key);
	if (entry->state == ENTRY_SHOWN) {
		for (size_t i = 0; i < n_values; i++)
			add_value(c, entry, series, values + i * stride);
	} else if (entry->state == ENTRY_BROKEN) {
		c->errors++;
	} else if (entry->state == ENTRY_HIDDEN && c->now - entry->since >= DELETE_AFTER_SEC) {
		buf_add(&c->doomed, key, c->layout.key_size);
	}
	return 0;
}

/* A per-CPU map with a label `cpu`: an entry for each CPU. */
static int add_entry_by_cpu(struct collector *c, const uint8_t *key, const uint8_t *values)
{
	size_t n_cpus = c->feed->values_per_entry;
	size_t stride = c->feed->stride / n_cpus;

	memcpy(c->extended_key, key, c->layout.key_size);
	for (size_t i = 0; i < n_cpus; i++) {
		uint16_t cpu = (uint16_t)i;
		int err;

		memcpy(c->extended_key + c->layout.key_size, &cpu, sizeof(cpu));
		err = add_entry(c, c->extended_key, values + i * stride, 1);
		if (err)
			return err;
	}
	return 0;
}

static int add_batch(void *ctx, const uint8_t *keys, const uint8_t *values, size_t count)
{
	struct collector *c = ctx;
	size_t stride = c->feed->stride;
	size_t n_values = c->feed->values_per_entry;

	for (size_t i = 0; i < count; i++) {
		const uint8_t *key = keys + i * c->layout.key_size;
		int err = c->layout.by_cpu ? add_entry_by_cpu(c, key, values + i * stride)
					   : add_entry(c, key, values + i * stride, n_values);

		if (err)
			return err;
	}
	return 0;
}

/* Every entry is decoded anew, into empty views. */
static void start_epoch(struct collector *c)
{
	c->epoch++;
	for (size_t i = 0; i < c->n_views; i++)
		view_clear(&c->views[i]);
}

static bool entry_is_live(const void *ctx, uint32_t index)
{
	const struct collector *c = ctx;

	return c->entries[index].seen == c->scrape;
}

/* Forgets the entries that this read did not find. */
static void drop_dead_entries(struct collector *c)
{
	uint32_t count = c->keys.count, to = 0;

	table_compact(&c->keys, entry_is_live, c);
	for (uint32_t from = 0; from < count; from++) {
		if (!entry_is_live(c, from))
			continue;
		memmove(c->entry_series + (size_t)to * c->n_views,
			c->entry_series + (size_t)from * c->n_views,
			c->n_views * sizeof(*c->entry_series));
		c->entries[to++] = c->entries[from];
	}
}

static void delete_doomed(struct collector *c)
{
	for (size_t at = 0; at < c->doomed.len; at += c->layout.key_size) {
		int err = feed_remove(c->feed, c->doomed.data + at, NULL);

		if (err && err != -ENOENT)
			log_debug("cannot delete an entry of map '%s': %s", c->config->name.text,
				  strerror(-err));
	}
}

/* Memory follows what is alive: a table is cleaned when most of it is dead, so that the cost is
 * spread over at least as many additions. */
static void sweep(struct collector *c)
{
	bool stale = false;

	if (c->keys.count - c->live > MAX(c->live, (uint32_t)DEAD_TOLERATED))
		drop_dead_entries(c);
	for (size_t i = 0; i < c->n_views; i++)
		stale |= c->views[i].ids.count > 2 * MAX(c->live, (uint32_t)DEAD_TOLERATED);
	/* The series shown now stay as they are until the next read begins. */
	if (stale)
		c->names_generation = UINT64_MAX;
}

static size_t count_series(const struct collector *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n_fields; i++) {
		const struct view *v = &c->views[c->fields[i].view];

		for (uint32_t s = 0; s < v->ids.count; s++)
			n += v->series[s].seen == c->scrape;
	}
	return n;
}

int collector_read(struct collector *c, uint64_t *decode_errors, struct error *e)
{
	uint64_t names = decode_generation(c->env, layout_follows(&c->layout));
	int err;

	if (c->n_fields == 0) /* all of it is switched off */
		return 0;

	c->now = (uint32_t)(clock_monotonic_ns() / NSEC_PER_SEC);
	c->scrape++;
	c->live = 0;
	c->next = 0;
	c->errors = 0;
	buf_reset(&c->doomed);
	if (names != c->names_generation) {
		c->names_generation = names;
		start_epoch(c);
	}
	err = feed_read(c->feed, add_batch, c, e);
	c->valid = !err;
	c->n_series = err ? 0 : count_series(c);
	*decode_errors += c->errors;
	if (err == -ENOMEM)
		return error_set(e, err, "no memory for the series of map '%s'",
				 c->config->name.text);
	if (err)
		return err;
	delete_doomed(c);
	sweep(c);
	return 0;
}

/* ---- showing ---- */

size_t collector_family_count(const struct collector *c)
{
	return c->n_fields;
}

const struct family *collector_family(const struct collector *c, size_t index)
{
	return &c->fields[index].family;
}

void collector_samples(const struct family *family, const struct exposition *x, struct buf *out)
{
	const struct field *f = family->ctx;
	const struct collector *c = f->collector;
	const struct view *v = &c->views[f->view];

	if (!c->valid)
		return;
	for (uint32_t i = 0; i < v->ids.count; i++) {
		const uint64_t *numbers = v->numbers + (size_t)i * v->words + f->word;

		if (v->series[i].seen != c->scrape)
			continue;
		if (family->type == METRIC_HISTOGRAM)
			x->add_histogram(out, family, view_label_text(v, i),
					 (struct histogram_sample){numbers,
								   numbers[f->n_words - 1]});
		else
			x->add_uint(out, family, view_label_text(v, i), numbers[0]);
	}
}

size_t collector_series(const struct collector *c)
{
	return c->n_series;
}
