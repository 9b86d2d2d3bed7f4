// SPDX-License-Identifier: MIT
#include "events.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/table.h"
#include "daemon.h"
#include "kernel/object.h"
#include "kernel/tc.h"

enum {
	OBJECT_MAX = 1 << 20,
	POLL_MS = 100,
	SLEEP_MS = 10,
	KINDS_MAX = 1024, /* of packets; there are a handful */
};

/* What is counted apart. */
struct kind {
	uint32_t interface;
	uint16_t protocol;
	uint8_t direction;
	uint8_t ip_version;
};

struct traffic_count {
	uint64_t packets, bytes;
};

struct events {
	struct object *object;
	struct ring_buffer *ring;
	struct tc_attachment ingress, egress;
	bool polled;
	atomic_bool ended;
	pthread_t thread;
	struct table kinds;
	struct traffic_count counts[KINDS_MAX];
};

/* ---- reading ---- */

static int on_event(void *ctx, void *data, size_t len)
{
	struct events *e = ctx;
	const struct packet_event *event = data;
	struct kind kind = {event->interface, event->protocol, event->direction, event->ip_version};
	bool added;
	uint32_t index = table_add(&e->kinds, &kind, &added);

	(void)len;
	if (index >= KINDS_MAX)
		bench_fail("more kinds of packets than there is room for");
	e->counts[index].packets++;
	e->counts[index].bytes += event->bytes;
	return 0;
}

static void *read_events(void *arg)
{
	const struct timespec pause = {.tv_nsec = SLEEP_MS * NSEC_PER_MSEC};
	struct events *e = arg;

	while (!atomic_load(&e->ended)) {
		if (e->polled) {
			nanosleep(&pause, NULL);
			ring_buffer__consume(e->ring);
		} else {
			ring_buffer__poll(e->ring, POLL_MS);
		}
	}
	ring_buffer__consume(e->ring);
	return NULL;
}

/* ---- life ---- */

static struct object *load_object(const char *build_dir, enum events_wakeup wakeup)
{
	static const uint64_t flags[] = {
		[EVENTS_DEFAULT] = 0,
		[EVENTS_EACH] = BPF_RB_FORCE_WAKEUP,
		[EVENTS_POLLED] = BPF_RB_NO_WAKEUP,
	};
	_cleanup_free_ void *data = NULL;
	struct object *o;
	struct error error;
	char path[4096];
	size_t len;

	snprintf(path, sizeof(path), "%s/bench/events.bpf.o", build_dir);
	if (file_read(path, OBJECT_MAX, &data, &len, &error) ||
	    object_open("events", data, len, NULL, &o, &error) ||
	    object_set_rodata_uint(o, "wakeup_flags", flags[wakeup], &error) ||
	    object_load(o, &error))
		bench_fail("%s", error.text);
	return o;
}

static void attach(const struct object *o, const char *name, uint32_t ifindex,
		   enum tc_direction direction, struct tc_attachment *ret)
{
	struct program_info program;
	struct error error;

	for (size_t i = 0; i < object_program_count(o); i++) {
		object_program(o, i, &program);
		if (!STREQ(program.name, name))
			continue;
		if (tc_attach(TC_AUTO, program.fd, ifindex, direction, ret, &error))
			bench_fail("%s", error.text);
		return;
	}
	bench_fail("the object has no program '%s'", name);
}

struct events *events_start(const char *build_dir, uint32_t ifindex, enum events_wakeup wakeup)
{
	struct events *e = calloc(1, sizeof(*e));
	struct map_info map;

	if (!e)
		bench_fail("no memory");
	e->polled = wakeup == EVENTS_POLLED;
	table_init(&e->kinds, sizeof(struct kind));
	e->object = load_object(build_dir, wakeup);
	if (object_find_map(e->object, "events", &map))
		bench_fail("the object has no map 'events'");
	e->ring = ring_buffer__new(map.fd, on_event, e, NULL);
	if (!e->ring)
		bench_fail("cannot read the ring buffer: %s", strerror(errno));
	attach(e->object, "events_ingress", ifindex, TC_INGRESS, &e->ingress);
	attach(e->object, "events_egress", ifindex, TC_EGRESS, &e->egress);
	if (pthread_create(&e->thread, NULL, read_events, e))
		bench_fail("no thread to read the ring buffer");
	return e;
}

static uint64_t count_seen(const struct events *e)
{
	uint64_t seen = 0;

	for (uint32_t i = 0; i < e->kinds.count; i++)
		seen += e->counts[i].packets;
	return seen;
}

static uint64_t count_lost(const struct events *e)
{
	const uint32_t zero = 0;
	struct map_info map;
	uint64_t lost;

	if (object_find_map(e->object, "events_lost", &map) ||
	    bpf_map_lookup_elem(map.fd, &zero, &lost))
		bench_fail("cannot read what was lost");
	return lost;
}

void events_stop(struct events *e, uint64_t *ret_seen, uint64_t *ret_lost)
{
	struct error error;

	tc_detach(&e->ingress, &error);
	tc_detach(&e->egress, &error);
	atomic_store(&e->ended, true);
	pthread_join(e->thread, NULL);
	*ret_seen = count_seen(e);
	*ret_lost = count_lost(e);
	ring_buffer__free(e->ring);
	object_close(e->object);
	table_free(&e->kinds);
	free(e);
}
