// SPDX-License-Identifier: MIT
#include "engine/events.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "base/capabilities.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/macro.h"
#include "kernel/mapread.h"
#include "kernel/ring.h"
#include "metrics/tally.h"

#define FLUSH_DEFAULT_NS (3600 * NSEC_PER_SEC) /* ebpf_exporter's */

enum {
	/* How long the thread leaves a buffer alone between two looks while records come, so that
	 * the kernel wakes it for one record of many; less while the buffers fill up. */
	NAP_MS = 10,
	NAP_FIRST_MS = 1,
	/* How long when none come, for programs that never have it woken (BPF_RB_NO_WAKEUP). */
	LOOK_EVERY_MS = 100,
	/* Keys that a scrape takes before it looks at the buffer again. */
	CHUNK = 4096,
};

/* One metric. */
struct event_feed {
	struct feed feed;      /* first: what the collector has */
	struct events *events; /* NULL once that is gone */
	struct event_feed *next;
	struct map_info map;
	struct mapread *lost_map; /* how many records did not fit, by the program's own count */
	struct ring *ring;
	size_t longest;
	uint64_t flush_interval_ns; /* 0: never */

	pthread_mutex_t lock; /* of all below, and of the ring */
	struct tally tally;
	uint64_t flushed_ns;
	uint64_t drain_error_logged; /* log_due() */
	_Atomic uint64_t malformed;
	_Atomic uint64_t overflow;
	_Atomic uint64_t lost_by_program;
};

struct events {
	struct event_feed *feeds;
	pthread_t thread;
	bool runs;
	int stop_fd;
	int epoll_fd; /* of the rings, and stop_fd */
};

/* ---- records into sums; under the feed's lock ---- */

static void on_record(void *ctx, const void *record, size_t len)
{
	struct event_feed *f = ctx;

	switch (tally_add(&f->tally, record, len, f->longest)) {
	case TALLY_ADDED:
		break;
	case TALLY_MALFORMED:
		f->malformed++;
		break;
	case TALLY_FULL:
		f->overflow++;
		break;
	}
}

/* Gives back how full the buffer was, of RING_FULL. */
static int drain(struct event_feed *f)
{
	int filled = ring_drain(f->ring);

	if (filled < 0 && log_due(&f->drain_error_logged))
		log_warn("cannot read the events of map \"%s\": %s", f->map.name,
			 strerror(-filled));
	return MAX(filled, 0);
}

static void flush_if_due(struct event_feed *f)
{
	uint64_t now = clock_monotonic_ns();

	if (!f->flush_interval_ns || now - f->flushed_ns < f->flush_interval_ns)
		return;
	tally_clear(&f->tally);
	f->flushed_ns = now - (now - f->flushed_ns) % f->flush_interval_ns;
}

/* ---- the thread ---- */

static int drain_all(struct events *events)
{
	int fullest = 0;

	for (struct event_feed *f = events->feeds; f; f = f->next) {
		int filled = 1;

		/* Else a scrape is at it, and takes what is there. */
		if (pthread_mutex_trylock(&f->lock) == 0) {
			flush_if_due(f);
			filled = drain(f);
			pthread_mutex_unlock(&f->lock);
		}
		fullest = MAX(fullest, filled);
	}
	return fullest;
}

/* True when it is time to stop. */
static bool nap(const struct events *events, int ms)
{
	struct pollfd stop = {.fd = events->stop_fd, .events = POLLIN};

	return poll(&stop, 1, ms) > 0;
}

static void wait_for_records(const struct events *events)
{
	struct epoll_event ignored;

	(void)epoll_wait(events->epoll_fd, &ignored, 1, LOOK_EVERY_MS);
}

/*
 * While records come, one look every few milliseconds takes them in one go and the kernel need not
 * wake anybody. The nap is such that a buffer is not much more than a quarter full by then.
 */
static void *consume(void *arg)
{
	struct events *events = arg;
	int ms = NAP_FIRST_MS;

	capabilities_drop();
	do {
		int filled = drain_all(events);

		if (filled == 0) {
			ms = NAP_FIRST_MS;
			wait_for_records(events);
			continue;
		}
		if (filled > RING_FULL / 4)
			ms /= 2;
		else if (filled < RING_FULL / 8)
			ms = MIN(ms * 2 + 1, (int)NAP_MS);
		if (nap(events, ms))
			break;
	} while (!nap(events, 0));
	return NULL;
}

/* ---- the feed ---- */

static struct event_feed *event_feed_of(struct feed *feed)
{
	return CONTAINER_OF(feed, struct event_feed, feed);
}

static int add_lost(void *ctx, const uint8_t *keys, const uint8_t *values, size_t count)
{
	struct event_feed *f = ctx;
	size_t n = count * mapread_value_stride(f->lost_map) / sizeof(uint64_t);
	uint64_t lost = 0, number;

	(void)keys;
	for (size_t i = 0; i < n; i++) {
		memcpy(&number, values + i * sizeof(number), sizeof(number));
		lost += number;
	}
	f->lost_by_program += lost;
	return 0;
}

