// SPDX-License-Identifier: MIT
/*
 * What the module guard costs a packet, part by part, over a program that does nothing:
 *
 *	guard BUILD_DIR		prints JSON
 *
 * By BPF_PROG_TEST_RUN as in packet_cost.c: every configuration on every packet, all in turn and
 * that many times over. Once with one source, and once with a source drawn at random out of 100,000
 * that are known. Then frames as the network card's driver hands them over, each of which is
 * dropped: as many as one core can do.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <net/if.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/macro.h"
#include "daemon.h"
#include "guard/guard.h"
#include "kernel/rodata.h"
#include "prog_run.h"

enum {
	SOURCES = 100000,
	LIVE_FRAMES = 2000000,
	LIVE_ROUNDS = 7,
	EVERYTHING = GUARD_EXACT | GUARD_ALLOW_PREFIXES | GUARD_BLOCK_PREFIXES | GUARD_BANS |
		     GUARD_LIMITS | GUARD_SOURCE_RATE | GUARD_PORT_LIMITS | GUARD_DETECTION |
		     GUARD_DEFENCE | GUARD_SIMPLE,
};

/* What is on; the rates are such that nothing is over them. */
static const struct setup {
	const char *name, *help;
	uint32_t flags;
	bool is_off, is_blocked;
	uint8_t cookies;
} setups[] = {
	{"off", "the pipeline without a stage", .is_off = true},
	{"nothing", "guard, nothing set", .flags = 0},
	{"lists", "+ lists and bans",
	 .flags = GUARD_EXACT | GUARD_ALLOW_PREFIXES | GUARD_BLOCK_PREFIXES | GUARD_BANS},
	{"source_limit", "+ a limit by source, packets and bits", .flags = GUARD_SOURCE_RATE},
	{"port_limit", "+ a limit by port, packets and bits", .flags = GUARD_PORT_LIMITS},
	{"detection", "+ detection", .flags = GUARD_DETECTION},
	{"everything", "everything on", .flags = EVERYTHING, .cookies = GUARD_COOKIES_KERNEL},
	{"blocked", "everything on, the source is blocked", .flags = EVERYTHING,
	 .is_blocked = true},
};

/* clang-format off */
static const struct packet {
	const char *name;
	uint32_t address_offset, port_offset; /* where the source that is drawn goes */
	uint8_t bytes[64];
} packets[] = {
	{
		.name = "UDP over IPv4, 64 bytes", .address_offset = 26, .port_offset = 34,
		.bytes = {
			2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x08, 0x00, /* Ethernet */
			0x45, 0, 0, 50, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2,
			0x30, 0x39, 0x01, 0xbb, 0, 30, 0, 0, /* UDP, to port 443 */
		},
	},
	{
		.name = "TCP over IPv6, 74 bytes", .address_offset = 26, .port_offset = 54,
		.bytes = {
			2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x86, 0xdd, /* Ethernet */
			0x60, 0, 0, 0, 0, 20, 6, 64, /* IPv6 */
			0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, /* source */
			0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, /* target */
			0x30, 0x39, 0x01, 0xbb, 0, 0, 0, 1, 0, 0,
		},
	},
};
/* clang-format on */

/* The bytes behind these are zeros but for the TCP header's length and flags. */
enum { FRAME_LEN = 74, TCP_OFFSET = 54 };

/* Of a packet: from one source, and from many. */
enum { ONE, MANY, WAYS };

