// SPDX-License-Identifier: MIT
#include "engine/slices.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/log.h"
#include "engine/placement.h"

#define SLICE_NS (200 * NSEC_PER_MSEC)

/* Probes that are attached and detached together. */
struct slice_group {
	const struct module *module;
	const char *option;
	double share;
	bool attached;          /* what of it can be */
	uint64_t due_ns;        /* when it is to be attached, or detached */
	uint64_t since_ns;      /* when it was attached */
	uint64_t held_until_ns; /* not detached before */
};

/* One of them. */
struct sliced_probe {
	const struct probe *probe;
	struct slice_group *group;
	bool attached;        /* in the last slice, or in the one that goes on */
	char *failure;        /* why it was not; NULL */
	uint64_t observed_ns; /* without the slice that goes on */
};

struct slices {
	struct unit *unit;
	pthread_mutex_t lock; /* of what is below; not held while programs are attached */
	pthread_cond_t wake;
	pthread_t thread;
	bool runs;
	bool stop;
	struct slice_group *groups;
	size_t n_groups;
	struct sliced_probe *probes;
	size_t n_probes;
	uint64_t failure_logged; /* log_due() */
};

static bool is_of(const struct probe *p, const struct slice_group *g)
{
	return p->state == PROBE_USED && p->sampling.kind == SAMPLING_SLICES &&
	       p->module == g->module && STREQ(p->config->sampled.text, g->option);
}

static struct slice_group *find_group(const struct slices *s, const struct probe *p)
{
	for (size_t i = 0; s && i < s->n_groups; i++) {
		if (is_of(p, &s->groups[i]))
			return &s->groups[i];
	}
	return NULL;
}

static struct sliced_probe *find_probe(const struct slices *s, const struct probe *p)
{
	for (size_t i = 0; s && i < s->n_probes; i++) {
		if (s->probes[i].probe == p)
			return &s->probes[i];
	}
	return NULL;
}

/* ---- attaching ---- */

static bool belongs(const struct slices *s, const struct probe *probe, size_t placement)
{
	const struct unit *u = s->unit;
	const struct unit_program *p = &u->programs[u->placements[placement].program];

	return p->probe == probe && probe_uses(probe, p->info.name);
}

/* In the reverse of the order in which they were attached: what was needed first goes last. */
static void detach_programs(const struct slices *s, const struct probe *p)
{
	for (size_t i = s->unit->n_placements; i > 0; i--) {
		if (belongs(s, p, i - 1))
			placement_detach_all(s->unit, &s->unit->placements[i - 1]);
	}
}

/* All of them or none. */
static int attach_programs(const struct slices *s, const struct probe *p, struct error *e)
{
	int err = 0;

	for (size_t i = 0; !err && i < s->unit->n_placements; i++) {
		if (belongs(s, p, i))
			err = placement_attach(s->unit, &s->unit->placements[i], e);
	}
	if (err)
		detach_programs(s, p);
	return err;
}

/* ---- time ---- */

/* From 0.5 to 1.5. */
static double random_factor(void)
{
	uint32_t number;

	if (getrandom(&number, sizeof(number), 0) != sizeof(number))
		number = UINT32_MAX / 2;
	return 0.5 + (double)number / ((double)UINT32_MAX + 1);
}

static uint64_t random_gap(const struct slice_group *g)
{
	return (uint64_t)((double)SLICE_NS * (1 / g->share - 1) * random_factor());
}

/* The lock is held but for the time that it takes. A probe that fails misses the slice alone. */
static bool begin_probe(struct slices *s, struct sliced_probe *p)
{
	struct error error;
	int err;

	pthread_mutex_unlock(&s->lock);
	err = attach_programs(s, p->probe, &error);
	if (err && log_due(&s->failure_logged))
		log_warn("%s: probe '%s' misses a slice: %s", p->group->module->config->name,
			 p->probe->config->name.text, error.text);
	pthread_mutex_lock(&s->lock);
	free(TAKE_PTR(p->failure));
	p->failure = err ? strdup(error.text) : NULL;
	p->attached = !err;
	return p->attached;
}

static void begin_slice(struct slices *s, struct slice_group *g)
{
	bool any = false;

	for (size_t i = 0; i < s->n_probes; i++) {
		if (s->probes[i].group == g && begin_probe(s, &s->probes[i]))
			any = true;
	}
	g->attached = any;
	g->since_ns = clock_monotonic_ns();
	g->due_ns = g->since_ns + (any ? SLICE_NS : random_gap(g));
	if (!any)
		g->held_until_ns = 0;
}

static uint64_t observed_ns(const struct sliced_probe *p)
{
	bool observes = p->group->attached && p->attached;

	return p->observed_ns + (observes ? clock_monotonic_ns() - p->group->since_ns : 0);
}

static void end_slice(struct slices *s, struct slice_group *g)
{
	for (size_t i = 0; i < s->n_probes; i++) {
		if (s->probes[i].group == g)
			s->probes[i].observed_ns = observed_ns(&s->probes[i]);
	}
	g->attached = false;
	pthread_mutex_unlock(&s->lock);
	for (size_t i = s->n_probes; i > 0; i--) {
		if (s->probes[i - 1].group == g)
			detach_programs(s, s->probes[i - 1].probe);
	}
	pthread_mutex_lock(&s->lock);
	g->due_ns = clock_monotonic_ns() + random_gap(g);
}

/* When the group is to be attached, or detached. */
static uint64_t next_step(const struct slice_group *g)
{
	if (g->attached)
		return MAX(g->due_ns, g->held_until_ns);
	return clock_monotonic_ns() < g->held_until_ns ? 0 : g->due_ns;
}

