// SPDX-License-Identifier: MIT
#include "guard_detect.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "guard_map.h"
#include "guard_state.h"
#include "kernel/mapwrite.h"

#define SHARE_ONE 4294967295.0 /* of guard_defence.drop_share */

/* Of the limit: what a /24 or /48 may have of a destination that is defended. */
enum { NETWORKS_AT_LIMIT = 10 };

/* ---- one destination ---- */

double guard_watch_limit(const struct guard_detect_options *o, const struct guard_watch *w,
			 bool of_syns)
{
	double usual = of_syns ? w->usual.syns : w->usual.packets;

	return MAX((double)(of_syns ? o->least_syns : o->least), o->factor * usual);
}

/* Connections that come about have more ACKs than SYNs. */
static bool are_syns_over(const struct guard_detect_options *o, const struct guard_watch *w,
			  const struct guard_traffic *now, double part)
{
	return now->syns > part * guard_watch_limit(o, w, true) && now->acks < now->syns;
}

static bool are_packets_over(const struct guard_detect_options *o, const struct guard_watch *w,
			     const struct guard_traffic *now, double part)
{
	return now->packets > part * guard_watch_limit(o, w, false);
}

static void average(double *usual, double now, bool seen)
{
	*usual = seen ? *usual + (now - *usual) / GUARD_DETECT_AVERAGE_S : now;
}

static void learn(struct guard_watch *w, const struct guard_traffic *now)
{
	/* Its first packet came within the first second, of which that is then a part only: of a
	 * flood that begins, what would seem to be usual. */
	if (!w->begun) {
		w->begun = true;
		return;
	}
	average(&w->usual.packets, now->packets, w->seen);
	average(&w->usual.syns, now->syns, w->seen);
	average(&w->usual.acks, now->acks, w->seen);
	average(&w->usual.new_sources, now->new_sources, w->seen);
	w->seen = true;
}

static enum guard_detect_event look(const struct guard_detect_options *o, struct guard_watch *w,
				    const struct guard_traffic *now, enum guard_detect_may may)
{
	bool over = are_syns_over(o, w, now, 1) || are_packets_over(o, w, now, 1);

	if (!over || may == GUARD_DETECT_LEARN) {
		w->over = 0;
		learn(w, now);
		return GUARD_DETECT_NOTHING;
	}
	w->over += w->over < GUARD_DETECT_ENTER_S;
	if (w->over < GUARD_DETECT_ENTER_S || may != GUARD_DETECT_BEGIN)
		return GUARD_DETECT_NOTHING;
	w->defended = true;
	w->calm = 0;
	w->defended_s = 0;
	return GUARD_DETECT_BEGINS;
}

static enum guard_detect_event look_whether_it_ends(const struct guard_detect_options *o,
						    struct guard_watch *w,
						    const struct guard_traffic *now)
{
	bool goes_on = are_syns_over(o, w, now, 0.5) || are_packets_over(o, w, now, 0.5);

	w->calm = goes_on ? 0 : w->calm + 1;
	w->defended_s++;
	if (w->calm < o->hold_s && w->defended_s < o->longest_s)
		return GUARD_DETECT_NOTHING;
	/* An attack that never ends is no attack, but how it is now. */
	if (w->calm < o->hold_s)
		w->usual = *now;
	w->defended = false;
	w->over = 0;
	return GUARD_DETECT_ENDS;
}

/* Mostly SYNs: cookies are enough. Else as large a share is dropped as is over the limit. */
static struct guard_defence order(const struct guard_detect_options *o, struct guard_watch *w,
				  const struct guard_traffic *now)
{
	double limit = guard_watch_limit(o, w, false), share;
	struct guard_defence d = {0};

	w->by_syns = are_syns_over(o, w, now, 0.5) && now->syns > now->packets / 2;
	if (w->by_syns) {
		d.flags = GUARD_DEFENCE_COOKIES;
		return d;
	}
	share = now->packets > limit ? 1 - limit / now->packets : 0;
	d.drop_share = (uint32_t)(MIN(share, o->drop_share_max) * SHARE_ONE);
	d.fair_share = (uint32_t)MAX(1.0, limit * GUARD_DETECT_SKETCH_S / GUARD_SKETCH_SAMPLE /
						  NETWORKS_AT_LIMIT);
	return d;
}

