// SPDX-License-Identifier: MIT
#include "engine/part.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "engine/agent.h"

/* What was called, a letter each. */
static char calls[16];
static bool fails;

struct state {
	int event_fd;
};

static void note(char call)
{
	size_t len = strlen(calls);

	assert_true(len + 1 < sizeof(calls));
	calls[len] = call;
}

static int start(const struct part_context *c, void *state, int *ret_fd, struct error *e)
{
	struct state *s = state;

	assert_string_equal(c->module->config->name, "sample");
	assert_int_equal(s->event_fd, 0); /* zeroed */
	assert_int_equal(*ret_fd, -1);
	note('s');
	if (fails)
		return error_set(e, -ENODEV, "no such thing");
	s->event_fd = eventfd(1, EFD_CLOEXEC);
	*ret_fd = s->event_fd;
	return 0;
}

static void ready(void *state)
{
	const struct state *s = state;
	uint64_t count;

	assert_int_equal(read(s->event_fd, &count, sizeof(count)), sizeof(count));
	note('r');
}

static void stop(void *state)
{
	const struct state *s = state;

	close(s->event_fd);
	note('x');
}

static void diff(void *state, const struct module *declared, difference_fn add, void *ctx)
{
	const struct state *s = state;

	assert_true(s->event_fd > 0);
	add(ctx, &(struct difference){declared->config->name, "network ::1", NULL, "blocked"});
}

MODULE_PART(sample, .state_size = sizeof(struct state), .start = start, .ready = ready,
	    .diff = diff, .stop = stop);

static int run(const char *name, bool builtin, bool strict, struct error *e)
{
	struct config config = {.name = (char *)name};
	struct module module = {.config = &config, .builtin = builtin};
	struct plan plan = {.modules = &module, .n_modules = 1};
	_cleanup_close_ int parts_fd = parts_open();
	struct unit_env env = {.parts_fd = parts_fd, .strict = strict};
	struct unit unit = {.plan = &plan, .env = &env};
	int err;

	memset(calls, 0, sizeof(calls));
	assert_true(parts_fd >= 0);
	err = parts_start(&unit, e);
	if (!err) {
		parts_ready(parts_fd);
		parts_ready(parts_fd); /* nothing is readable any more */
		parts_stop(&unit);
	}
	parts_ready(parts_fd);
	return err;
}

static void test_a_part_starts_hears_and_stops(void **state)
{
	struct error e;

	(void)state;
	fails = false;
	assert_int_equal(run("sample", true, true, &e), 0);
	assert_string_equal(calls, "srx");
}

static void note_difference(void *ctx, const struct difference *d)
{
	assert_string_equal(d->module, "sample");
	assert_string_equal(d->what, "network ::1");
	assert_null(d->declared);
	assert_string_equal(d->running, "blocked");
	++*(unsigned *)ctx;
}

static void test_who_asks_for_a_part_gets_what_runs(void **state)
{
	struct config config = {.name = (char *)"sample"}, other = {.name = (char *)"other"};
	struct module module = {.config = &config, .builtin = true}, of_other = {.config = &other};
	struct plan plan = {.modules = &module, .n_modules = 1};
	_cleanup_close_ int parts_fd = parts_open();
	struct unit_env env = {.parts_fd = parts_fd};
	struct unit unit = {.plan = &plan, .env = &env}, *units[] = {&unit};
	struct agent agent = {.units = units, .n_units = ARRAY_SIZE(units)};
	unsigned differences = 0;
	struct error e;

	(void)state;
	fails = false;
	memset(calls, 0, sizeof(calls));
	assert_null(part_state(&agent, "sample"));
	assert_int_equal(parts_start(&unit, &e), 0);
	assert_true(((struct state *)part_state(&agent, "sample"))->event_fd > 0);
	assert_null(part_state(&agent, "other"));
	part_diff(&unit, &module, note_difference, &differences);
	part_diff(&unit, &of_other, note_difference, &differences);
	assert_int_equal(differences, 1);
	parts_stop(&unit);
	assert_null(part_state(&agent, "sample"));
}

static void test_only_built_in_modules_have_parts(void **state)
{
	struct error e;

	(void)state;
	fails = false;
	assert_int_equal(run("sample", false, true, &e), 0);
	assert_string_equal(calls, "");
	assert_int_equal(run("another", true, true, &e), 0);
	assert_string_equal(calls, "");
}

static void test_a_part_that_fails_is_an_error_only_when_strict(void **state)
{
	struct error e;

	(void)state;
	fails = true;
	assert_int_equal(run("sample", true, false, &e), 0);
	assert_string_equal(calls, "s");
	assert_int_equal(run("sample", true, true, &e), -ENODEV);
	assert_string_equal(e.text, "no such thing");
	assert_string_equal(calls, "s");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_part_starts_hears_and_stops),
		cmocka_unit_test(test_who_asks_for_a_part_gets_what_runs),
		cmocka_unit_test(test_only_built_in_modules_have_parts),
		cmocka_unit_test(test_a_part_that_fails_is_an_error_only_when_strict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