static int read_lost(struct event_feed *f, struct error *e)
{
	uint64_t before = f->lost_by_program;
	int err;

	if (!f->lost_map)
		return 0;
	err = mapread_all(f->lost_map, add_lost, f, e);
	f->lost_by_program -= err ? 0 : before;
	return err;
}

/* Between chunks it takes what came meanwhile: the thread is kept from it. */
static int read_chunks(struct event_feed *f, feed_fn fn, void *ctx)
{
	uint32_t at = 0, end, count;
	int err = 0;

	tally_compact(&f->tally);
	drain(f);
	end = f->tally.keys.count;
	while (!err && (count = tally_next(&f->tally, &at, CHUNK)) && at < end) {
		err = fn(ctx, table_key(&f->tally.keys, at),
			 (const uint8_t *)(f->tally.numbers + (size_t)at * f->tally.n_values),
			 count);
		at += count;
		drain(f);
	}
	return err;
}

static int event_feed_read(struct feed *feed, feed_fn fn, void *ctx, struct error *e)
{
	struct event_feed *f = event_feed_of(feed);
	int err;

	if (!f->ring)
		return error_set(e, -ENODEV, "the events of map \"%s\" are not read", f->map.name);
	pthread_mutex_lock(&f->lock);
	flush_if_due(f);
	err = read_chunks(f, fn, ctx);
	if (err)
		error_set(e, err, "cannot read the sums of the events of map \"%s\": %s",
			  f->map.name, strerror(-err));
	else
		err = read_lost(f, e);
	pthread_mutex_unlock(&f->lock);
	return err;
}

static int event_feed_remove(struct feed *feed, const void *key, void *ret_values)
{
	struct event_feed *f = event_feed_of(feed);
	int err;

	pthread_mutex_lock(&f->lock);
	err = tally_remove(&f->tally, key, ret_values);
	pthread_mutex_unlock(&f->lock);
	return err;
}

static void forget_feed(struct events *events, const struct event_feed *f)
{
	struct event_feed **at = &events->feeds;

	while (*at && *at != f)
		at = &(*at)->next;
	if (*at)
		*at = f->next;
}

