// SPDX-License-Identifier: MIT
#include "kernel/object.h"

#include <bpf/bpf.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/testbed.h"

/* As in kinds.bpf.c. */
struct seen {
	uint64_t numbers[8]; /* on, byte, port, limit, offset, address, mood, apart */
	char device[16];
	uint64_t list;
};

static void load(struct object *o)
{
	struct error e = {};

	if (object_load(o, &e) < 0)
		fail_msg("%s", e.text);
}

/* Runs the program `look` once over an empty packet, and says what it saw. */
static struct seen look(const struct object *o)
{
	char packet[64] = {};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = packet, .data_size_in = sizeof(packet));
	struct map_info map;
	struct seen seen;
	uint32_t zero = 0;

	assert_int_equal(bpf_prog_test_run_opts(program_fd(o, "look"), &run), 0);
	assert_int_equal(object_find_map(o, "results", &map), 0);
	assert_int_equal(bpf_map_lookup_elem(map.fd, &zero, &seen), 0);
	return seen;
}

static void test_defaults(void **state)
{
	struct object *o = open_object("kinds");
	struct seen seen;

	(void)state;
	load(o);
	seen = look(o);
	assert_int_equal(seen.numbers[0], 0);
	assert_int_equal(seen.numbers[3], 3);
	assert_int_equal(seen.numbers[7], 6);
	assert_string_equal(seen.device, "none");
	object_close(o);
}

static void test_variables(void **state)
{
	static const struct {
		const char *name;
		uint64_t value;
	} numbers[] = {
		{"on", 1},
		{"byte", 255},
		{"port", 65535},
		{"limit", 4000000000},
		{"offset", INT32_MAX},
		{"address", UINT64_MAX},
		{"mood", 7},
		{"apart", 77},
	};
	struct object *o = open_object("kinds");
	struct seen seen;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		assert_int_equal(object_set_rodata_uint(o, numbers[i].name, numbers[i].value, NULL),
				 0);
	assert_int_equal(object_set_rodata_string(o, "device", "fifteen letters", NULL), 0);
	assert_int_equal(object_set_rodata_string(o, "device", "eth0", NULL), 0);
	assert_int_equal(object_set_rodata_uints(o, "list", (uint64_t[]){7, 8}, 2, NULL), 0);
	assert_int_equal(object_set_rodata_uints(o, "list", (uint64_t[]){40}, 1, NULL), 0);
	load(o);
	seen = look(o);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		assert_int_equal(seen.numbers[i], numbers[i].value);
	assert_memory_equal(seen.device, "eth0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	assert_int_equal(seen.list, 40);
	assert_int_equal(object_set_rodata_uint(o, "limit", 1, NULL), -EBUSY);
	assert_int_equal(object_set_rodata_uints(o, "list", NULL, 0, NULL), -EBUSY);
	object_close(o);
}

static void check_lists_that_do_not_fit(struct object *o)
{
	static const uint64_t values[] = {1, 1ULL << 32, 3};
	struct error e = {};

	assert_int_equal(object_set_rodata_uints(o, "list", values, 3, &e), -ERANGE);
	assert_non_null(strstr(e.text, "3 are too many for variable \"list\" (at most 2)"));
	assert_int_equal(object_set_rodata_uints(o, "list", values, 2, &e), -ERANGE);
	assert_non_null(strstr(e.text, "4294967296 is too large"));
	assert_int_equal(object_set_rodata_uints(o, "limit", values, 1, &e), -EINVAL);
	assert_int_equal(object_set_rodata_uints(o, "no_such", values, 1, &e), -ENOENT);
}

static void test_variables_that_do_not_fit(void **state)
{
	static const struct {
		const char *name;
		uint64_t value;
		int code;
	} numbers[] = {
		{"on", 2, -ERANGE},
		{"byte", 256, -ERANGE},
		{"port", 65536, -ERANGE},
		{"limit", 1ULL << 32, -ERANGE},
		{"offset", 1U << 31, -ERANGE},
		{"no_such", 1, -ENOENT},
		{"switches", 1, -ENOENT},
		{"device", 1, -EINVAL},
	};
	struct object *o = open_object("kinds");
	struct error e = {};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		assert_int_equal(object_set_rodata_uint(o, numbers[i].name, numbers[i].value, &e),
				 numbers[i].code);
		assert_non_null(strstr(e.text, numbers[i].name));
	}
	assert_int_equal(object_set_rodata_string(o, "device", "sixteen letters!", &e), -ERANGE);
	assert_non_null(strstr(e.text, "at most 15"));
	assert_int_equal(object_set_rodata_string(o, "limit", "x", &e), -EINVAL);
	assert_int_equal(object_set_rodata_string(o, "list", "x", &e), -EINVAL);
	check_lists_that_do_not_fit(o);
	object_close(o);
}

