// SPDX-License-Identifier: MIT
#include "metrics/collector_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/number.h"
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

/* All labels of @key; an enum entry_state (NEW: no memory), *unknown says whether a name should be
 * looked up again. */
static enum entry_state decode_labels(struct collector *c, const uint8_t *key, bool *unknown)
{
	enum entry_state state = ENTRY_SHOWN;

	buf_reset(&c->decoded);
	if (c->layout.only_zero && number_read(key, sizeof(uint32_t)) != 0)
		return ENTRY_IGNORED;
	for (size_t i = 0; i < c->layout.n_labels; i++) {
		const struct key_label *label = &c->layout.labels[i];
		int result = label->off ? DECODE_OK : decode_label(c, label, key, &c->pieces[i]);

		if (result == DECODE_DROP)
			return ENTRY_IGNORED;
		if (result < 0)
			return result == -ENOMEM ? ENTRY_NEW : ENTRY_BROKEN;
		if (result == DECODE_UNKNOWN) {
			*unknown = true;
			if (label->decoder.config->delete_unknown)
				state = ENTRY_HIDDEN;
		}
	}
	return buf_ok(&c->decoded) ? state : ENTRY_NEW;
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
	if (*word == BUCKET_OUTSIDE || (*word == BUCKET_SUM && c->feed->is_tally))
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

/* a="other",b="other" */
static void render_other(struct collector *c, const struct view *v)
{
	buf_reset(&c->label_text);
	for (size_t i = 0; i < v->n_labels; i++)
		label_text_add_str(&c->label_text,
				   c->layout.labels[v->labels[i]].decoder.config->name.text,
				   "other");
}

uint32_t collector_resolve(struct collector *c, uint32_t view, uint32_t series)
{
	struct view *v = &c->views[view];

	if (series == SERIES_DROPPED)
		return TABLE_NONE;
	if (series != SERIES_OTHER)
		return series;
	if (v->other == TABLE_NONE) {
		render_other(c, v);
		if (buf_ok(&c->label_text))
			v->other = view_find_or_add(v, c->label_text.data, c->label_text.len);
	}
	return v->other;
}

/* The series of the labels that were decoded; WAITING when there is no place for it (yet), NEW
 * without memory. */
static enum entry_state find_series(struct collector *c, uint32_t *series)
{
	uint32_t without_place =
		c->config->overflow == OVERFLOW_DROP ? SERIES_DROPPED : SERIES_OTHER;
	bool overflowed = false;

	for (size_t i = 0; i < c->n_views; i++) {
		uint32_t found;

		if (series[i] == SERIES_OTHER || series[i] == SERIES_DROPPED)
			continue;
		render_labels(c, &c->views[i]);
		found = buf_ok(&c->label_text) ? view_find_place(&c->views[i], c->label_text.data,
								 c->label_text.len)
					       : TABLE_NONE;
		if (found == TABLE_NONE)
			return ENTRY_NEW;
		if (found == VIEW_FULL && !c->settling)
			return ENTRY_WAITING;
		overflowed |= found == VIEW_FULL;
		series[i] = found == VIEW_FULL ? without_place : found;
	}
	c->n_overflowed += overflowed;
	return ENTRY_SHOWN;
}

/* Without memory the entry stays new, for the next read. */
static int decode_entry(struct collector *c, struct entry *entry, uint32_t *series,
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
	return entry->state == ENTRY_NEW ? -ENOMEM : 0;
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
	if (c->ttl) {
		p = reallocarray(c->ages, c->keys.cap, sizeof(*c->ages));
		if (!p)
			return false;
		c->ages = p;
	}
	if (c->tops) {
		p = reallocarray(c->last, c->keys.cap, c->n_fields * sizeof(*c->last));
		if (!p)
			return false;
		c->last = p;
	}
	c->cap = c->keys.cap;
	return true;
}

static uint32_t *series_of(struct collector *c, uint32_t index)
{
	return c->entry_series + (size_t)index * c->n_views;
}

static void unset_series(struct collector *c, uint32_t index)
{
	for (size_t i = 0; i < c->n_views; i++)
		series_of(c, index)[i] = SERIES_UNSET;
}

/*
 * The entry of the extended key @key, made if it is new; TABLE_NONE without memory. The kernel
 * gives the entries of a map in the same order each time, so that most often it is the one behind
 * the last.
 */
uint32_t collector_find_entry(struct collector *c, const uint8_t *key)
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
	unset_series(c, index);
	return index;
}

static bool must_decode(const struct collector *c, const struct entry *entry)
{
	return entry->state <= ENTRY_WAITING || entry->epoch != c->epoch ||
	       entry->state == ENTRY_HIDDEN ||
	       (entry->unknown && c->now - entry->since >= RETRY_AFTER_SEC);
}

