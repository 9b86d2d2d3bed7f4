// SPDX-License-Identifier: MIT
#include "engine/records.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "engine/placement.h"
#include "kernel/mapread.h"
#include "kernel/mapwrite.h"
#include "kernel/ring.h"

/* Who looks asks several times a second. */
#define UNWANTED_AFTER_NS (5 * NSEC_PER_SEC)
/* What only iterators find out (a query that is not answered) is no older than that. */
#define ITERATE_EVERY_NS NSEC_PER_SEC

enum {
	/* Of each stream, so many are there for who asks a little later. */
	KEPT = 8192,
	TICK_SECONDS = 2,
};

struct record_stream {
	struct unit *unit;
	const struct module *module;
	const struct records_config *config;
	struct table_config table; /* the same, as a sheet takes it */
	struct metric_config metric;
	struct sheet *sheet;
	struct map_info map;
	int wanted_fd; /* -1: the programs send always */
	bool wanted;
	uint64_t asked_ns;
	uint64_t iterated_ns;
	struct ring *ring;     /* NULL while it is not wanted */
	struct mapread *lost;  /* NULL: the programs do not count it */
	uint64_t lost_records; /* while it is being read */
	size_t size;           /* of a record, as the fields say */
	uint8_t *kept;         /* KEPT of them: number n is at n % KEPT */
	double *times;
	uint64_t next;      /* number of the one that comes next */
	uint64_t malformed; /* shorter ones */
};

/* ---- making ---- */

/* Those whose `when` is on; all of a config that is only checked. */
static int copy_fields(struct record_stream *s, const struct module *m)
{
	const struct records_config *c = s->config;
	size_t n = c->fields.count, at = 0;

	s->metric = (struct metric_config){.place = c->place, .name = c->map, .no_export = true};
	s->table = (struct table_config){.place = c->place, .name = c->name, .help = c->help};
	s->metric.values.items = calloc(n, sizeof(*s->metric.values.items));
	s->table.columns.items = calloc(n, sizeof(*s->table.columns.items));
	if (!s->metric.values.items || !s->table.columns.items)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct record_field *f = &c->fields.items[i];

		if (m && f->value.when.text && !module_option_is_on(m, f->value.when.text))
			continue;
		s->metric.values.items[at] = f->value;
		s->table.columns.items[at++] = f->column;
		s->size = MAX(s->size, (size_t)f->value.offset + f->value.size);
	}
	s->metric.values.count = s->table.columns.count = at;
	return 0;
}

static void stream_free(struct record_stream *s)
{
	ring_close(s->ring);
	sheet_free(s->sheet);
	mapread_free(s->lost);
	free(s->metric.values.items);
	free(s->table.columns.items);
	free(s->kept);
	free(s->times);
}

/* The array MAP_@what of the object, if it is there. */
static bool find_beside(const struct object *o, const struct record_stream *s, const char *what,
			struct map_info *ret)
{
	char name[256];

	snprintf(name, sizeof(name), "%s_%s", s->map.name, what);
	return object_find_map(o, name, ret) == 0;
}

static int open_beside(struct record_stream *s, const struct object *o, const struct source *source,
		       struct report *report)
{
	struct map_info map;
	struct error error;

	s->wanted_fd = -1;
	if (find_beside(o, s, "wanted", &map)) {
		if (map.type != BPF_MAP_TYPE_ARRAY || map.value_size != sizeof(uint32_t))
			return report_error(report, source, s->config->map.place,
					    "map '%s' must be an array of u32: RECORDS() in "
					    "events.bpf.h",
					    map.name);
		s->wanted_fd = map.fd;
	}
	/* Of a config that is only checked, no map is open. */
	if (s->map.fd >= 0 && find_beside(o, s, "lost", &map) &&
	    map.value_size == sizeof(uint64_t) && mapread_new(&map, &s->lost, &error))
		return report_error(report, source, s->config->map.place, "%s", error.text);
	return 0;
}

static int stream_init(struct record_stream *s, const struct config *c,
		       const struct records_config *config, const struct object *o,
		       const struct decode_env *env, struct report *report)
{
	static const struct label_switch no_labels;
	int err;

	s->config = config;
	s->wanted_fd = -1;
	if (object_find_map(o, config->map.text, &s->map))
		return unit_report_missing_map(o, c, &config->map, report);
	if (s->map.type != BPF_MAP_TYPE_RINGBUF)
		return report_error(report, &c->source, config->map.place,
				    "map '%s' is no ring buffer", s->map.name);
	err = copy_fields(s, s->module);
	if (err)
		return err;
	/* As a map without keys whose values are the records. */
	s->map.key_size = 0;
	s->map.value_size = (uint32_t)s->size;
	err = sheet_new(&s->table, &s->metric, &c->source, &s->map, NULL, env, &no_labels, report,
			&s->sheet);
	return err ? err : open_beside(s, o, &c->source, report);
}

