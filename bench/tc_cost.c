/* SPDX-License-Identifier: MIT */
/*
 * What a packet costs in the TC pipeline, over a TC program that does nothing:
 *
 *	tc_cost BUILD_DIR [--json]
 *
 * Every variant runs on the same packet by BPF_PROG_TEST_RUN, all in turn and that many times over,
 * so that whatever else the machine does meets all alike. Medians over the rounds; a difference is
 * the median of the differences within a round. The caches are hot: one flow, one map entry.
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
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "base/macro.h"

enum {
	ROUNDS = 15,
	REPEAT = 500000, /* runs of a program in a round, tens of milliseconds */
	PACKET_MAX = 1500 + ETH_HLEN,
};

/* A way to run the pipeline; `off` loads it with all stages off. */
struct variant {
	const char *name;
	const char *help;
	const char *object;
	const char *program;
	const char *enable;  /* `const volatile bool` to set, or NULL */
	const char *disable; /* and one to clear */
	int fd;
};

static struct variant variants[] = {
	{
		.name = "bare",
		.help = "a program that returns at once",
		.object = "bench/bare.bpf.o",
		.program = "bare",
	},
	{
		.name = "off",
		.help = "pipeline, all stages off",
		.object = "pipeline/tc.bpf.o",
		.program = "tc_ingress",
	},
	{
		.name = "packets",
		.help = "pipeline with packets",
		.object = "pipeline/tc.bpf.o",
		.program = "tc_ingress",
		.enable = "stage_packets",
	},
	{
		.name = "packets_without_sizes",
		.help = "packets, option sizes off",
		.object = "pipeline/tc.bpf.o",
		.program = "tc_ingress",
		.enable = "stage_packets",
		.disable = "packets_sizes",
	},
};

enum { BARE, VARIANTS = ARRAY_SIZE(variants) };

/* Headers as far as they are read; the rest of the packet is zeros. */
struct packet {
	const char *name;
	size_t len;
	uint8_t bytes[PACKET_MAX];
};

/* clang-format off */
static const struct packet packets[] = {
	{
		.name = "UDP over IPv4, 64 bytes",
		.len = 64,
		.bytes = {
			2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x08, 0x00, /* Ethernet */
			0x45, 0, 0, 50, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2,
			0x30, 0x39, 0, 53, 0, 30, 0, 0, /* UDP */
		},
	},
	{
		.name = "TCP over IPv6, 1500 bytes",
		.len = 1500,
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

struct result {
	double ns[VARIANTS];   /* per packet */
	double over[VARIANTS]; /* over BARE */
};

/* The `const volatile bool` @name in .rodata, to be set before load. */
static bool *rodata_bool(struct bpf_object *object, const char *name)
{
	const struct btf *btf = bpf_object__btf(object);
	int section = btf__find_by_name_kind(btf, ".rodata", BTF_KIND_DATASEC);
	const struct btf_type *type = section < 0 ? NULL : btf__type_by_id(btf, section);
	struct bpf_map *map;
	uint8_t *bytes;
	size_t size;

	bpf_object__for_each_map(map, object) {
		if (strstr(bpf_map__name(map), ".rodata"))
			break;
	}
	bytes = map ? (uint8_t *)bpf_map__initial_value(map, &size) : NULL;
	if (!type || !bytes)
		return NULL;
	for (int i = 0; i < btf_vlen(type); i++) {
		const struct btf_var_secinfo *row = btf_var_secinfos(type) + i;
		const struct btf_type *variable = btf__type_by_id(btf, row->type);

		if (STREQ(btf__name_by_offset(btf, variable->name_off), name))
			return (bool *)(bytes + row->offset);
	}
	return NULL;
}

static int set_switch(struct bpf_object *object, const char *name, bool value)
{
	bool *variable = name ? rodata_bool(object, name) : NULL;

	if (name && !variable) {
		fprintf(stderr, "tc_cost: the object has no variable '%s'\n", name);
		return -ENOENT;
	}
	if (variable)
		*variable = value;
	return 0;
}

/* Loads @v's object, which lives until the process ends. */
static int load_variant(const char *build_dir, struct variant *v)
{
	struct bpf_object *object;
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", build_dir, v->object);
	object = bpf_object__open_file(path, NULL);
	if (!object) {
		fprintf(stderr, "tc_cost: cannot open %s: %s\n", path, strerror(errno));
		return -errno;
	}
	if (set_switch(object, v->enable, true) < 0 || set_switch(object, v->disable, false) < 0)
		return -ENOENT;
	if (bpf_object__load(object) < 0) {
		fprintf(stderr, "tc_cost: cannot load %s: %s; are you root?\n", path,
			strerror(errno));
		return -errno;
	}
	v->fd = bpf_program__fd(bpf_object__find_program_by_name(object, v->program));
	return v->fd < 0 ? -ENOENT : 0;
}

/*
 * Nanoseconds per packet: the CPU time of this thread, in which the kernel runs the program, so
 * that a busy machine does not count. The kernel's own figure is of wall time, and in whole
 * nanoseconds.
 */
static double measure(const struct variant *v, const struct packet *packet)
{
	struct bpf_test_run_opts options = {
		.sz = sizeof(options),
		.data_in = packet->bytes,
		.data_size_in = packet->len,
		.repeat = REPEAT,
	};
	struct timespec from, to;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
	if (bpf_prog_test_run_opts(v->fd, &options) < 0) {
		fprintf(stderr, "tc_cost: BPF_PROG_TEST_RUN of '%s': %s\n", v->name,
			strerror(errno));
		exit(1);
	}
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
	return ((to.tv_sec - from.tv_sec) * 1e9 + (to.tv_nsec - from.tv_nsec)) / REPEAT;
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), compare_doubles);
	return values[count / 2];
}

