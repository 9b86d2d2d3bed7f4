// SPDX-License-Identifier: MIT
/* Networks as text and as keys, lists out of files, and lists in the kernel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

/* A module exports nothing to test it by. NOLINTBEGIN(bugprone-suspicious-include) */
#include "guard_lists.c"
#include "guard_map.c"
#include "guard_prefix.c"
#include "guard_set.c"
/* NOLINTEND(bugprone-suspicious-include) */

static struct guard_prefix prefix(const char *text)
{
	struct guard_prefix p;

	assert_true(guard_prefix_parse(text, &p));
	return p;
}

static void test_networks_are_read_and_written(void **state)
{
	static const struct {
		const char *text;
		const char *written; /* NULL: no network */
		unsigned bits;       /* of the key */
	} rows[] = {
		{"192.0.2.7", "192.0.2.7", 128},
		{"192.0.2.7/24", "192.0.2.0/24", 120},
		{"192.0.2.129/25", "192.0.2.128/25", 121},
		{"0.0.0.0/0", "0.0.0.0/0", 96},
		{"255.255.255.255/1", "128.0.0.0/1", 97},
		{"::/0", NULL, 0},
		{"::/16", NULL, 0},
		{"::1/80", NULL, 0},
		{"2000::/3", "2000::/3", 3},
		{"::1", "::1", 128},
		{"2001:db8::1", "2001:db8::1", 128},
		{"2001:db8:ffff::/33", "2001:db8:8000::/33", 33},
		{"::ffff:192.0.2.0/120", "192.0.2.0/24", 120},
		{"192.0.2.0/33", NULL, 0},
		{"192.0.2.0/", NULL, 0},
		{"192.0.2", NULL, 0},
		{"example.com", NULL, 0},
		{"", NULL, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[GUARD_PREFIX_TEXT];
		struct guard_prefix p = {0};

		assert_int_equal(guard_prefix_parse(rows[i].text, &p), rows[i].written != NULL);
		if (!rows[i].written)
			continue;
		guard_prefix_print(&p, text);
		assert_string_equal(text, rows[i].written);
		assert_int_equal(p.prefixlen, rows[i].bits);
	}
}

static void test_overlaps(void **state)
{
	static const struct {
		const char *a, *b;
		bool overlap, covers; /* a covers b */
	} rows[] = {
		{"10.0.0.0/8", "10.1.2.3", true, true},   {"10.1.2.3", "10.0.0.0/8", true, false},
		{"10.0.0.0/8", "11.0.0.1", false, false}, {"0.0.0.0/0", "10.1.2.3", true, true},
		{"2000::/3", "2001:db8::1", true, true},  {"10.1.2.3", "10.1.2.3", true, true},
		{"10.1.2.3", "10.1.2.2", false, false},   {"10.1.2.2/31", "10.1.2.3", true, true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct guard_prefix a = prefix(rows[i].a), b = prefix(rows[i].b);

		assert_int_equal(guard_prefix_overlaps(&a, &b), rows[i].overlap);
		assert_int_equal(guard_prefix_overlaps(&b, &a), rows[i].overlap);
		assert_int_equal(guard_prefix_covers(&a, &b), rows[i].covers);
	}
}

/* ---- files ---- */

struct file {
	char path[32];
};

static struct file write_file(const char *text, size_t len)
{
	struct file f = {"/tmp/guard-list-XXXXXX"};
	int fd = mkstemp(f.path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), (ssize_t)len);
	close(fd);
	return f;
}

static void test_a_file(void **state)
{
	static const char text[] = "# made by hand\n"
				   "192.0.2.0/24\n"
				   "  2001:db8::/32\t# ours\r\n"
				   "\n"
				   "198.51.100.7 ; SBL1234\n"
				   "192.0.2.0/24\n"
				   "203.0.113.0/24";
	struct file f = write_file(text, sizeof(text) - 1);
	_cleanup_guard_items_ struct guard_items items = {0};
	struct guard_mistakes mistakes = {0};
	struct guard_prefix p = prefix("192.0.2.0/24");
	struct error error;

	(void)state;
	assert_int_equal(guard_list_read_file(&items, f.path, GUARD_BLOCK_LIST, &mistakes, &error),
			 0);
	unlink(f.path);
	assert_int_equal(mistakes.count, 0);
	assert_int_equal(items.count, 5);
	assert_int_equal(guard_list_add(&items, &p, GUARD_ALLOW_LIST, GUARD_BY_RUNTIME), 0);
	guard_list_settle(&items);
	assert_int_equal(items.count, 4);
	assert_int_equal(guard_list_find(&items, &p)->by[GUARD_BLOCK_LIST], GUARD_BY_DECLARED);
	assert_int_equal(guard_list_find(&items, &p)->by[GUARD_ALLOW_LIST], GUARD_BY_RUNTIME);
	p = prefix("192.0.3.0/24");
	assert_null(guard_list_find(&items, &p));
}

static void test_mistakes_are_told_with_their_line(void **state)
{
	static const char text[] = "192.0.2.0/24\n192.0.2.0/42\nhello world\n1.1.1.1\0002.2.2.2\n"
				   "\xff\xfe\n198.51.100.1\n";
	struct file f = write_file(text, sizeof(text) - 1);
	_cleanup_guard_items_ struct guard_items items = {0};
	struct guard_mistakes mistakes = {0};
	struct error error;
	char line[128];

	(void)state;
	assert_int_equal(guard_list_read_file(&items, f.path, GUARD_BLOCK_LIST, &mistakes, &error),
			 0);
	unlink(f.path);
	assert_int_equal(items.count, 2);
	assert_int_equal(mistakes.count, 4);
	snprintf(line, sizeof(line), "%s:2: '192.0.2.0/42' is not " NETWORK_TAKES "\n", f.path);
	assert_non_null(strstr(buf_str(&mistakes.lines), line));
	snprintf(line, sizeof(line), "%s:3: 'hello world' is not", f.path);
	assert_non_null(strstr(buf_str(&mistakes.lines), line));
	assert_non_null(strstr(buf_str(&mistakes.lines), ":4: '1.1.1.1?2.2.2.2'"));
	buf_free(&mistakes.lines);
	assert_int_equal(guard_list_read_file(&items, "/nowhere/list", GUARD_BLOCK_LIST, &mistakes,
					      &error),
			 -ENOENT);
	assert_non_null(strstr(error.text, "/nowhere/list"));
}

static void test_many_mistakes_are_counted(void **state)
{
	_cleanup_guard_items_ struct guard_items items = {0};
	struct guard_mistakes mistakes = {0};
	_cleanup_buf_ struct buf text = {0};
	struct error error;
	struct file f;
	size_t lines = 0;

	(void)state;
	for (int i = 0; i < 1000; i++)
		buf_add_str(&text, "x\n");
	f = write_file(text.data, text.len);
	assert_int_equal(guard_list_read_file(&items, f.path, GUARD_BLOCK_LIST, &mistakes, &error),
			 0);
	unlink(f.path);
	assert_int_equal(mistakes.count, 1000);
	for (const char *c = buf_str(&mistakes.lines); *c; c++)
		lines += *c == '\n';
	assert_int_equal(lines, MISTAKES_SHOWN);
	buf_free(&mistakes.lines);
}

/* ---- as the maps have it ---- */

static void test_entries_say_who_and_where(void **state)
{
	struct guard_item item = {.prefix = prefix("10.0.0.0/8")};
	uint8_t by[GUARD_LISTS];
	struct guard_entry entry;

	(void)state;
	item.by[GUARD_BLOCK_LIST] = GUARD_BY_DECLARED | GUARD_BY_RUNTIME;
	entry = guard_item_entry(&item);
	assert_int_equal(entry.flags, GUARD_ENTRY_BLOCK);
	assert_int_equal(entry.origin, GUARD_RUNTIME);
	assert_int_equal(guard_entry_length(&entry), 104);
	guard_item_of_entry(&entry, by);
	assert_memory_equal(by, item.by, sizeof(by));
	item.by[GUARD_ALLOW_LIST] = GUARD_BY_PROTECTION;
	entry = guard_item_entry(&item);
	assert_int_equal(entry.flags, GUARD_ENTRY_ALLOW | GUARD_ENTRY_BLOCK);
	assert_int_equal(entry.origin, GUARD_PROTECTED);
	guard_item_of_entry(&entry, by);
	assert_memory_equal(by, item.by, sizeof(by));
}

/* ---- in the kernel ---- */

struct kernel {
	struct guard_settings settings;
	struct guard_set set;
};

static struct map_info make_map(uint32_t type, uint32_t key_size, uint32_t value_size,
				uint32_t flags, uint32_t entries, int inner)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = flags,
		    .inner_map_fd = (uint32_t)MAX(inner, 0));
	struct map_info map = {.name = "test",
			       .type = type,
			       .key_size = key_size,
			       .value_size = value_size,
			       .max_entries = entries};

	map.fd = bpf_map_create(type, "test", key_size, value_size, entries, &options);
	if (map.fd < 0)
		print_error("bpf_map_create: %s\n", error_words(-errno));
	assert_true(map.fd >= 0);
	return map;
}

