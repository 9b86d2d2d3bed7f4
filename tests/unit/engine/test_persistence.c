// SPDX-License-Identifier: MIT
#include "engine/persistence.h"

#include <linux/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/builtin.h"

/* A pipeline of layout 1 with the stage "alpha" of layout 5, whose records are alpha_seen. */
static struct records_config records = {.map = {.text = "alpha_seen"}};
static struct config pipeline = {.name = "lab.net", .persistent = true, .layout = 1};
static struct config stage = {.name = "alpha", .layout = 5, .records = {&records, 1}};
static struct module modules[] = {{.config = &pipeline}, {.config = &stage}};
static struct plan plan = {.name = "lab.net", .modules = modules, .n_modules = 2};

/* The name of the pin; "" for a map that is not pinned. */
static const char *name_of(const char *map, uint32_t type)
{
	static struct buf name;

	buf_reset(&name);
	persistence_add_map_name(&plan, &(struct map_info){.name = map, .type = type}, &name);
	return buf_str(&name);
}

static void test_layout_of_a_map_is_its_modules(void **state)
{
	(void)state;
	assert_string_equal(name_of("bans", BPF_MAP_TYPE_HASH), "lab%2enet/1/maps/bans");
	assert_string_equal(name_of("alpha_bans", BPF_MAP_TYPE_HASH),
			    "lab%2enet/5/maps/alpha_bans");
	assert_string_equal(name_of("alphabet", BPF_MAP_TYPE_ARRAY), "lab%2enet/1/maps/alphabet");
}

static void test_what_the_daemon_fills_is_not_pinned(void **state)
{
	(void)state;
	assert_string_equal(name_of("interface_ids", BPF_MAP_TYPE_HASH), "");
	assert_string_equal(name_of("alpha_seen", BPF_MAP_TYPE_RINGBUF), "");
	assert_string_equal(name_of("alpha_seen_wanted", BPF_MAP_TYPE_ARRAY), "");
	assert_string_equal(name_of("alpha_seen_lost", BPF_MAP_TYPE_ARRAY), "");
	assert_string_equal(name_of("alpha_seen_twice", BPF_MAP_TYPE_HASH),
			    "lab%2enet/5/maps/alpha_seen_twice");
	assert_string_equal(name_of("events", BPF_MAP_TYPE_RINGBUF), "");
	assert_string_equal(name_of("events", BPF_MAP_TYPE_PERF_EVENT_ARRAY), "");
	stage.has_cgroup_map = true;
	stage.cgroup_map.name.text = "groups";
	assert_string_equal(name_of("groups", BPF_MAP_TYPE_HASH), "");
	stage.has_cgroup_map = false;
	assert_string_equal(name_of("groups", BPF_MAP_TYPE_HASH), "lab%2enet/1/maps/groups");
}

BUILTIN_MODULE_ROW(beta) = {.name = "beta", .kind = BUILTIN_MODULE};

/* All stages of a pipeline are in its object, also those that are off. */
static void test_maps_of_a_stage_that_is_off_are_not_pinned(void **state)
{
	(void)state;
	plan.builtin = true;
	assert_string_equal(name_of("beta_bans", BPF_MAP_TYPE_HASH), "");
	assert_string_equal(name_of("alpha_bans", BPF_MAP_TYPE_HASH),
			    "lab%2enet/5/maps/alpha_bans");
	plan.builtin = false; /* a user's config knows nothing of them */
	assert_string_equal(name_of("beta_bans", BPF_MAP_TYPE_HASH), "lab%2enet/1/maps/beta_bans");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layout_of_a_map_is_its_modules),
		cmocka_unit_test(test_what_the_daemon_fills_is_not_pinned),
		cmocka_unit_test(test_maps_of_a_stage_that_is_off_are_not_pinned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