static void step(struct slices *s, struct slice_group *g)
{
	if (clock_monotonic_ns() < next_step(g))
		return;
	if (g->attached)
		end_slice(s, g);
	else
		begin_slice(s, g);
}

static void wait_until(struct slices *s, uint64_t when_ns)
{
	struct timespec when = {.tv_sec = (time_t)(when_ns / NSEC_PER_SEC),
				.tv_nsec = (long)(when_ns % NSEC_PER_SEC)};

	pthread_cond_timedwait(&s->wake, &s->lock, &when);
}

static void *run(void *ctx)
{
	struct slices *s = ctx;

	pthread_mutex_lock(&s->lock);
	while (!s->stop) {
		uint64_t next = UINT64_MAX;

		for (size_t i = 0; !s->stop && i < s->n_groups; i++)
			step(s, &s->groups[i]);
		for (size_t i = 0; i < s->n_groups; i++)
			next = MIN(next, next_step(&s->groups[i]));
		if (!s->stop)
			wait_until(s, next);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

/* ---- life ---- */

static struct slice_group *add_group(struct slices *s, const struct probe *p, uint64_t now)
{
	struct slice_group *g = &s->groups[s->n_groups++];

	*g = (struct slice_group){
		.module = p->module,
		.option = p->config->sampled.text,
		.share = p->sampling.share,
		.attached = true,
		.since_ns = now,
		.due_ns = now + SLICE_NS,
	};
	return g;
}

static void add_probe(struct slices *s, const struct probe *p, uint64_t now)
{
	struct slice_group *g = find_group(s, p);

	if (p->state != PROBE_USED || p->sampling.kind != SAMPLING_SLICES)
		return;
	s->probes[s->n_probes++] = (struct sliced_probe){.probe = p,
							 .group = g ? g : add_group(s, p, now),
							 .attached = true};
}

static void slices_free(struct slices *s)
{
	for (size_t i = 0; i < s->n_probes; i++)
		free(s->probes[i].failure);
	pthread_cond_destroy(&s->wake);
	pthread_mutex_destroy(&s->lock);
	free(s->probes);
	free(s->groups);
	free(s);
}

static struct slices *slices_new(struct unit *u)
{
	struct slices *s = calloc(1, sizeof(*s));
	pthread_condattr_t clock;

	if (!s)
		return NULL;
	s->unit = u;
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&s->wake, &clock);
	pthread_condattr_destroy(&clock);
	s->n_groups = 0;
	s->groups = calloc(MAX(u->n_probes, (size_t)1), sizeof(*s->groups));
	s->probes = calloc(MAX(u->n_probes, (size_t)1), sizeof(*s->probes));
	if (s->groups && s->probes)
		return s;
	slices_free(s);
	return NULL;
}

int slices_start(struct unit *u)
{
	uint64_t now = clock_monotonic_ns();

	u->attached_ns = now;
	u->slices = slices_new(u);
	if (!u->slices)
		return -ENOMEM;
	for (size_t i = 0; i < u->n_probes; i++)
		add_probe(u->slices, &u->probes[i], now);
	for (size_t i = 0; i < u->n_placements; i++) {
		const struct probe *p = u->programs[u->placements[i].program].probe;

		u->placements[i].in_slices = p && find_group(u->slices, p);
	}
	return 0;
}

int slices_run(struct unit *u, struct error *e)
{
	struct slices *s = u->slices;
	int err;

	if (!s || s->runs || s->n_groups == 0)
		return 0;
	err = pthread_create(&s->thread, NULL, run, s);
	if (err)
		return error_set(e, -err, "cannot start the thread that attaches in slices: %s",
				 strerror(err));
	pthread_setname_np(s->thread, "slices");
	s->runs = true;
	return 0;
}

void slices_stop(struct unit *u)
{
	struct slices *s = TAKE_PTR(u->slices);

	if (!s)
		return;
	if (s->runs) {
		pthread_mutex_lock(&s->lock);
		s->stop = true;
		pthread_cond_signal(&s->wake);
		pthread_mutex_unlock(&s->lock);
		pthread_join(s->thread, NULL);
	}
	slices_free(s);
}

/* ---- those who look ---- */

void slices_hold(struct unit *u, const char *name)
{
	struct slices *s = u->slices;
	uint64_t until = clock_monotonic_ns() + SLICES_HOLD_NS;

	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->n_groups; i++) {
		if (STREQ(s->groups[i].module->config->name, name))
			s->groups[i].held_until_ns = until;
	}
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
}

void slices_get_state(const struct unit *u, const struct probe *p, struct slices_state *ret)
{
	const struct sliced_probe *sliced = find_probe(u->slices, p);

	*ret = (struct slices_state){0};
	if (p->state != PROBE_USED)
		return;
	if (!sliced) {
		ret->observed_ns = clock_monotonic_ns() - u->attached_ns;
		return;
	}
	pthread_mutex_lock(&u->slices->lock);
	ret->observed_ns = observed_ns(sliced);
	ret->held = clock_monotonic_ns() < sliced->group->held_until_ns;
	ret->failing = !sliced->attached;
	pthread_mutex_unlock(&u->slices->lock);
}

char *slices_get_failure(const struct unit *u, const struct probe *p)
{
	const struct sliced_probe *sliced = find_probe(u->slices, p);
	char *failure = NULL;

	if (!sliced)
		return NULL;
	pthread_mutex_lock(&u->slices->lock);
	if (sliced->failure)
		failure = strdup(sliced->failure);
	pthread_mutex_unlock(&u->slices->lock);
	return failure;
}