static int add_stream(struct unit *u, const struct module *m, const struct records_config *r,
		      struct report *report)
{
	struct record_stream *s = &u->streams[u->n_streams++];

	s->unit = u;
	s->module = m;
	return stream_init(s, m->config, r, u->object, &u->env->decode, report);
}

int records_build(struct unit *u, struct report *report)
{
	size_t n = 0;
	int err = 0;

	for (size_t i = 0; i < u->plan->n_modules; i++)
		n += u->plan->modules[i].config->records.count;
	u->streams = calloc(MAX(n, (size_t)1), sizeof(*u->streams));
	if (!u->streams)
		return -ENOMEM;
	for (size_t i = 0; i < u->plan->n_modules; i++) {
		const struct module *m = &u->plan->modules[i];

		for (size_t k = 0; k < m->config->records.count; k++) {
			const struct records_config *r = &m->config->records.items[k];
			bool on = !r->when.text || module_option_is_on(m, r->when.text);
			int failed = on ? add_stream(u, m, r, report) : 0;

			if (failed)
				err = failed;
		}
	}
	return err;
}

void records_free(struct unit *u)
{
	for (size_t i = 0; i < u->n_streams; i++)
		stream_free(&u->streams[i]);
	free(TAKE_PTR(u->streams));
	u->n_streams = 0;
}

int records_check(const struct config *c, const struct object *o, struct report *report)
{
	static const struct decode_env nothing;
	int err = 0;

	for (size_t i = 0; i < c->records.count; i++) {
		struct record_stream s = {0};

		if (stream_init(&s, c, &c->records.items[i], o, &nothing, report))
			err = -EINVAL;
		stream_free(&s);
	}
	return err;
}

/* ---- reading ---- */

static void on_record(void *ctx, const void *record, size_t len)
{
	struct record_stream *s = ctx;
	size_t at = s->next % KEPT;

	if (len < s->size) {
		s->malformed++;
		return;
	}
	memcpy(s->kept + at * s->size, record, s->size);
	s->times[at] = clock_realtime_seconds();
	s->next++;
}

static void tell_programs(const struct record_stream *s, uint32_t wanted)
{
	const uint32_t first = 0;
	int err = s->wanted_fd < 0 ? 0 : mapwrite_put(s->wanted_fd, &first, &wanted);

	if (err)
		log_warn("cannot tell the programs that records '%s' are%s wanted: %s",
			 s->config->name.text, wanted ? "" : " not", strerror(-err));
}

static int want(struct record_stream *s, struct error *e)
{
	int err;

	s->asked_ns = clock_monotonic_ns();
	if (s->wanted)
		return 0;
	s->kept = calloc(KEPT, s->size);
	s->times = calloc(KEPT, sizeof(*s->times));
	err = s->kept && s->times ? 0 : error_set(e, -ENOMEM, "no memory for records");
	if (!err)
		err = ring_open(&s->map, on_record, s, &s->ring, e);
	if (err) {
		free(TAKE_PTR(s->kept));
		free(TAKE_PTR(s->times));
		return err;
	}
	/* Whoever saw the first 0 began before anything came. */
	s->next = MAX(s->next, (uint64_t)1);
	s->wanted = true;
	tell_programs(s, 1);
	return 0;
}

static void unwant(struct record_stream *s)
{
	if (!s->wanted)
		return;
	tell_programs(s, 0);
	/* What is still in it would be shown as new the next time. */
	ring_drain(s->ring);
	ring_close(TAKE_PTR(s->ring));
	free(TAKE_PTR(s->kept));
	free(TAKE_PTR(s->times));
	s->wanted = false;
}

static int add_lost(void *ctx, const uint8_t *keys, const uint8_t *values, size_t count)
{
	struct record_stream *s = ctx;
	size_t n = count * mapread_value_stride(s->lost) / sizeof(uint64_t);

	(void)keys;
	for (size_t i = 0; i < n; i++) {
		uint64_t number;

		memcpy(&number, values + i * sizeof(number), sizeof(number));
		s->lost_records += number;
	}
	return 0;
}

static int count_lost(struct record_stream *s, uint64_t *ret, struct error *e)
{
	int err;

	s->lost_records = 0;
	err = s->lost ? mapread_all(s->lost, add_lost, s, e) : 0;
	*ret = s->lost_records;
	return err;
}

/* ---- finding ---- */

static int report_none(const struct agent *a, const char *module, const char *name, struct error *e)
{
	_cleanup_buf_ struct buf names = {0};

	for (size_t i = 0; i < a->n_units; i++) {
		for (size_t k = 0; k < a->units[i]->n_streams; k++) {
			const struct record_stream *s = &a->units[i]->streams[k];

			if (STREQ(s->module->config->name, module))
				buf_printf(&names, "%s%s", names.len ? ", " : "",
					   s->config->name.text);
		}
	}
	return error_set_usage(e,
			       "the daemon has no records '%s' of '%s'; it has: %s; what runs: "
			       "wiregauge status",
			       name ? name : "", module, names.len ? buf_str(&names) : "none");
}