static void test_programs(void **state)
{
	struct object *o = open_object("kinds");
	struct program_info info;

	(void)state;
	assert_int_equal(object_program_count(o), 8);
	object_program(o, program_index(o, "look"), &info);
	assert_string_equal(info.section, "tc");
	assert_int_equal(info.fd, -1);
	assert_false(info.loaded);
	assert_int_equal(object_set_autoload(o, "on_switch_btf", true), 0);
	assert_int_equal(object_set_autoload(o, "no_such", true), -ENOENT);
	load(o);
	object_program(o, program_index(o, "look"), &info);
	assert_true(info.loaded);
	assert_true(info.fd >= 0);
	assert_int_not_equal(info.id, 0);
	assert_int_equal(strlen(info.tag), 16);
	object_program(o, program_index(o, "missing_btf"), &info);
	assert_false(info.loaded);
	assert_string_equal(info.section, "tp_btf/no_such_tracepoint");
	object_close(o);
}

static void test_sections(void **state)
{
	static const char *const with[] = {"tp_btf/sched_switch", "kprobe/tcp_connect",
					   "usdt/a:b:c",          "raw_tp/x",
					   "fentry.s/x",          "lsm/file_open"};
	static const char *const without[] = {"tc",     "xdp",    "tp_btf/",
					      "kprobe", "socket", "cgroup_skb/ingress"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(with); i++)
		assert_true(object_section_says_where(with[i]));
	for (size_t i = 0; i < ARRAY_SIZE(without); i++)
		assert_false(object_section_says_where(without[i]));
}

static void test_maps(void **state)
{
	struct object *o = open_object("kinds");
	struct map_info map;

	(void)state;
	load(o);
	assert_int_equal(object_find_map(o, "by_cpu", &map), 0);
	assert_int_equal(map.max_entries, 10);
	assert_int_equal(map.key_size, 4);
	assert_int_equal(map.value_size, 8);
	assert_true(map.per_cpu);
	assert_true(map.fd >= 0);
	assert_int_equal(object_find_map(o, "no_such", &map), -ENOENT);
	assert_int_equal(object_find_map(o, ".rodata", &map), -ENOENT);
	assert_true(object_map(o, 0, &map));
	assert_string_equal(map.name, "results");
	assert_false(map.per_cpu);
	assert_true(object_map(o, 1, &map));
	assert_false(object_map(o, 2, &map));
	object_close(o);
}

/* A program that is run more than once while we wait; its counters say so. */
static void check_fires(const char *program)
{
	struct object *o = open_object("kinds");
	struct program_stats stats = {};
	_cleanup_close_ int enabled = bpf_enable_stats(BPF_STATS_RUN_TIME);
	struct error e = {};

	assert_true(enabled >= 0);
	assert_int_equal(object_set_autoload(o, program, true), 0);
	load(o);
	if (object_attach(o, program_index(o, program), &e) < 0)
		fail_msg("%s", e.text);
	for (unsigned i = 0; i < 1000 && stats.run_count < 2; i++) {
		usleep(1000);
		assert_int_equal(program_stats_read(program_fd(o, program), &stats), 0);
	}
	assert_true(stats.run_count >= 2);
	assert_true(stats.run_time_ns > 0);
	object_close(o);
}

/* The same code and maps, for another kind of place. */
static void test_copy(void **state)
{
	struct object *o = open_object("kinds");
	char packet[64] = {};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = packet, .data_size_in = sizeof(packet));
	struct bpf_prog_info info = {};
	uint32_t size = sizeof(info);
	struct program_info program;
	int fd;

	(void)state;
	load(o);
	for (size_t i = 0; i < object_program_count(o); i++) {
		object_program(o, i, &program);
		if (!STREQ(program.name, "look"))
			continue;
		fd = object_load_copy(o, i, 0, 0);
		assert_true(fd >= 0);
		assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &size), 0);
		assert_int_not_equal(info.id, program.id);
		assert_string_equal(info.name, "look");
		assert_int_equal(bpf_prog_test_run_opts(fd, &run), 0);
		close(fd);
		assert_int_equal(object_load_copy(o, i, 1U << 31, 0), -EINVAL);
	}
	object_close(o);
}

static void test_attach(void **state)
{
	(void)state;
	check_fires("on_switch");
	check_fires("on_switch_btf");
}

static int attach_error(const char *program, struct error *e)
{
	struct object *o = open_object("kinds");
	int r;

	assert_int_equal(object_set_autoload(o, program, true), 0);
	r = object_load(o, e);
	if (r == 0)
		r = object_attach(o, program_index(o, program), e);
	object_close(o);
	return r;
}