enum guard_detect_event guard_watch_step(const struct guard_detect_options *o,
					 struct guard_watch *w, const struct guard_traffic *now,
					 enum guard_detect_may may, struct guard_defence *ret)
{
	enum guard_detect_event event =
		w->defended ? look_whether_it_ends(o, w, now) : look(o, w, now, may);

	*ret = w->defended ? order(o, w, now) : (struct guard_defence){0};
	return event;
}

/* ---- all of them ---- */

int guard_detect_open(struct guard *g, const struct object *o, struct error *e)
{
	struct guard_detect *d = &g->detect;
	int cpus = libbpf_num_possible_cpus();

	if (object_find_map(o, "guard_destinations", &d->destinations) ||
	    object_find_map(o, "guard_defence", &d->defence) ||
	    object_find_map(o, "guard_sketch", &d->sketch))
		return error_set(e, -ENOENT, "the object has not the maps of guard.h");
	d->cpus = cpus > 0 ? (unsigned)cpus : 1;
	d->started_ns = clock_monotonic_ns();
	if (!g->options.detect.on)
		return 0;
	d->watches = calloc(GUARD_DESTINATIONS, sizeof(*d->watches));
	d->totals = calloc(GUARD_DESTINATIONS, sizeof(*d->totals));
	return d->watches && d->totals ? 0 : error_set(e, -ENOMEM, "no memory to detect floods");
}

void guard_detect_close(struct guard_detect *d)
{
	free(d->watches);
	free(d->totals);
	*d = (struct guard_detect){0};
}

static void add_up(struct guard_destination *sum, const struct guard_destination *one)
{
	sum->packets += one->packets;
	sum->syns += one->syns;
	sum->acks += one->acks;
	sum->new_sources += one->new_sources;
	/* The name of whichever CPU has one: it is the slot's last that was looked at. */
	if (one->protocol || !sum->protocol) {
		memcpy(sum->address, one->address, sizeof(sum->address));
		sum->port = one->port;
		sum->protocol = one->protocol;
	}
}

static void sum_cpus(const void *values, unsigned cpus, struct guard_destination *ret)
{
	const uint8_t *at = values;

	memset(ret, 0, sizeof(*ret));
	for (unsigned i = 0; i < cpus; i++, at += sizeof(*ret)) {
		struct guard_destination one;

		memcpy(&one, at, sizeof(one));
		add_up(ret, &one);
	}
}

struct round {
	struct guard *g;
	double seconds; /* since the last one */
	bool first;     /* there is nothing to compare with */
	bool learns;    /* nothing is an attack yet */
};

static enum guard_detect_may may_begin(const struct round *r)
{
	if (r->learns)
		return GUARD_DETECT_LEARN;
	return r->g->detect.defended < GUARD_DETECT_DEFENDED_MAX ? GUARD_DETECT_BEGIN
								 : GUARD_DETECT_ENOUGH;
}

static struct guard_traffic traffic_since(const struct guard_destination *before,
					  const struct guard_destination *now, double seconds)
{
	return (struct guard_traffic){
		.packets = (double)(now->packets - before->packets) / seconds,
		.syns = (double)(now->syns - before->syns) / seconds,
		.acks = (double)(now->acks - before->acks) / seconds,
		.new_sources = (double)(now->new_sources - before->new_sources) / seconds,
	};
}

static void name_destination(const struct guard_destination *d, struct buf *text)
{
	struct guard_prefix p = {.prefixlen = GUARD_ADDRESS_BITS};

	memcpy(p.address, d->address, sizeof(p.address));
	guard_prefix_add_text(&p, text);
	if (d->protocol == IPPROTO_TCP || d->protocol == IPPROTO_UDP)
		buf_printf(text, " %u/%s", d->port, d->protocol == IPPROTO_TCP ? "tcp" : "udp");
	else
		buf_printf(text, " protocol %u", d->protocol);
}

