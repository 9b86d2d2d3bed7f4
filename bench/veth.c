// SPDX-License-Identifier: MIT
/*
 * What it costs traffic between two hosts that one of them is measured:
 *
 *	veth BUILD_DIR [ROUNDS [MS]]	prints JSON
 *
 * Two network namespaces and a veth pair between them. For each kind of traffic, runs of MS
 * milliseconds take turns: without the daemon, with it at one end while nothing sampled is
 * attached, and with all of that attached, which is so for a share of the time (engine/slices.h).
 * Whichever is first changes as well; what is shown are ratios within a round, their median and
 * quartiles. Then small packets as fast as they come, with nobody, with the module packets, and
 * with an event for each packet read in three ways (events.h), in turn.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/macro.h"
#include "daemon.h"
#include "events.h"
#include "traffic.h"

enum {
	ROUNDS_MAX = 64,
	DEFAULT_ROUNDS = 16,
	DEFAULT_MS = 500,
	FIRST_SLICE_MS = 250, /* it begins at the start, the next is seconds later */
};

struct context {
	const char *build_dir;
	char binary[4096];
	unsigned rounds, ms;
};

/* Who looks on. */
struct onlooker {
	const char *name, *help;
	bool is_daemon, sends_events;
	const char *args[5]; /* the daemon's */
	enum events_wakeup wakeup;
};

enum { NOBODY, PACKETS, ONLOOKERS = 5, WIREGAUGE = ONLOOKERS, IN_SLICE, ALL_ONLOOKERS };

static const struct onlooker onlookers[ALL_ONLOOKERS] = {
	[NOBODY] = {"nobody", "nobody looks on"},
	[PACKETS] = {"packets", "module packets, added up in the kernel", .is_daemon = true,
		     .args = {"--module=packets"}},
	{"events_polled", "an event each, read every 10 ms", .sends_events = true,
	 .wakeup = EVENTS_POLLED},
	{"events_default", "an event each, libbpf's wake-ups", .sends_events = true,
	 .wakeup = EVENTS_DEFAULT},
	{"events_each", "an event each, a wake-up each", .sends_events = true,
	 .wakeup = EVENTS_EACH},
	[WIREGAUGE] = {"wiregauge", "wiregauge between slices", .is_daemon = true},
	[IN_SLICE] = {"in_slice", "wiregauge in a slice", .is_daemon = true,
		      .args = {"--option", "latency.sampling=always", "--option",
			       "tcp.sampling=always"}},
};

static const struct {
	const char *name, *help, *unit;
} kinds[TRAFFIC_KINDS] = {
	[TRAFFIC_BULK] = {"bulk", "bulk TCP, super-packets", "bytes"},
	[TRAFFIC_SEGMENTS] = {"segments", "bulk TCP, 1,500-byte packets", "bytes"},
	[TRAFFIC_SMALL] = {"small", "60-byte UDP packets", "packets"},
	[TRAFFIC_UNREAD] = {"unread", "60-byte UDP packets, each dropped", "packets"},
	[TRAFFIC_ECHO] = {"echo", "TCP request and response", "round trips"},
};

/* One run. */
struct sample {
	double rate;       /* units in a second */
	double cpu;        /* ns for a unit, the onlooker's with it */
	double packet_cpu; /* ns for a packet at the interface */
	uint64_t seen, lost;
};

static struct sample run(const struct context *c, const struct onlooker *who,
			 enum traffic_kind kind)
{
	static const struct timespec first_slice = {.tv_nsec = FIRST_SLICE_MS * NSEC_PER_MSEC};
	const char *args[ARRAY_SIZE(who->args) + 1] = {NULL};
	struct bench_daemon d;
	struct events *e = NULL;
	struct traffic_result r;
	struct sample s = {0};
	struct buf page = {0};
	uint64_t cpu = 0;

	if (who->is_daemon) {
		memcpy(args, who->args, sizeof(who->args));
		bench_daemon_start(&d, c->binary, args, NULL, &page);
		nanosleep(&first_slice, NULL);
		cpu = bench_daemon_cpu_ns(&d);
	} else if (who->sends_events) {
		e = events_start(c->build_dir, traffic_ifindex(), who->wakeup);
	}
	r = traffic_run(kind, c->ms);
	if (who->is_daemon) {
		r.cpu_ns += bench_daemon_cpu_ns(&d) - cpu;
		bench_daemon_stop(&d);
	} else if (who->sends_events) {
		events_stop(e, &s.seen, &s.lost);
	}
	buf_free(&page);
	s.rate = r.units / r.seconds;
	s.cpu = (double)r.cpu_ns / r.units;
	s.packet_cpu = (double)r.cpu_ns / r.packets;
	return s;
}

/* ---- figures ---- */

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* "name": {"q1": …, "median": …, "q3": …} */
static void print_quartiles(const char *name, double *values, size_t count, const char *end)
{
	qsort(values, count, sizeof(*values), compare);
	printf("\"%s\": {\"q1\": %.4f, \"median\": %.4f, \"q3\": %.4f}%s", name, values[count / 4],
	       values[count / 2], values[count * 3 / 4], end);
}

struct columns {
	double rate[ROUNDS_MAX], cpu[ROUNDS_MAX], packet_cpu[ROUNDS_MAX];
};

static void put(struct columns *to, size_t round, double rate, double cpu, double packet_cpu)
{
	to->rate[round] = rate;
	to->cpu[round] = cpu;
	to->packet_cpu[round] = packet_cpu;
}

/* What a kind of traffic is run beside. */
enum { WITHOUT, BETWEEN, DURING, WAYS };