static void measure_packet(const struct packet *packet, struct result *ret)
{
	double ns[VARIANTS][ROUNDS], over[VARIANTS][ROUNDS];

	for (size_t round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < VARIANTS; i++) {
			ns[i][round] = measure(&variants[i], packet);
			over[i][round] = ns[i][round] - ns[BARE][round];
		}
	}
	for (size_t i = 0; i < VARIANTS; i++) {
		ret->ns[i] = median(ns[i], ROUNDS);
		ret->over[i] = median(over[i], ROUNDS);
	}
}

static void print_table(const struct packet *packet, const struct result *r)
{
	printf("%s:\n", packet->name);
	for (size_t i = 0; i < VARIANTS; i++) {
		printf("  %-32s %7.1f ns", variants[i].help, r->ns[i]);
		printf(i == BARE ? "\n" : "  %+6.1f\n", r->over[i]);
	}
}

static void print_json(const struct packet *packet, const struct result *r, bool last)
{
	printf("  {\"packet\": \"%s\"", packet->name);
	for (size_t i = 0; i < VARIANTS; i++)
		printf(",\n   \"%s\": {\"ns\": %.2f, \"over_bare\": %.2f}", variants[i].name,
		       r->ns[i], r->over[i]);
	printf("}%s\n", last ? "" : ",");
}

int main(int argc, char **argv)
{
	bool json = argc == 3 && STREQ(argv[2], "--json");
	struct result result;

	if (argc < 2 || argc > 3 || (argc == 3 && !json)) {
		fprintf(stderr, "usage: tc_cost BUILD_DIR [--json]\n");
		return 2;
	}
	for (size_t i = 0; i < VARIANTS; i++) {
		if (load_variant(argv[1], &variants[i]) < 0)
			return 1;
	}
	fputs(json ? "[\n" : "", stdout);
	for (size_t i = 0; i < ARRAY_SIZE(packets); i++) {
		measure_packet(&packets[i], &result);
		if (json)
			print_json(&packets[i], &result, i + 1 == ARRAY_SIZE(packets));
		else
			print_table(&packets[i], &result);
	}
	fputs(json ? "]\n" : "", stdout);
	return 0;
}