static void add_array(const struct field *f, uint64_t *to, const uint8_t *value)
{
	for (uint32_t i = 0; i < f->buckets.count; i++)
		to[i] += number_read(value + f->offset + i * sizeof(uint64_t), sizeof(uint64_t));
	if (f->has_sum)
		to[f->buckets.count] += number_read(value + f->sum_offset, sizeof(uint64_t));
}

void collector_add_field(const struct field *f, const struct entry *entry, uint64_t *to,
			 const uint8_t *value)
{
	if (f->array)
		add_array(f, to, value);
	else
		to[entry->word] += number_read(value + f->offset, f->size);
}

/* With `top` it is not the number that counts, but what it grew by. */
static void add_top_values(struct collector *c, uint32_t index, const uint8_t *values,
			   size_t n_values)
{
	for (size_t i = 0; i < c->n_fields; i++) {
		const struct field *f = &c->fields[i];
		uint64_t number = 0;

		for (size_t k = 0; k < n_values; k++)
			number += number_read(values + k * c->value_stride + f->offset, f->size);
		top_add(c, index, i, number);
	}
}

/* Adds one value (of one CPU, for a per-CPU map) to the series of its entry. */
static void add_value(struct collector *c, const struct entry *entry, const uint32_t *series,
		      const uint8_t *value)
{
	for (size_t i = 0; i < c->n_fields; i++) {
		const struct field *f = &c->fields[i];
		uint32_t id = series[f->view];

		if (id >= SERIES_UNSET && (id = collector_resolve(c, f->view, id)) == TABLE_NONE)
			continue;
		collector_add_field(f, entry,
				    view_touch(&c->views[f->view], id, c->scrape) + f->word, value);
	}
}

/* An entry that must wait for a place, in c->waiting with its values behind it. */
struct waiting {
	uint32_t index;
	uint32_t n_values;
};

static void keep_waiting(struct collector *c, uint32_t index, const uint8_t *values,
			 size_t n_values)
{
	struct waiting w = {index, (uint32_t)n_values};

	buf_add(&c->waiting, &w, sizeof(w));
	buf_add(&c->waiting, values, n_values * c->value_stride);
}

/* What is done with the values of an entry, by its state. */
static void use_entry(struct collector *c, uint32_t index, const uint8_t *key,
		      const uint8_t *values, size_t n_values)
{
	const struct entry *entry = &c->entries[index];

	if (entry->state == ENTRY_SHOWN && c->tops) {
		add_top_values(c, index, values, n_values);
	} else if (entry->state == ENTRY_SHOWN) {
		for (size_t i = 0; i < n_values; i++)
			add_value(c, entry, series_of(c, index), values + i * c->value_stride);
	} else if (entry->state == ENTRY_WAITING) {
		keep_waiting(c, index, values, n_values);
	} else if (entry->state == ENTRY_BROKEN) {
		c->errors++;
	} else if (entry->state == ENTRY_HIDDEN && c->now - entry->since >= DELETE_AFTER_SEC) {
		buf_add(&c->doomed, key, c->layout.key_size);
	}
}

/* Whether the last complete read, or one since, found @entry. */
static bool was_found(const struct collector *c, const struct entry *entry)
{
	return c->scrape - entry->seen <= c->scrape - c->last_scrape;
}

/* One key with @n_values values that are summed. *@is_new: it was not there before. */
static int add_entry(struct collector *c, const uint8_t *key, const uint8_t *values,
		     size_t n_values, bool *ret_is_new)
{
	uint32_t index = collector_find_entry(c, key);
	struct entry *entry;

	if (index == TABLE_NONE)
		return -ENOMEM;
	entry = &c->entries[index];
	if (entry->seen == c->scrape) /* read key by key, an entry may come twice */
		return 0;
	*ret_is_new = entry->state == ENTRY_NEW || !was_found(c, entry);
	if (*ret_is_new && c->config->max_series) {
		entry->state = ENTRY_NEW; /* another may have taken its place */
		unset_series(c, index);
	}
	if (*ret_is_new && c->tops)
		memset(c->last + (size_t)index * c->n_fields, 0, c->n_fields * sizeof(*c->last));
	entry->seen = c->scrape;
	c->live++;
	if (must_decode(c, entry) && decode_entry(c, entry, series_of(c, index), key))
		return -ENOMEM;
	use_entry(c, index, key, values, n_values);
	return 0;
}

const uint8_t *collector_cpu_key(struct collector *c, const uint8_t *key, size_t cpu)
{
	uint16_t number = (uint16_t)cpu;

	memcpy(c->extended_key, key, c->layout.key_size);
	memcpy(c->extended_key + c->layout.key_size, &number, sizeof(number));
	return c->extended_key;
}

