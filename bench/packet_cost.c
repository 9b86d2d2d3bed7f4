/* SPDX-License-Identifier: MIT */
/*
 * What a packet costs in a pipeline, over a program that does nothing:
 *
 *	packet_cost BUILD_DIR PIPELINE PROGRAM NAME[:SWITCH=0|1[,…]]…	prints JSON
 *
 * Each NAME is a configuration of the pipeline: the `const volatile bool`s that are set before it
 * is loaded; bench/run makes them out of the manifests. Every one runs on every packet by
 * BPF_PROG_TEST_RUN, all in turn and that many times over, so that whatever else the machine does
 * meets all alike; each just after the program that does nothing (prog_run_over()). Once with all
 * caches hot, one flow and one map entry; and once with a flow drawn at random out of 100,000 for
 * each packet (spread.bpf.h), which costs the same before each.
 */
#include <errno.h>
#include <linux/if_ether.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/file.h"
#include "daemon.h"
#include "kernel/rodata.h"
#include "prog_run.h"

enum {
	FLOWS = 100000,
	VARIANTS_MAX = 32,
	PACKET_MAX = 1500 + ETH_HLEN,
};

struct variant {
	const char *name;
	int fd;
};

/* Of a packet: of one flow, and of many. */
enum { ONE, MANY, WAYS };

/* Headers as far as they are read; the rest of the packet is zeros. */
struct packet {
	const char *name;
	size_t len;
	uint32_t address_offset, port_offset;
	uint8_t bytes[PACKET_MAX];
};

/* clang-format off */
static const struct packet packets[] = {
	{
		.name = "UDP over IPv4, 64 bytes",
		.len = 64,
		.address_offset = 26,
		.port_offset = 34,
		.bytes = {
			2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x08, 0x00, /* Ethernet */
			0x45, 0, 0, 50, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2,
			0x30, 0x39, 0x01, 0xbb, 0, 30, 0, 0, /* UDP, to port 443 */
		},
	},
	{
		.name = "a DNS query over IPv4",
		.len = 75,
		.address_offset = 26,
		.port_offset = 34,
		.bytes = {
			2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x08, 0x00, /* Ethernet */
			0x45, 0, 0, 61, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2,
			0x30, 0x39, 0, 53, 0, 41, 0, 0, /* UDP */
			0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, /* header */
			3, 'w', 'w', 'w', 7, 'e', 'x', 'a', 'm', 'p', 'l', 'e', 3, 'c', 'o', 'm', 0,
			0, 1, 0, 1, /* A, IN */
		},
	},
	{
		.name = "TCP over IPv6, 1500 bytes",
		.len = 1500,
		.address_offset = 34,
		.port_offset = 54,
		.bytes = {
			2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x86, 0xdd, /* Ethernet */
			0x60, 0, 0, 0, 0x05, 0xa6, 6, 64, /* IPv6 */
			0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, /* source */
			0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, /* target */
			0x30, 0x39, 0, 80, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, /* TCP */
		},
	},
};
/* clang-format on */

/* What a pipeline of a kind of programs is measured against. */
static const struct kind {
	const char *section; /* SEC() of its programs, without '?' */
	const char *bare;    /* the object that has the programs `bare` and `spread` */
	uint32_t flags;      /* these have to have the same, as one calls the other */
	int verdict;         /* what a program gives back that lets the packet go on */
} kinds[] = {
	{"tc", "bench/bare", 0, -1 /* TC_ACT_UNSPEC */},
	{"xdp", "bench/bare_xdp", 0, XDP_PASS},
	{"xdp.frags", "bench/bare_xdp", BPF_F_XDP_HAS_FRAGS, XDP_PASS},
};

struct bench {
	const char *build_dir;
	const struct kind *kind;
	struct variant bare, variants[VARIANTS_MAX];
	size_t n_variants;
	/* The program that draws a flow, and the map that says which program gets the packet. */
	int spread[ARRAY_SIZE(packets)], measured[ARRAY_SIZE(packets)];
	struct prog_run_pair results[ARRAY_SIZE(packets)][WAYS][VARIANTS_MAX];
};

/* ---- loading; what is loaded lives until the process ends ---- */

static struct bpf_object *open_object(const struct bench *b, const char *name)
{
	struct bpf_object *object;
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s.bpf.o", b->build_dir, name);
	object = bpf_object__open_file(path, NULL);
	if (!object)
		bench_fail("cannot open %s: %s", path, strerror(errno));
	return object;
}

static struct bpf_program *find_program(const struct bpf_object *object, const char *name)
{
	struct bpf_program *found = bpf_object__find_program_by_name(object, name);

	if (!found)
		bench_fail("the object has no program '%s'", name);
	return found;
}

static int load_object(struct bpf_object *object, const char *program)
{
	struct bpf_program *found = find_program(object, program);

	/* Also one whose SEC() begins with '?'. */
	bpf_program__set_autoload(found, true);
	if (bpf_object__load(object))
		bench_fail("cannot load '%s': %s; are you root?", program, strerror(errno));
	return bpf_program__fd(found);
}

static const struct kind *find_kind(const struct bench *b, const char *pipeline,
				    const char *program)
{
	struct bpf_object *object = open_object(b, pipeline);
	const char *section = bpf_program__section_name(find_program(object, program));
	const struct kind *found = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (STREQ(kinds[i].section, section + (section[0] == '?')))
			found = &kinds[i];
	}
	bpf_object__close(object);
	if (!found)
		bench_fail("programs like '%s' cannot be measured here", program);
	return found;
}