static void test_attach_to_nothing(void **state)
{
	static const struct {
		const char *program;
		const char *says;
	} missing[] = {
		{"missing_btf", "no_such_tracepoint"},
		{"missing_raw", "no_such_tracepoint"},
		{"missing_tp", "such_tracepoint"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(missing); i++) {
		struct error e = {};

		assert_true(attach_error(missing[i].program, &e) < 0);
		print_message("%s\n", e.text);
		assert_non_null(strstr(e.text, missing[i].program));
		assert_non_null(strstr(e.text, missing[i].says));
	}
}

static void test_attach_what_is_not_loaded(void **state)
{
	struct object *o = open_object("kinds");
	struct error e = {};

	(void)state;
	load(o);
	assert_int_equal(object_attach(o, program_index(o, "on_switch_btf"), &e), -EINVAL);
	assert_non_null(strstr(e.text, "on_switch_btf"));
	object_close(o);
}

static void test_verifier_speaks(void **state)
{
	struct error e = {};

	(void)state;
	assert_true(attach_error("out_of_bounds", &e) < 0);
	print_message("%s\n", e.text);
	assert_int_equal(e.exit, EXIT_FAILED);
	assert_non_null(strstr(e.text, "out_of_bounds"));
	assert_non_null(strstr(e.text, "invalid access to packet"));
	assert_null(strstr(e.text, "PROG LOAD LOG"));
}

static void test_without_rights(void **state)
{
	struct object *o = open_object("kinds");
	int status;
	pid_t child = fork();

	(void)state;
	if (child == 0) {
		struct error e = {};

		if (setuid(65534) < 0 || object_load(o, &e) >= 0)
			_exit(100);
		fprintf(stderr, "%s\n", e.text);
		_exit(strstr(e.text, "CAP_BPF") ? (int)e.exit : 101);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), EXIT_DENIED);
	object_close(o);
}

static void test_btf_file(void **state)
{
	size_t size;
	_cleanup_free_ void *data = object_bytes("kinds", &size);
	struct object *o = NULL;
	struct error e = {};

	(void)state;
	assert_int_equal(object_open("kinds", data, size, "/no/such/file", &o, &e), -EINVAL);
	assert_int_equal(e.exit, EXIT_USAGE);
	assert_non_null(strstr(e.text, "/no/such/file"));
	assert_null(o);
	assert_int_equal(object_open("kinds", data, size, "/sys/kernel/btf/vmlinux", &o, &e), 0);
	load(o);
	object_close(o);
}

/* Opens, sets, and looks at everything, as the engine would before it loads. */
static void open_and_look(const void *data, size_t size)
{
	struct object *o = NULL;
	struct error e = {};
	struct map_info map;
	struct program_info info;

	if (object_open("broken", data, size, NULL, &o, &e) < 0) {
		if (!*e.text)
			abort();
		return;
	}
	object_set_rodata_uint(o, "limit", 7, &e);
	object_set_rodata_uint(o, "apart", 7, &e);
	object_set_rodata_string(o, "device", "eth0", &e);
	for (size_t i = 0; i < object_program_count(o); i++) {
		object_program(o, i, &info);
		object_section_says_where(info.section);
	}
	for (size_t i = 0; object_map(o, i, &map); i++)
		object_find_map(o, map.name, &map);
	object_close(o);
}

static void test_not_an_object(void **state)
{
	static const char *const texts[] = {"", "x", "\177ELF", "a text that is no object at all"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		open_and_look(texts[i], strlen(texts[i]));
}

static void test_cut_short(void **state)
{
	size_t size;
	_cleanup_free_ char *data = object_bytes("kinds", &size);

	(void)state;
	for (size_t len = 0; len < size; len += 13) {
		/* A copy of just that size, so that reading behind it is seen. */
		_cleanup_free_ char *cut = malloc(len ? len : 1);

		assert_non_null(cut);
		memcpy(cut, data, len);
		open_and_look(cut, len);
	}
}

/* A few bytes anywhere are other ones; the same ones in every run. */
static void test_damaged(void **state)
{
	size_t size;
	_cleanup_free_ uint8_t *data = object_bytes("kinds", &size);
	_cleanup_free_ uint8_t *damaged = calloc(1, size);
	unsigned rounds = 3000;
	uint64_t random = 88172645463325252;

	(void)state;
	if (!damaged)
		abort();
	for (unsigned i = 0; i < rounds; i++) {
		memcpy(damaged, data, size);
		for (unsigned n = 0; n <= i % 4; n++) {
			/* xorshift64 */
			random ^= random << 13;
			random ^= random >> 7;
			random ^= random << 17;
			damaged[random % size] = (uint8_t)(random >> 56);
		}
		open_and_look(damaged, size);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_variables),
		cmocka_unit_test(test_variables_that_do_not_fit),
		cmocka_unit_test(test_programs),
		cmocka_unit_test(test_sections),
		cmocka_unit_test(test_maps),
		cmocka_unit_test(test_copy),
		cmocka_unit_test(test_attach),
		cmocka_unit_test(test_attach_to_nothing),
		cmocka_unit_test(test_attach_what_is_not_loaded),
		cmocka_unit_test(test_verifier_speaks),
		cmocka_unit_test(test_without_rights),
		cmocka_unit_test(test_btf_file),
		cmocka_unit_test(test_not_an_object),
		cmocka_unit_test(test_cut_short),
		cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, testbed_enter, NULL);
}
