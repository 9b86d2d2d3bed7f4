// SPDX-License-Identifier: MIT
/*
 * Records of a ring buffer, whatever a program writes into it, against a plain list of them. The
 * first byte chooses the metric; then come records with their length in front, or removals.
 */
#include "fuzz.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/macro.h"
#include "config/config.h"
#include "metrics/tally.h"

enum { MOST_RECORDS = 512, LONGEST = 16, REMOVE = 0x80 };

#define UINT "decoders: [{name: uint}]"

static const char *const metrics[] = {
	"{name: a}",
	"{name: a, labels: [{name: l, size: 1, " UINT "}]}",
	"{name: a, labels: [{name: l, size: 1, padding: 2, " UINT "}, {name: m, size: 1, " UINT
	"}]}",
	"{name: a, labels: [{name: l, size: 1, " UINT "}], values: [{name: b, offset: 1, size: 2}, "
	"{name: c, offset: 0}, {name: d, type: gauge, offset: 3, size: 4}]}",
	"{name: a, max_series: 1, labels: [{name: l, size: 2, " UINT "}]}",
};

static struct config *parse(const char *metric)
{
	struct source source = {.name = strdup("fuzz.yaml")};
	_cleanup_buf_ struct buf text = {0};
	_cleanup_report_ struct report report = {0};
	struct config *config = NULL;
	int err;

	buf_printf(&text, "metrics: {counters: [%s]}", metric);
	source.text = strdup(buf_str(&text));
	source.len = text.len;
	err = config_parse("fuzz", source, &report, &config);
	assert(!err);
	return config;
}

/* How often each record's key was added since it was removed. */
struct model {
	uint8_t keys[MOST_RECORDS][LONGEST];
	uint64_t counts[MOST_RECORDS];
	size_t n;
};

/* The key that the labels of @metric make of @record. */
static size_t key_of(const struct metric_config *metric, const uint8_t *record, uint8_t *key)
{
	size_t at = 0;

	memset(key, 0, LONGEST);
	for (size_t i = 0; i < metric->labels.count; i++) {
		const struct label_config *label = &metric->labels.items[i];

		memcpy(key + at, record + at, label->size);
		at += label->size + label->padding;
	}
	return at ? at : 4;
}

static uint64_t *model_count(struct model *m, const uint8_t *key)
{
	for (size_t i = 0; i < m->n; i++) {
		if (memcmp(m->keys[i], key, LONGEST) == 0)
			return &m->counts[i];
	}
	assert(m->n < MOST_RECORDS);
	memcpy(m->keys[m->n], key, LONGEST);
	return &m->counts[m->n++];
}

static void compare(const struct tally *t, struct model *m, size_t key_size, bool counts)
{
	uint64_t left = 0;
	uint32_t at = 0, n = 0, run;

	while ((run = tally_next(t, &at, 3))) {
		for (uint32_t i = at; i < at + run; i++) {
			uint8_t key[LONGEST] = {0};
			uint64_t count;

			memcpy(key, table_key(&t->keys, i), key_size);
			count = *model_count(m, key);
			assert(count > 0);
			assert(!counts || t->numbers[i * t->n_values] == count);
		}
		at += run;
		n += run;
	}
	for (size_t i = 0; i < m->n; i++)
		left += m->counts[i] > 0;
	assert(n == left);
}

static void step(struct tally *t, struct model *m, const struct metric_config *metric,
		 const uint8_t *record, size_t len, bool remove)
{
	_cleanup_free_ uint8_t *exact = malloc(len);
	uint8_t key[LONGEST], full[LONGEST] = {0};
	uint64_t *count;

	memcpy(exact, record, len);
	memcpy(full, record, len);
	key_of(metric, full, key);
	if (remove) {
		count = model_count(m, key);
		assert((tally_remove(t, key, NULL) == 0) == (*count > 0));
		*count = 0;
		tally_compact(t);
		return;
	}
	switch (tally_add(t, exact, len, LONGEST - 2)) {
	case TALLY_ADDED:
		assert(len >= t->record_size && len <= LONGEST - 2);
		(*model_count(m, key))++;
		break;
	case TALLY_MALFORMED:
		assert(len < t->record_size || len > LONGEST - 2);
		break;
	case TALLY_FULL:
		assert(t->keys.count == t->most);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct config *configs[ARRAY_SIZE(metrics)];
	static struct model m;
	size_t which = size ? data[0] % ARRAY_SIZE(metrics) : 0;
	const struct metric_config *metric;
	struct tally t;

	if (!configs[which])
		configs[which] = parse(metrics[which]);
	metric = &configs[which]->metrics.items[0];
	m.n = 0;
	memset(m.counts, 0, sizeof(m.counts));
	if (tally_init(&t, metric))
		return 0;
	for (size_t at = 1, n = 0; at < size && n < MOST_RECORDS; n++) {
		size_t len = MIN((size_t)(data[at] % (LONGEST + 1)), size - at - 1);

		step(&t, &m, metric, data + at + 1, len, data[at] & REMOVE);
		at += 1 + len;
	}
	compare(&t, &m, t.keys.key_size, metric->values.count == 0);
	tally_free(&t);
	return 0;
}