struct bench {
	const char *build_dir;
	int bare, drop;
	int fds[ARRAY_SIZE(setups)];
	/* The program that draws a source, and the map that says which program gets the packet. */
	int spread[ARRAY_SIZE(packets)], measured[ARRAY_SIZE(packets)];
	struct prog_run_pair results[ARRAY_SIZE(packets)][WAYS][ARRAY_SIZE(setups)];
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

static int load(struct bpf_object *object, const char *name)
{
	struct bpf_program *program = bpf_object__find_program_by_name(object, name);

	if (!program)
		bench_fail("the object has no program '%s'", name);
	bpf_program__set_autoload(program, true);
	if (bpf_object__load(object))
		bench_fail("cannot load '%s': %s; are you root?", name, strerror(errno));
	return bpf_program__fd(program);
}

static void set_number(struct bpf_object *object, const char *variable, uint64_t value)
{
	struct error error;

	if (rodata_set_uint(object, variable, value, &error))
		bench_fail("%s", error.text);
}

static void put(struct bpf_object *object, const char *map, uint32_t key, const void *value)
{
	if (bpf_map_update_elem(bpf_object__find_map_fd_by_name(object, map), &key, value, BPF_ANY))
		bench_fail("cannot write into %s: %s", map, strerror(errno));
}

/* Far above what is measured. */
static const struct guard_rate any_rate = {.packet_cost = 1,
					   .packet_tau = 1ULL << 50,
					   .byte_cost = 1,
					   .byte_tau = 1ULL << 50};

static void fill_maps(struct bpf_object *object, const struct setup *setup)
{
	struct guard_settings settings = {
		.generation = 1,
		.ipv6_mask = ~0ULL,
		.source_prefix = 64,
		.seed = 0x0123456789abcdef,
		.simple_syn_cost = 1,
		.simple_syn_tau = 1ULL << 50,
		.flags = setup->flags,
		.mode = GUARD_ENFORCE,
		.syn_cookies = setup->cookies,
	};
	struct guard_port_limit port_limit = {.rate = any_rate,
					      .packets_batch = 64,
					      .bytes_batch = 64};
	uint16_t limit = 1;

	put(object, "guard_rates", 0, &any_rate);
	put(object, "guard_port_limits", limit, &port_limit);
	put(object, "guard_port_rates", 443, &limit);
	put(object, "guard_port_rates", GUARD_PORTS + 443, &limit);
	put(object, "guard_settings", 0, &settings);
}

/* Whoever sends, in both families. */
static void block_everybody(struct bpf_object *object)
{
	struct bpf_map_create_opts options = {.sz = sizeof(options),
					      .map_flags = BPF_F_NO_PREALLOC};
	int trie = bpf_map_create(BPF_MAP_TYPE_LPM_TRIE, "everybody", sizeof(struct guard_prefix),
				  sizeof(struct guard_entry), 1, &options);
	const struct guard_prefix all = {.prefixlen = 0};
	const struct guard_entry entry = {.origin = GUARD_DECLARED, .flags = GUARD_ENTRY_BLOCK};

	if (trie < 0 || bpf_map_update_elem(trie, &all, &entry, BPF_ANY))
		bench_fail("cannot make a list: %s", strerror(errno));
	put(object, "guard_prefixes", GUARD_BLOCK_LIST, &trie);
}

static int load_setup(const struct bench *b, const struct setup *setup)
{
	struct bpf_object *object = open_object(b, "pipeline/xdp");
	int fd;

	set_number(object, "stage_guard", !setup->is_off);
	fd = load(object, "xdp_linear");
	if (setup->is_off)
		return fd;
	fill_maps(object, setup);
	if (setup->is_blocked)
		block_everybody(object);
	return fd;
}

/* The program that draws a source for each packet and calls what is in *ret_measured. */
static int load_spread(const struct bench *b, const struct packet *packet, int *ret_measured)
{
	struct bpf_object *object = open_object(b, "bench/bare_xdp");
	int fd;

	set_number(object, "address_offset", packet->address_offset);
	set_number(object, "port_offset", packet->port_offset);
	set_number(object, "flows", SOURCES);
	fd = load(object, "spread");
	*ret_measured = bpf_object__find_map_fd_by_name(object, "measured");
	return fd;
}

/* ---- by BPF_PROG_TEST_RUN ---- */

static void fill_frame(const struct packet *packet, uint8_t frame[FRAME_LEN])
{
	memset(frame, 0, FRAME_LEN);
	memcpy(frame, packet->bytes, sizeof(packet->bytes));
	if (packet->port_offset == TCP_OFFSET) {
		frame[TCP_OFFSET + 12] = 0x50; /* 20 bytes */
		frame[TCP_OFFSET + 13] = 0x10; /* ACK */
	}
}

static double measure(const struct bench *b, size_t packet, int way, int fd, int verdict)
{
	const uint32_t zero = 0;
	uint8_t frame[FRAME_LEN];

	fill_frame(&packets[packet], frame);
	if (way == ONE)
		return prog_run_ns(fd, frame, FRAME_LEN, verdict);
	if (bpf_map_update_elem(b->measured[packet], &zero, &fd, BPF_ANY))
		bench_fail("cannot call a program: %s", strerror(errno));
	return prog_run_ns(b->spread[packet], frame, FRAME_LEN, verdict);
}

static void run_setups(struct bench *b, size_t packet, int way, size_t round)
{
	for (size_t i = 0; i < ARRAY_SIZE(setups); i++) {
		struct prog_run_pair *pair = &b->results[packet][way][i];
		int verdict = setups[i].is_blocked ? XDP_DROP : XDP_PASS;

		pair->bare[round] = measure(b, packet, way, b->bare, XDP_PASS);
		pair->with[round] = measure(b, packet, way, b->fds[i], verdict);
	}
}

static void run_rounds(struct bench *b)
{
	for (size_t round = 0; round < PROG_RUN_ROUNDS; round++) {
		for (size_t packet = 0; packet < ARRAY_SIZE(packets); packet++) {
			for (int way = 0; way < WAYS; way++)
				run_setups(b, packet, way, round);
		}
	}
}

static void print_way(const struct bench *b, size_t packet, int way)
{
	for (size_t i = 0; i < ARRAY_SIZE(setups); i++)
		printf("%s\"%s\": %.2f", i ? ", " : "", setups[i].name,
		       prog_run_over(&b->results[packet][way][i]));
}

static void print_packets(const struct bench *b)
{
	for (size_t i = 0; i < ARRAY_SIZE(packets); i++) {
		printf("  {\"packet\": \"%s\",\n   \"hot\": {", packets[i].name);
		print_way(b, i, ONE);
		printf("},\n   \"sources\": {");
		print_way(b, i, MANY);
		printf("}}%s\n", i + 1 < ARRAY_SIZE(packets) ? "," : "],");
	}
}

/* ---- frames as a driver hands them over ---- */

/* Millions a second of this thread's CPU time. */
static double measure_live(int fd, const uint8_t *frame)
{
	struct xdp_md context = {.data_end = FRAME_LEN, .ingress_ifindex = if_nametoindex("lo")};
	struct bpf_test_run_opts options = {
		.sz = sizeof(options),
		.data_in = frame,
		.data_size_in = FRAME_LEN,
		.ctx_in = &context,
		.ctx_size_in = sizeof(context),
		.repeat = LIVE_FRAMES,
		.flags = BPF_F_TEST_XDP_LIVE_FRAMES,
		.batch_size = 64,
	};
	struct timespec from, to;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
	if (bpf_prog_test_run_opts(fd, &options) < 0)
		return 0; /* Linux before 5.18 */
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
	return LIVE_FRAMES * 1e3 /
	       ((double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec));
}

static void run_live(const struct bench *b, int guard)
{
	double bare[LIVE_ROUNDS], with[LIVE_ROUNDS];
	uint8_t frame[FRAME_LEN];

	fill_frame(&packets[0], frame);
	for (size_t round = 0; round < LIVE_ROUNDS; round++) {
		bare[round] = measure_live(b->drop, frame);
		with[round] = measure_live(guard, frame);
	}
	printf(" \"dropped_mpps\": {\"bare\": %.2f, \"guard\": %.2f}", median(bare, LIVE_ROUNDS),
	       median(with, LIVE_ROUNDS));
}

int main(int argc, char **argv)
{
	static struct bench b;

	if (argc != 2) {
		fprintf(stderr, "usage: guard BUILD_DIR\n");
		return 2;
	}
	b.build_dir = argv[1];
	b.bare = load(open_object(&b, "bench/bare_xdp"), "bare");
	b.drop = load(open_object(&b, "bench/bare_xdp"), "drop");
	for (size_t i = 0; i < ARRAY_SIZE(setups); i++)
		b.fds[i] = load_setup(&b, &setups[i]);
	for (size_t i = 0; i < ARRAY_SIZE(packets); i++)
		b.spread[i] = load_spread(&b, &packets[i], &b.measured[i]);
	run_rounds(&b);
	printf("{\"setups\": {");
	for (size_t i = 0; i < ARRAY_SIZE(setups); i++)
		printf("%s\"%s\": \"%s\"", i ? ", " : "", setups[i].name, setups[i].help);
	printf("},\n \"packets\": [\n");
	print_packets(&b);
	run_live(&b, b.fds[ARRAY_SIZE(setups) - 1]);
	printf("}\n");
	return 0;
}
