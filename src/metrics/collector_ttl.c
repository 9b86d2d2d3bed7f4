// SPDX-License-Identifier: MIT
/*
 * `ttl`: entries that have not changed for so long are deleted from the map.
 *
 * What they counted is not lost while others add to the same series: it is carried on, so that
 * no counter goes down. A series of which nothing is left disappears, and with it what it carried.
 */
#include "metrics/collector_state.h"

#include <errno.h>
#include <string.h>

#include <xxhash.h>

#include "base/log.h"

/* 8 bytes are themselves; of more, two different values with one hash do not occur in practice. */
static uint64_t fingerprint_of(const uint8_t *values, size_t len)
{
	uint64_t number;

	if (len != sizeof(number))
		return XXH3_64bits(values, len);
	memcpy(&number, values, sizeof(number));
	return number;
}

/* The age of the entry of @key; the parts of all CPUs are one, and the first one's age is that of
 * all. */
static struct age *age_of(struct collector *c, const uint8_t *key)
{
	const uint8_t *extended = c->layout.by_cpu ? collector_cpu_key(c, key, 0) : key;
	uint32_t last = c->next - 1;

	return &c->ages[table_holds(&c->keys, last, extended) ? last
							      : table_find(&c->keys, extended)];
}

void collector_watch(struct collector *c, bool is_new, const uint8_t *key, const uint8_t *values)
{
	uint64_t fingerprint = fingerprint_of(values, c->feed->stride);
	struct age *age = age_of(c, key);

	if (is_new || age->fingerprint != fingerprint)
		*age = (struct age){.fingerprint = fingerprint, .since = c->now};
	else if (c->now - age->since > c->ttl) /* more: the seconds are whole ones */
		buf_add(&c->expired, key, c->layout.key_size);
}

/* What entry @index of the extended keys counted at last goes on in its series. */
static void carry(struct collector *c, uint32_t index, const uint8_t *values, size_t n_values)
{
	const struct entry *entry = &c->entries[index];
	const uint32_t *series = c->entry_series + (size_t)index * c->n_views;

	if (entry->state != ENTRY_SHOWN)
		return;
	for (size_t i = 0; i < c->n_fields; i++) {
		const struct field *f = &c->fields[i];
		uint32_t id = collector_resolve(c, f->view, series[f->view]);
		uint64_t *to;

		if (id == TABLE_NONE || f->family.type == METRIC_GAUGE)
			continue;
		to = view_carried(&c->views[f->view], id) + f->word;
		for (size_t k = 0; k < n_values; k++)
			collector_add_field(f, entry, to, values + k * c->value_stride);
	}
}

static void carry_all(struct collector *c, const uint8_t *key, const uint8_t *values)
{
	size_t n_values = c->feed->values_per_entry;

	if (!c->layout.by_cpu) {
		carry(c, table_find(&c->keys, key), values, n_values);
		return;
	}
	for (size_t i = 0; i < n_values; i++)
		carry(c, table_find(&c->keys, collector_cpu_key(c, key, i)),
		      values + i * c->value_stride, 1);
}

void collector_expire(struct collector *c)
{
	for (size_t at = 0; at < c->expired.len; at += c->layout.key_size) {
		const uint8_t *key = (const uint8_t *)c->expired.data + at;
		int err = feed_remove(c->feed, key, c->last_values);

		if (err == 0) {
			carry_all(c, key, c->last_values);
			age_of(c, key)->since = c->now; /* it may be back before the next read */
			c->n_expired++;
		} else if (err != -ENOENT) {
			log_debug("cannot delete an entry of map '%s': %s", c->config->name.text,
				  strerror(-err));
		}
	}
}
