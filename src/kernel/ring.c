// SPDX-License-Identifier: MIT
#include "kernel/ring.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/macro.h"
#include "kernel/libbpf_log.h"

enum {
	PERF_BYTES = 128 << 10, /* of each CPU; locked memory */
	PERF_HEAD = 4,          /* the length in front of a record: u32 in PERF_SAMPLE_RAW */
	RINGBUF_HEAD = 8,       /* BPF_RINGBUF_HDR_SZ */
};

struct ring {
	struct ring_buffer *ringbuf;
	struct perf_buffer *perf;
	ring_fn fn;
	void *ctx;
	size_t size;     /* bytes of the buffer, of each of several */
	size_t taken;    /* of them by this drain, from the buffer that is read */
	uint64_t budget; /* bytes that this drain may still take */
	_Atomic uint64_t lost;
};

bool ring_is(const struct map_info *map)
{
	return map->type == BPF_MAP_TYPE_RINGBUF || map->type == BPF_MAP_TYPE_PERF_EVENT_ARRAY;
}

size_t ring_longest(const struct map_info *map, size_t size)
{
	size_t filled = ROUND_UP(size, (size_t)8);

	if (map->type == BPF_MAP_TYPE_RINGBUF)
		return filled;
	/* perf_prepare_sample(): together with its length it is filled up to 8. */
	return ROUND_UP(filled + PERF_HEAD, (size_t)8) - PERF_HEAD;
}

static int on_ringbuf_record(void *ctx, void *data, size_t len)
{
	size_t bytes = ROUND_UP(len + RINGBUF_HEAD, (size_t)8);
	struct ring *r = ctx;

	r->fn(r->ctx, data, len);
	r->taken += bytes;
	if (r->taken >= r->budget)
		return -EAGAIN; /* not an error: libbpf stops behind this one */
	return 0;
}

/* perf_event_open(2), "MMAP layout" */
struct perf_sample {
	struct perf_event_header header;
	uint32_t len;
	char data[];
};

struct perf_lost {
	struct perf_event_header header;
	uint64_t id;
	uint64_t lost;
};

static enum bpf_perf_event_ret on_perf_event(void *ctx, int cpu, struct perf_event_header *event)
{
	struct ring *r = ctx;

	(void)cpu;
	r->taken += event->size;
	if (event->type == PERF_RECORD_SAMPLE) {
		const struct perf_sample *sample = (const void *)event;

		r->fn(r->ctx, sample->data, sample->len);
	} else if (event->type == PERF_RECORD_LOST) {
		r->lost += ((const struct perf_lost *)(const void *)event)->lost;
	}
	return LIBBPF_PERF_EVENT_CONT;
}

static int open_ringbuf(struct ring *r, const struct map_info *map)
{
	r->size = map->max_entries;
	r->budget = r->size;
	r->ringbuf = ring_buffer__new(map->fd, on_ringbuf_record, r, NULL);
	return r->ringbuf ? 0 : -errno;
}

static int open_perf(struct ring *r, const struct map_info *map)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_BPF_OUTPUT,
		.sample_type = PERF_SAMPLE_RAW,
		.sample_period = 1,
		.watermark = 1,
		.wakeup_watermark = PERF_BYTES / 2,
	};
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	r->size = MAX((size_t)PERF_BYTES, page);
	r->perf = perf_buffer__new_raw(map->fd, r->size / page, &attr, on_perf_event, r, NULL);
	return r->perf ? 0 : -errno;
}

int ring_open(const struct map_info *map, ring_fn fn, void *ctx, struct ring **ret, struct error *e)
{
	_cleanup_libbpf_log_ struct libbpf_log log;
	struct ring *r = calloc(1, sizeof(*r));
	int err = -ENOMEM;

	libbpf_log_begin(&log);
	if (r) {
		r->fn = fn;
		r->ctx = ctx;
		err = map->type == BPF_MAP_TYPE_RINGBUF ? open_ringbuf(r, map) : open_perf(r, map);
	}
	if (err) {
		ring_close(r);
		return error_set(e, err, "cannot read the events of map \"%s\": %s", map->name,
				 strerror(-err));
	}
	*ret = r;
	return 0;
}

void ring_close(struct ring *r)
{
	if (!r)
		return;
	ring_buffer__free(r->ringbuf);
	perf_buffer__free(r->perf);
	free(r);
}

int ring_fd(const struct ring *r)
{
	return r->ringbuf ? ring_buffer__epoll_fd(r->ringbuf) : perf_buffer__epoll_fd(r->perf);
}

static int drain_ringbuf(struct ring *r)
{
	int err;

	r->taken = 0;
	err = ring_buffer__consume(r->ringbuf);
	return err < 0 && err != -EAGAIN ? err : 0;
}

/* Of each buffer, libbpf takes what was there when it began. */
static int drain_perf(struct ring *r)
{
	size_t fullest = 0, count = perf_buffer__buffer_cnt(r->perf);

	for (size_t i = 0; i < count; i++) {
		int err;

		r->taken = 0;
		err = perf_buffer__consume_buffer(r->perf, i);
		if (err < 0)
			return err;
		fullest = MAX(fullest, r->taken);
	}
	r->taken = fullest;
	return 0;
}

int ring_drain(struct ring *r)
{
	int err = r->ringbuf ? drain_ringbuf(r) : drain_perf(r);

	if (err < 0)
		return err;
	return (int)MIN(r->taken * RING_FULL / r->size, (size_t)RING_FULL);
}

uint64_t ring_lost(const struct ring *r)
{
	return r->lost;
}