static int set_up(void **state)
{
	const struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
	struct kernel *k = calloc(1, sizeof(*k));

	assert_non_null(k);
	(void)setrlimit(RLIMIT_MEMLOCK, &all);
	k->settings = (struct guard_settings){.generation = 1, .source_prefix = 64};
	k->set = (struct guard_set){.settings = &k->settings, .slot = no_slot};
	k->set.empty_trie = make_map(BPF_MAP_TYPE_LPM_TRIE, sizeof(struct guard_prefix),
				     sizeof(struct guard_entry), BPF_F_NO_PREALLOC, 1, -1);
	k->set.empty_exact = make_map(BPF_MAP_TYPE_HASH, sizeof(struct guard_address),
				      sizeof(struct guard_entry), BPF_F_NO_PREALLOC, 1, -1);
	k->set.outer_tries = make_map(BPF_MAP_TYPE_ARRAY_OF_MAPS, 4, 4, 0,
				      GUARD_SLOTS * GUARD_LISTS, k->set.empty_trie.fd);
	k->set.outer_exact =
		make_map(BPF_MAP_TYPE_ARRAY_OF_MAPS, 4, 4, 0, GUARD_SLOTS, k->set.empty_exact.fd);
	*state = k;
	return 0;
}

static int tear_down(void **state)
{
	struct kernel *k = *state;

	guard_set_close(&k->set);
	close(k->set.empty_trie.fd);
	close(k->set.empty_exact.fd);
	close(k->set.outer_tries.fd);
	close(k->set.outer_exact.fd);
	free(k);
	return 0;
}