static void note_event(struct guard *g, enum guard_detect_event event, const struct guard_watch *w,
		       const struct guard_destination *destination, const struct guard_traffic *now)
{
	_cleanup_buf_ struct buf name = {0};
	bool begins = event == GUARD_DETECT_BEGINS;

	g->detect.defended += begins ? 1 : (size_t)-1;
	name_destination(destination, &name);
	guard_log_write(&g->log, begins ? "defend" : "defend no more", buf_str(&name), "guard",
			"%.0f packets/s (usually %.0f, too many %.0f), %.0f SYNs/s (usually %.0f), "
			"%.0f ACKs/s, %.0f new sources/s%s",
			now->packets, w->usual.packets,
			guard_watch_limit(&g->options.detect, w, false), now->syns, w->usual.syns,
			now->acks, now->new_sources,
			!begins      ? ""
			: w->by_syns ? ": cookies"
				     : ": a share is dropped");
}

static int look_at_slot(void *ctx, const void *key, const void *value)
{
	const struct round *r = ctx;
	struct guard_detect *d = &r->g->detect;
	struct guard_destination before, now;
	enum guard_detect_event event;
	struct guard_traffic traffic;
	struct guard_defence defence;
	struct guard_watch *w;
	bool was_defended;
	uint32_t slot;

	memcpy(&slot, key, sizeof(slot));
	sum_cpus(value, d->cpus, &now);
	before = d->totals[slot];
	d->totals[slot] = now;
	if (r->first || !now.packets)
		return 0;
	w = &d->watches[slot];
	was_defended = w->defended;
	traffic = traffic_since(&before, &now, r->seconds);
	event = guard_watch_step(&r->g->options.detect, w, &traffic, may_begin(r), &defence);
	if (event)
		note_event(r->g, event, w, &now, &traffic);
	/* It follows what comes, second by second. */
	return was_defended || w->defended ? mapwrite_put(d->defence.fd, &slot, &defence) : 0;
}

/* The half that was looked at begins anew and is counted in; the other one is looked at. */
static int flip_sketch(struct guard *g, uint64_t now)
{
	struct guard_detect *d = &g->detect;
	uint32_t next = !(g->settings->sketch_half & 1);
	void *zeros = calloc(d->cpus, sizeof(struct guard_sketch));
	int err = zeros ? mapwrite_put(d->sketch.fd, &next, zeros) : -ENOMEM;

	free(zeros);
	if (!err)
		__atomic_store_n(&g->settings->sketch_half, next, __ATOMIC_RELEASE);
	d->flipped_ns = now;
	return err;
}

int guard_detect_reset(struct guard *g)
{
	const struct guard_defence none = {0};
	int err = 0;

	guard_settings_set_flag(g->settings, GUARD_DETECTION, g->options.detect.on);
	guard_settings_set_flag(g->settings, GUARD_DEFENCE, false);
	for (uint32_t slot = 0; !err && slot < GUARD_DESTINATIONS; slot++)
		err = mapwrite_put(g->detect.defence.fd, &slot, &none);
	return err;
}

bool guard_detect_learns(const struct guard *g, uint64_t now)
{
	return now - g->detect.started_ns < g->options.detect.learn_ns;
}

int guard_detect_tick(struct guard *g, uint64_t now, struct error *e)
{
	struct guard_detect *d = &g->detect;
	struct round r = {
		.g = g,
		.seconds = (double)(now - d->read_ns) / (double)NSEC_PER_SEC,
		.first = !d->read_ns,
		.learns = guard_detect_learns(g, now),
	};
	int err;

	if (!g->options.detect.on || now - d->read_ns < NSEC_PER_SEC)
		return 0;
	d->read_ns = now;
	err = guard_map_each(&d->destinations, look_at_slot, &r, e);
	guard_settings_set_flag(g->settings, GUARD_DEFENCE, d->defended);
	if (!err && now - d->flipped_ns >= GUARD_DETECT_SKETCH_S * NSEC_PER_SEC)
		err = flip_sketch(g, now);
	return err ? error_set(e, err, "cannot look for floods: %s", error_words(err)) : 0;
}