static const unsigned onlooker_of[WAYS] = {
	[WITHOUT] = NOBODY, [BETWEEN] = WIREGAUGE, [DURING] = IN_SLICE};

static void print_kind(enum traffic_kind kind, const struct context *c,
		       struct columns columns[WAYS], struct columns ratios[WAYS])
{
	printf("  {\"name\": \"%s\", \"help\": \"%s\", \"unit\": \"%s\", \"rounds\": %u,\n   ",
	       kinds[kind].name, kinds[kind].help, kinds[kind].unit, c->rounds);
	print_quartiles("rate_without", columns[WITHOUT].rate, c->rounds, ",\n   ");
	print_quartiles("rate_with", columns[BETWEEN].rate, c->rounds, ",\n   ");
	print_quartiles("rate_ratio", ratios[BETWEEN].rate, c->rounds, ",\n   ");
	print_quartiles("slice_rate_ratio", ratios[DURING].rate, c->rounds, ",\n   ");
	print_quartiles("cpu_ratio", ratios[BETWEEN].cpu, c->rounds, ",\n   ");
	print_quartiles("slice_cpu_ratio", ratios[DURING].cpu, c->rounds, ",\n   ");
	print_quartiles("packet_cpu_ns_without", columns[WITHOUT].packet_cpu, c->rounds, ",\n   ");
	print_quartiles("packet_cpu_ns_with", columns[BETWEEN].packet_cpu, c->rounds, "}");
}

static void run_kind(const struct context *c, enum traffic_kind kind)
{
	struct columns columns[WAYS], ratios[WAYS];

	traffic_prepare(kind);
	run(c, &onlookers[NOBODY], kind);
	for (unsigned i = 0; i < c->rounds; i++) {
		struct sample s[WAYS];

		for (unsigned k = 0; k < WAYS; k++) {
			unsigned way = (i + k) % WAYS;

			s[way] = run(c, &onlookers[onlooker_of[way]], kind);
		}
		for (unsigned way = 0; way < WAYS; way++) {
			put(&columns[way], i, s[way].rate, s[way].cpu, s[way].packet_cpu);
			put(&ratios[way], i, s[way].rate / s[WITHOUT].rate,
			    s[way].cpu / s[WITHOUT].cpu, 0);
		}
	}
	print_kind(kind, c, columns, ratios);
}

/* ---- beside an event for each packet ---- */

struct flood {
	struct columns columns, over; /* over: against nobody, within a round */
	uint64_t seen, lost;
};

static void run_round(const struct context *c, struct flood *floods, unsigned round)
{
	struct sample s[ONLOOKERS];

	for (unsigned k = 0; k < ONLOOKERS; k++) {
		unsigned who = (round + k) % ONLOOKERS;

		s[who] = run(c, &onlookers[who], TRAFFIC_UNREAD);
	}
	for (unsigned who = 0; who < ONLOOKERS; who++) {
		put(&floods[who].columns, round, s[who].rate, s[who].cpu, s[who].packet_cpu);
		put(&floods[who].over, round, s[who].rate / s[NOBODY].rate,
		    s[who].packet_cpu - s[NOBODY].packet_cpu, 0);
		floods[who].seen += s[who].seen;
		floods[who].lost += s[who].lost;
	}
}

static void run_floods(const struct context *c)
{
	static struct flood floods[ONLOOKERS];

	traffic_prepare(TRAFFIC_UNREAD);
	run(c, &onlookers[NOBODY], TRAFFIC_UNREAD);
	for (unsigned i = 0; i < c->rounds; i++)
		run_round(c, floods, i);
	for (unsigned who = 0; who < ONLOOKERS; who++) {
		struct flood *f = &floods[who];

		printf("  {\"name\": \"%s\", \"help\": \"%s\", \"seen\": %lu, \"lost\": %lu,\n   ",
		       onlookers[who].name, onlookers[who].help, f->seen, f->lost);
		print_quartiles("rate", f->columns.rate, c->rounds, ",\n   ");
		print_quartiles("rate_ratio", f->over.rate, c->rounds, ",\n   ");
		print_quartiles("cpu_ns_over_nobody", f->over.cpu, c->rounds, ",\n   ");
		print_quartiles("packet_cpu_ns", f->columns.packet_cpu, c->rounds, "}");
		printf(who + 1 < ONLOOKERS ? ",\n" : "\n");
	}
}

int main(int argc, char **argv)
{
	struct context c = {.rounds = DEFAULT_ROUNDS, .ms = DEFAULT_MS};

	if (argc < 2 || argc > 4) {
		fprintf(stderr, "usage: veth BUILD_DIR [ROUNDS [MS]]\n");
		return 2;
	}
	c.build_dir = argv[1];
	snprintf(c.binary, sizeof(c.binary), "%s/wiregauge", argv[1]);
	c.rounds = argc > 2 ? (unsigned)atoi(argv[2]) : c.rounds;
	c.ms = argc > 3 ? (unsigned)atoi(argv[3]) : c.ms;
	if (c.rounds < 1 || c.rounds > ROUNDS_MAX || c.ms < 1)
		bench_fail("rounds: 1 to %d; milliseconds: at least 1", ROUNDS_MAX);
	traffic_open();
	printf("{\"ms\": %u, \"traffic\": [\n", c.ms);
	for (unsigned kind = 0; kind < TRAFFIC_KINDS; kind++) {
		run_kind(&c, (enum traffic_kind)kind);
		printf(kind + 1 < TRAFFIC_KINDS ? ",\n" : "\n");
	}
	printf(" ],\n \"flood\": [\n");
	run_floods(&c);
	printf(" ]}\n");
	traffic_close();
	return 0;
}