static void add(struct guard_items *items, const char *text, int list, uint8_t by)
{
	struct guard_prefix p = prefix(text);

	assert_int_equal(guard_list_add(items, &p, list, by), 0);
}

static void build(struct kernel *k, struct guard_items *items)
{
	struct error error = {.text = ""};

	guard_list_settle(items);
	if (guard_set_build(&k->set, items, &error))
		fail_msg("%s", error.text);
}

static uint8_t blocked_by(struct kernel *k, const char *text)
{
	struct guard_prefix p = prefix(text);

	return guard_set_blocked_by(&k->set, &p);
}

static void test_a_set_is_built_and_read_back(void **state)
{
	_cleanup_guard_items_ struct guard_items items = {0}, back = {0};
	struct kernel *k = *state;
	struct guard_item item;
	struct guard_prefix p;
	struct error error;

	add(&items, "10.0.0.0/8", GUARD_BLOCK_LIST, GUARD_BY_DECLARED);
	add(&items, "10.1.0.0/16", GUARD_BLOCK_LIST, GUARD_BY_RUNTIME);
	add(&items, "192.0.2.1", GUARD_BLOCK_LIST, GUARD_BY_DECLARED);
	add(&items, "192.0.2.1", GUARD_ALLOW_LIST, GUARD_BY_RUNTIME);
	add(&items, "2001:db8::/32", GUARD_ALLOW_LIST, GUARD_BY_DECLARED);
	build(k, &items);
	assert_true(k->settings.heartbeat_ns > 0);
	assert_int_equal(k->settings.lists_slot, 1);
	assert_int_equal(k->settings.generation, 2);
	assert_int_equal(k->settings.flags,
			 GUARD_EXACT | GUARD_ALLOW_PREFIXES | GUARD_BLOCK_PREFIXES);
	assert_int_equal(guard_set_count(&k->set, GUARD_BLOCK_LIST), 3);
	assert_int_equal(guard_set_count(&k->set, GUARD_ALLOW_LIST), 2);
	assert_int_equal(blocked_by(k, "10.2.3.4"), GUARD_BY_DECLARED);
	assert_int_equal(blocked_by(k, "10.1.3.4"), GUARD_BY_RUNTIME);
	assert_int_equal(blocked_by(k, "11.1.3.4"), 0);
	assert_int_equal(guard_set_read(&k->set, &back, &error), 0);
	assert_int_equal(back.count, items.count);
	for (size_t i = 0; i < items.count; i++)
		assert_memory_equal(&back.items[i], &items.items[i], sizeof(items.items[i]));
	/* a network within one that is there is not there itself */
	p = prefix("10.1.2.0/24");
	assert_int_equal(guard_set_get(&k->set, &p, &item), 0);
	assert_int_equal(item.by[GUARD_BLOCK_LIST], 0);
}