static void set_number(struct bpf_object *object, const char *variable, uint64_t value)
{
	struct error error;

	if (rodata_set_uint(object, variable, value, &error))
		bench_fail("%s", error.text);
}

/* `bare` or `spread` */
static int load_bare(const struct bench *b, struct bpf_object *object, const char *program)
{
	struct bpf_program *each;

	/* A program array takes programs of one kind. */
	bpf_object__for_each_program(each, object) bpf_program__set_flags(each, b->kind->flags);
	return load_object(object, program);
}

/* "name=1,other=0" */
static void set_switches(struct bpf_object *object, char *switches)
{
	char *at = switches, *word;

	while ((word = strsep(&at, ","))) {
		char *value = strchr(word, '=');

		if (!value)
			bench_fail("'%s' is no switch: NAME=0 or NAME=1", word);
		*value++ = '\0';
		set_number(object, word, strtoul(value, NULL, 10));
	}
}

static void add_variant(struct bench *b, const char *name, int fd)
{
	if (b->n_variants == VARIANTS_MAX)
		bench_fail("more than %d configurations", VARIANTS_MAX);
	b->variants[b->n_variants++] = (struct variant){name, fd};
}

/* @text: "name:switches" or "name" */
static void load_variant(struct bench *b, const char *pipeline, const char *program, char *text)
{
	struct bpf_object *object = open_object(b, pipeline);
	char *switches = strchr(text, ':');

	if (switches) {
		*switches++ = '\0';
		set_switches(object, switches);
	}
	add_variant(b, text, load_object(object, program));
}

/* The program that draws a flow for each @packet and calls what is in *ret_measured. */
static int load_spread(const struct bench *b, const struct packet *packet, int *ret_measured)
{
	struct bpf_object *object = open_object(b, b->kind->bare);
	int fd;

	set_number(object, "address_offset", packet->address_offset);
	set_number(object, "port_offset", packet->port_offset);
	set_number(object, "flows", FLOWS);
	fd = load_bare(b, object, "spread");
	*ret_measured = bpf_object__find_map_fd_by_name(object, "measured");
	return fd;
}

/* ---- measuring ---- */

static double measure(const struct bench *b, const struct variant *v, size_t packet, int way)
{
	const struct packet *p = &packets[packet];
	const uint32_t zero = 0;

	if (way == ONE)
		return prog_run_ns(v->fd, p->bytes, p->len, b->kind->verdict);
	if (bpf_map_update_elem(b->measured[packet], &zero, &v->fd, BPF_ANY))
		bench_fail("cannot call '%s': %s", v->name, strerror(errno));
	return prog_run_ns(b->spread[packet], p->bytes, p->len, b->kind->verdict);
}

static void run_variants(struct bench *b, size_t packet, int way, size_t round)
{
	for (size_t i = 0; i < b->n_variants; i++) {
		struct prog_run_pair *pair = &b->results[packet][way][i];

		pair->bare[round] = measure(b, &b->bare, packet, way);
		pair->with[round] = measure(b, &b->variants[i], packet, way);
	}
}

static void run_rounds(struct bench *b)
{
	for (size_t round = 0; round < PROG_RUN_ROUNDS; round++) {
		for (size_t packet = 0; packet < ARRAY_SIZE(packets); packet++) {
			for (int way = 0; way < WAYS; way++)
				run_variants(b, packet, way, round);
		}
	}
}

static void print_way(struct bench *b, size_t packet, int way)
{
	for (size_t i = 0; i < b->n_variants; i++) {
		struct prog_run_pair *pair = &b->results[packet][way][i];
		double over = prog_run_over(pair);

		printf("%s\"%s\": {\"ns\": %.2f, \"over_bare\": %.2f}", i ? ",\n    " : "",
		       b->variants[i].name, median(pair->with, PROG_RUN_ROUNDS), over);
	}
}

static void print_packets(struct bench *b)
{
	printf("[\n");
	for (size_t i = 0; i < ARRAY_SIZE(packets); i++) {
		printf("  {\"packet\": \"%s\",\n   \"hot\": {", packets[i].name);
		print_way(b, i, ONE);
		printf("},\n   \"flows\": {");
		print_way(b, i, MANY);
		printf("}}%s\n", i + 1 < ARRAY_SIZE(packets) ? "," : "");
	}
	printf("]\n");
}

int main(int argc, char **argv)
{
	static struct bench b;

	if (argc < 5) {
		fprintf(stderr, "usage: packet_cost BUILD_DIR PIPELINE PROGRAM "
				"NAME[:SWITCH=0|1[,…]]…\n");
		return 2;
	}
	b.build_dir = argv[1];
	b.kind = find_kind(&b, argv[2], argv[3]);
	b.bare.name = "bare";
	b.bare.fd = load_bare(&b, open_object(&b, b.kind->bare), "bare");
	for (int i = 4; i < argc; i++)
		load_variant(&b, argv[2], argv[3], argv[i]);
	for (size_t i = 0; i < ARRAY_SIZE(packets); i++)
		b.spread[i] = load_spread(&b, &packets[i], &b.measured[i]);
	run_rounds(&b);
	print_packets(&b);
	return 0;
}