static void event_feed_free(struct feed *feed)
{
	struct event_feed *f = event_feed_of(feed);

	if (f->events)
		forget_feed(f->events, f);
	ring_close(f->ring);
	mapread_free(f->lost_map);
	tally_free(&f->tally);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

static const struct feed_ops event_feed_ops = {
	.read = event_feed_read,
	.remove = event_feed_remove,
	.free = event_feed_free,
};

/* ---- setting up ---- */

static int check_map_type(const struct metric_config *metric, const struct source *source,
			  struct report *report, const struct map_info *map)
{
	bool perf = map->type == BPF_MAP_TYPE_PERF_EVENT_ARRAY;

	if (perf && !metric->perf_event_array)
		return report_error(report, source, metric->name.place,
				    "map '%s' is a perf event array: say perf_event_array: true, "
				    "or make it a ring buffer, which needs no key",
				    map->name);
	if (!perf && metric->perf_event_array)
		return report_error(report, source, metric->name.place,
				    "perf_event_array: map '%s' is not of that type", map->name);
	return 0;
}

/* What a record can be. */
static int check_record(const struct metric_config *metric, const struct source *source,
			struct report *report)
{
	int err = 0;

	if (metric->type == METRIC_GAUGE && metric->values.count == 0)
		err = report_error(report, source, metric->name.place,
				   "a gauge that comes as events shows the last one's: say with "
				   "`values:` which bytes are the number");
	for (size_t i = 0; i < metric->values.count; i++) {
		const struct value_config *v = &metric->values.items[i];

		if (v->type == METRIC_HISTOGRAM)
			err = report_error(report, source, v->place,
					   "'%s': an event is in one bucket, so it takes a metric "
					   "of its own under `histograms:`, whose last label is it",
					   v->name.text);
	}
	return err;
}

/* The kernel does not count what a ring buffer had no room for; an array NAME_lost beside it does
 * (bpf/events.bpf.h). */
static int find_lost_map(struct event_feed *f, const struct object *o, struct error *e)
{
	struct map_info lost;
	char name[256];

	snprintf(name, sizeof(name), "%s_lost", f->map.name);
	if (f->map.type != BPF_MAP_TYPE_RINGBUF || object_find_map(o, name, &lost) ||
	    (lost.type != BPF_MAP_TYPE_ARRAY && lost.type != BPF_MAP_TYPE_PERCPU_ARRAY) ||
	    lost.value_size != sizeof(uint64_t))
		return 0;
	return mapread_new(&lost, &f->lost_map, e);
}

/* All but the kernel's part. */
static struct event_feed *event_feed_new(const struct metric_config *metric,
					 const struct map_info *map)
{
	struct event_feed *f = calloc(1, sizeof(*f));

	if (!f || tally_init(&f->tally, metric)) {
		free(f);
		return NULL;
	}
	pthread_mutex_init(&f->lock, NULL);
	f->map = *map;
	/* Of what is only counted, it does not matter what is in it. */
	f->longest = f->tally.record_size ? ring_longest(map, f->tally.record_size) : SIZE_MAX;
	if (metric->perf_event_array)
		f->flush_interval_ns =
			metric->flush_interval_ns ? metric->flush_interval_ns : FLUSH_DEFAULT_NS;
	f->feed = (struct feed){
		.ops = &event_feed_ops,
		.key_size = (uint32_t)f->tally.keys.key_size,
		.stride = f->tally.n_values * sizeof(uint64_t),
		.values_per_entry = 1,
		.is_tally = true,
	};
	return f;
}

static struct events *events_new(void)
{
	struct events *events = calloc(1, sizeof(*events));

	if (events) {
		events->stop_fd = -1;
		events->epoll_fd = -1;
	}
	return events;
}

int events_add(struct events **events, const struct object *o, const struct metric_config *metric,
	       const struct source *source, struct report *report, struct map_info *map,
	       struct feed **ret_feed)
{
	struct event_feed *f;
	struct error error;

	*ret_feed = NULL;
	if (check_map_type(metric, source, report, map))
		return -EINVAL;
	if (!ring_is(map))
		return 0;
	if (check_record(metric, source, report))
		return -EINVAL;
	if (!*events && !(*events = events_new()))
		return -ENOMEM;
	f = event_feed_new(metric, map);
	if (!f)
		return -ENOMEM;
	if (find_lost_map(f, o, &error)) {
		event_feed_free(&f->feed);
		return report_error(report, source, metric->name.place, "%s", error.text);
	}
	f->events = *events;
	f->next = (*events)->feeds;
	(*events)->feeds = f;
	map->key_size = f->feed.key_size;
	map->value_size = (uint32_t)f->feed.stride;
	*ret_feed = &f->feed;
	return 0;
}

struct feed *events_feed(const struct events *events, struct map_info *map)
{
	struct event_feed *f = events ? events->feeds : NULL;

	while (f && !STREQ(f->map.name, map->name))
		f = f->next;
	if (!f)
		return NULL;
	map->key_size = f->feed.key_size;
	map->value_size = (uint32_t)f->feed.stride;
	return &f->feed;
}

static int watch(const struct events *events, int fd)
{
	struct epoll_event event = {.events = EPOLLIN};

	return epoll_ctl(events->epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

static int open_buffers(const struct events *events, struct error *e)
{
	for (struct event_feed *f = events->feeds; f; f = f->next) {
		int err = ring_open(&f->map, on_record, f, &f->ring, e);

		if (err)
			return err;
		err = watch(events, ring_fd(f->ring));
		if (err)
			return error_set(e, err, "cannot wait for the events of map \"%s\": %s",
					 f->map.name, strerror(-err));
		f->flushed_ns = clock_monotonic_ns();
	}
	return 0;
}

int events_start(struct events *events, struct error *e)
{
	int err = 0;

	if (!events)
		return 0;
	events->stop_fd = eventfd(0, EFD_CLOEXEC);
	events->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (events->stop_fd < 0 || events->epoll_fd < 0)
		err = -errno;
	if (!err)
		err = watch(events, events->stop_fd);
	if (err)
		return error_set(e, err, "cannot wait for events: %s", strerror(-err));
	err = open_buffers(events, e);
	if (err)
		return err;
	err = pthread_create(&events->thread, NULL, consume, events);
	if (err)
		return error_set(e, -err, "cannot start the thread that reads events: %s",
				 strerror(err));
	pthread_setname_np(events->thread, "events");
	events->runs = true;
	return 0;
}

void events_free(struct events *events)
{
	const uint64_t one = 1;

	if (!events)
		return;
	if (events->runs && write(events->stop_fd, &one, sizeof(one)) == sizeof(one))
		pthread_join(events->thread, NULL);
	for (struct event_feed *f = events->feeds; f; f = f->next)
		f->events = NULL;
	fd_close(events->stop_fd);
	fd_close(events->epoll_fd);
	free(events);
}

/* ---- what was counted ---- */

bool events_stats(const struct events *events, size_t index, struct events_stats *ret)
{
	const struct event_feed *f = events ? events->feeds : NULL;

	while (f && index-- > 0)
		f = f->next;
	if (!f)
		return false;
	*ret = (struct events_stats){
		.map = f->map.name,
		.lost = f->lost_by_program + (f->ring ? ring_lost(f->ring) : 0),
		.overflow = f->overflow,
	};
	return true;
}

uint64_t events_take_malformed(struct events *events)
{
	uint64_t n = 0;

	for (struct event_feed *f = events ? events->feeds : NULL; f; f = f->next)
		n += atomic_exchange(&f->malformed, 0);
	return n;
}