static void put(struct kernel *k, const char *text, int list, uint8_t by)
{
	struct guard_item item;
	struct guard_prefix p = prefix(text);
	struct error error = {.text = ""};

	assert_int_equal(guard_set_get(&k->set, &p, &item), 0);
	item.by[list] = by;
	if (guard_set_put(&k->set, &item, &error))
		fail_msg("%s", error.text);
}

static void test_networks_come_and_go(void **state)
{
	_cleanup_guard_items_ struct guard_items items = {0};
	struct kernel *k = *state;

	build(k, &items);
	assert_int_equal(k->settings.flags, 0);
	put(k, "10.0.0.0/8", GUARD_BLOCK_LIST, GUARD_BY_RUNTIME);
	put(k, "10.1.0.0/16", GUARD_BLOCK_LIST, GUARD_BY_RUNTIME | GUARD_BY_FORCE);
	put(k, "192.0.2.1", GUARD_ALLOW_LIST, GUARD_BY_RUNTIME);
	assert_int_equal(k->settings.flags, GUARD_EXACT | GUARD_BLOCK_PREFIXES);
	assert_int_equal(k->settings.generation, 5);
	assert_int_equal(blocked_by(k, "10.1.1.1"), GUARD_BY_RUNTIME | GUARD_BY_FORCE);
	put(k, "10.1.0.0/16", GUARD_BLOCK_LIST, 0);
	assert_int_equal(blocked_by(k, "10.1.1.1"), GUARD_BY_RUNTIME);
	put(k, "10.0.0.0/8", GUARD_BLOCK_LIST, 0);
	put(k, "10.0.0.0/8", GUARD_BLOCK_LIST, 0); /* again: nothing to do */
	assert_int_equal(blocked_by(k, "10.1.1.1"), 0);
	assert_int_equal(k->settings.flags, GUARD_EXACT);
	assert_int_equal(guard_set_count(&k->set, GUARD_ALLOW_LIST), 1);
	put(k, "2001:db8::/80", GUARD_BLOCK_LIST, GUARD_BY_RUNTIME);
	assert_true(k->settings.flags & GUARD_LONG_IPV6);
}

static void test_more_than_there_was_room_for(void **state)
{
	_cleanup_guard_items_ struct guard_items items = {0};
	struct kernel *k = *state;
	char text[32];

	build(k, &items);
	for (unsigned i = 0; i < ROOM_EXACT + 100; i++) {
		snprintf(text, sizeof(text), "10.0.%u.%u", i >> 8, i & 255);
		put(k, text, GUARD_BLOCK_LIST, GUARD_BY_RUNTIME);
	}
	assert_int_equal(guard_set_count(&k->set, GUARD_BLOCK_LIST), ROOM_EXACT + 100);
	assert_int_equal(blocked_by(k, "10.0.0.0"), GUARD_BY_RUNTIME);
	assert_int_equal(blocked_by(k, text), GUARD_BY_RUNTIME);
}

static void test_what_another_daemon_left_is_taken_up(void **state)
{
	_cleanup_guard_items_ struct guard_items items = {0};
	struct kernel *k = *state;
	struct error error = {.text = ""};

	add(&items, "10.0.0.0/8", GUARD_BLOCK_LIST, GUARD_BY_DECLARED);
	add(&items, "192.0.2.1", GUARD_ALLOW_LIST, GUARD_BY_RUNTIME);
	build(k, &items);
	guard_set_close(&k->set);
	k->set.slot = no_slot;
	if (guard_set_adopt(&k->set, &error))
		fail_msg("%s", error.text);
	assert_int_equal(blocked_by(k, "10.1.1.1"), GUARD_BY_DECLARED);
	assert_int_equal(guard_set_count(&k->set, GUARD_BLOCK_LIST), 1);
	assert_int_equal(guard_set_count(&k->set, GUARD_ALLOW_LIST), 1);
	put(k, "10.0.0.0/8", GUARD_BLOCK_LIST, 0);
	assert_int_equal(blocked_by(k, "10.1.1.1"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_networks_are_read_and_written),
		cmocka_unit_test(test_overlaps),
		cmocka_unit_test(test_a_file),
		cmocka_unit_test(test_mistakes_are_told_with_their_line),
		cmocka_unit_test(test_many_mistakes_are_counted),
		cmocka_unit_test(test_entries_say_who_and_where),
		cmocka_unit_test_setup_teardown(test_a_set_is_built_and_read_back, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_networks_come_and_go, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_more_than_there_was_room_for, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_what_another_daemon_left_is_taken_up, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