/* A per-CPU map with a label `cpu`: an entry for each CPU. */
static int add_entry_by_cpu(struct collector *c, const uint8_t *key, const uint8_t *values,
			    bool *ret_is_new)
{
	int err = 0;

	for (size_t i = 0; i < c->feed->values_per_entry && !err; i++)
		err = add_entry(c, collector_cpu_key(c, key, i), values + i * c->value_stride, 1,
				ret_is_new);
	return err;
}

static int add_batch(void *ctx, const uint8_t *keys, const uint8_t *values, size_t count)
{
	struct collector *c = ctx;
	size_t stride = c->feed->stride;
	size_t n_values = c->feed->values_per_entry;

	for (size_t i = 0; i < count; i++) {
		const uint8_t *key = keys + i * c->layout.key_size;
		const uint8_t *value = values + i * stride;
		bool is_new = false;
		int err = c->layout.by_cpu ? add_entry_by_cpu(c, key, value, &is_new)
					   : add_entry(c, key, value, n_values, &is_new);

		if (err)
			return err;
		if (c->ttl)
			collector_watch(c, is_new, key, value);
	}
	return 0;
}

/* Entries keep their places in the order in which they came, not in that of the map. */
static void decode_all(struct collector *c)
{
	for (uint32_t i = 0; i < c->keys.count; i++) {
		struct entry *entry = &c->entries[i];

		if (was_found(c, entry))
			decode_entry(c, entry, series_of(c, i), table_key(&c->keys, i));
	}
}

/* Every entry is decoded anew, into empty views. */
static int start_epoch(struct collector *c)
{
	c->epoch++;
	for (size_t i = 0; i < c->n_views; i++) {
		int err = view_clear(&c->views[i]);

		if (err)
			return err;
	}
	if (c->config->max_series)
		decode_all(c);
	return 0;
}

/*
 * At the end of a read it is known who is gone, so that there are places for those who waited, in
 * the order in which they came. For who finds none the config says where they go.
 */
static int settle(struct collector *c)
{
	struct waiting w;
	size_t at;

	if (!buf_ok(&c->waiting))
		return -ENOMEM;
	for (size_t i = 0; i < c->n_views; i++)
		view_release(&c->views[i], c->scrape);
	c->settling = true;
	for (at = 0; at < c->waiting.len; at += w.n_values * c->value_stride) {
		const uint8_t *key;

		memcpy(&w, c->waiting.data + at, sizeof(w));
		at += sizeof(w);
		key = table_key(&c->keys, w.index);
		if (decode_entry(c, &c->entries[w.index], series_of(c, w.index), key))
			break;
		use_entry(c, w.index, key, (const uint8_t *)c->waiting.data + at, w.n_values);
	}
	c->settling = false;
	return at < c->waiting.len ? -ENOMEM : 0;
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
		if (c->ttl)
			c->ages[to] = c->ages[from];
		if (c->tops)
			memmove(c->last + (size_t)to * c->n_fields,
				c->last + (size_t)from * c->n_fields,
				c->n_fields * sizeof(*c->last));
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
			n += v->series[s].seen == c->scrape && (!v->top || top_shows(v, s));
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
	buf_reset(&c->expired);
	buf_reset(&c->waiting);
	err = names == c->names_generation ? 0 : start_epoch(c);
	c->names_generation = err ? UINT64_MAX : names;
	if (!err)
		err = feed_read(c->feed, add_batch, c, e);
	if (!err && c->tops)
		err = top_settle(c);
	if (!err)
		err = settle(c);
	c->valid = !err;
	c->n_series = err ? 0 : count_series(c);
	c->n_entries = c->live / (c->layout.by_cpu ? c->feed->values_per_entry : 1);
	c->max_entries = err ? 0 : c->map_max_entries;
	*decode_errors += c->errors;
	if (err == -ENOMEM)
		return error_set(e, err, "no memory for the series of map '%s'",
				 c->config->name.text);
	if (err)
		return err;
	c->last_scrape = c->scrape;
	delete_doomed(c);
	collector_expire(c);
	sweep(c);
	return 0;
}

/* ---- showing ---- */

const struct metric_config *collector_config(const struct collector *c)
{
	return c->config;
}

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

		if (v->series[i].seen != c->scrape || (v->top && !top_shows(v, i)))
			continue;
		if (family->type == METRIC_HISTOGRAM)
			x->add_histogram(out, family, view_label_text(v, i),
					 (struct histogram_sample){numbers,
								   numbers[f->n_words - 1]});
		else
			x->add_uint(out, family, view_label_text(v, i), numbers[0]);
	}
}

void collector_counts(const struct collector *c, struct collector_counts *ret)
{
	*ret = (struct collector_counts){
		.entries = c->n_entries,
		.max_entries = c->max_entries,
		.overflowed = c->n_overflowed,
		.expired = c->n_expired,
	};
}

size_t collector_series(const struct collector *c)
{
	return c->n_series;
}