static struct record_stream *find_stream(const struct agent *a, const char *module,
					 const char *name)
{
	for (size_t i = 0; i < a->n_units; i++) {
		for (size_t k = 0; k < a->units[i]->n_streams; k++) {
			struct record_stream *s = &a->units[i]->streams[k];

			if (STREQ(s->module->config->name, module) &&
			    (!name || STREQ(s->config->name.text, name)))
				return s;
		}
	}
	return NULL;
}

/* ---- asking ---- */

/* Records from number `first` on. */
struct range {
	const struct record_stream *stream;
	uint64_t first;
};

static struct sheet_record record_at(const void *ctx, size_t index)
{
	const struct range *r = ctx;
	size_t at = (r->first + index) % KEPT;

	return (struct sheet_record){r->stream->kept + at * r->stream->size, r->stream->times[at]};
}

/* Iterators may have records to send: so they run not only when metrics are read. */
static void iterate(struct agent *a, struct record_stream *s)
{
	if (s->asked_ns - s->iterated_ns < ITERATE_EVERY_NS)
		return;
	/* A scrape is under way, which runs them. */
	if (pthread_mutex_trylock(&a->scrape_lock))
		return;
	s->iterated_ns = s->asked_ns;
	placements_run(s->unit);
	pthread_mutex_unlock(&a->scrape_lock);
}

static int answer(struct record_stream *s, uint64_t after, const struct sheet_question *q,
		  struct buf *out, struct error *e)
{
	struct range range = {.stream = s};
	uint64_t oldest, lost;
	int err = ring_drain(s->ring);

	if (err < 0)
		return error_set(e, err, "cannot read the records of map '%s': %s", s->map.name,
				 strerror(-err));
	err = count_lost(s, &lost, e);
	if (err)
		return err;
	if (after == 0 || after > s->next)
		after = s->next;
	oldest = s->next > KEPT ? s->next - KEPT : 1;
	range.first = MAX(after, oldest);
	buf_printf(out,
		   "{\"next\":%llu,\"lost\":%llu,\"malformed\":%llu,\"skipped\":%llu,\"help\":",
		   (unsigned long long)s->next, (unsigned long long)lost,
		   (unsigned long long)s->malformed, (unsigned long long)(range.first - after));
	json_add_string(out, s->config->help.text);
	buf_add_char(out, ',');
	err = sheet_answer_records(s->sheet, q, (size_t)(s->next - range.first), record_at, &range,
				   out, e);
	buf_add_str(out, "}\n");
	return err;
}

int records_answer(struct agent *a, const char *module, const char *name, uint64_t after,
		   const struct sheet_question *q, struct buf *out, struct error *e)
{
	const struct itimerspec tick = {.it_value.tv_sec = TICK_SECONDS,
					.it_interval.tv_sec = TICK_SECONDS};
	struct record_stream *s;
	int err;

	pthread_mutex_lock(&a->sheets_lock);
	s = find_stream(a, module, name);
	if (!s) {
		err = report_none(a, module, name, e);
	} else if (q->end) {
		buf_add_str(out, "{}");
		err = 0;
	} else {
		err = want(s, e);
		if (!err)
			timerfd_settime(a->records_timer, 0, &tick, NULL);
		if (!err)
			err = answer(s, after, q, out, e);
		/* Not before: who asks for the first time gets what comes since then. */
		if (!err)
			iterate(a, s);
	}
	pthread_mutex_unlock(&a->sheets_lock);
	return err;
}

/* ---- when nobody asks any more ---- */

int records_timer_open(void)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

	return fd < 0 ? -errno : fd;
}

/* Whether it is still wanted. */
static bool expire(struct record_stream *s, uint64_t now)
{
	if (s->wanted && now - s->asked_ns > UNWANTED_AFTER_NS)
		unwant(s);
	return s->wanted;
}

void records_tick(struct agent *a)
{
	const struct itimerspec off = {0};
	uint64_t now = clock_monotonic_ns(), ticks;
	bool wanted = false;

	if (read(a->records_timer, &ticks, sizeof(ticks)) != sizeof(ticks))
		return;
	pthread_mutex_lock(&a->sheets_lock);
	for (size_t i = 0; i < a->n_units; i++) {
		for (size_t k = 0; k < a->units[i]->n_streams; k++)
			wanted |= expire(&a->units[i]->streams[k], now);
	}
	if (!wanted)
		timerfd_settime(a->records_timer, 0, &off, NULL);
	pthread_mutex_unlock(&a->sheets_lock);
}
