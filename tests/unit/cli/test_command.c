// SPDX-License-Identifier: MIT
/* The command line's parser, against a command of this test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/command.h"

struct probe_options {
	bool flag;
	const char *text;
	struct cli_list list;
	struct cli_list texts;
};

static struct {
	unsigned runs;
	bool flag;
	char text[64];
	size_t n_list, n_texts;
	char last_list[64], last_text[64];
	bool list_given;
	int n_arguments;
} seen;

static const struct cli_option probe_rows[] = {
	{"flag", NULL, NULL, NULL, CLI_FLAG, offsetof(struct probe_options, flag), "a flag"},
	{"text.of-it", "TEXT", "nothing", NULL, CLI_STRING, offsetof(struct probe_options, text),
	 "t"},
	{"list", "A,B", NULL, NULL, CLI_LIST, offsetof(struct probe_options, list), "a list"},
	{"texts", "T", NULL, NULL, CLI_TEXTS, offsetof(struct probe_options, texts), "texts"},
	{"ignored", "N", NULL, NULL, CLI_IGNORED, 0, "nothing"},
};

static void copy_last(char *to, size_t size, const struct strv *v)
{
	to[0] = '\0';
	if (v->count)
		strncat(to, v->items[v->count - 1], size - 1);
}

static enum exit_code run_probe(const struct command_call *call)
{
	const struct probe_options *o = call->options;

	seen.runs++;
	seen.flag = o->flag;
	seen.text[0] = '\0';
	strncat(seen.text, o->text, sizeof(seen.text) - 1);
	seen.n_list = o->list.values.count;
	seen.n_texts = o->texts.values.count;
	seen.list_given = o->list.given;
	copy_last(seen.last_list, sizeof(seen.last_list), &o->list.values);
	copy_last(seen.last_text, sizeof(seen.last_text), &o->texts.values);
	seen.n_arguments = call->n_arguments;
	return EXIT_DONE;
}

COMMAND(probe, .name = "probe it", .arguments = "FILE…", .summary = "Of this test", .order = 1,
	.options = probe_rows, .n_options = ARRAY_SIZE(probe_rows),
	.size = sizeof(struct probe_options), .run = run_probe);

/* Runs "wiregauge …" with the words given, ended by NULL. */
static enum exit_code call(const char *first, ...)
{
	char words[16][64] = {"wiregauge"};
	char *argv[17] = {words[0]};
	va_list args;
	int argc = 1;

	memset(&seen, 0, sizeof(seen));
	va_start(args, first);
	for (const char *word = first; word; word = va_arg(args, const char *)) {
		strncat(words[argc], word, sizeof(words[argc]) - 1);
		argv[argc] = words[argc];
		argc++;
	}
	va_end(args);
	return command_main(argc, argv);
}

static void test_defaults(void **state)
{
	(void)state;
	assert_int_equal(call("probe", "it", NULL), EXIT_DONE);
	assert_int_equal(seen.runs, 1);
	assert_false(seen.flag);
	assert_string_equal(seen.text, "nothing");
	assert_int_equal(seen.n_list, 0);
	assert_false(seen.list_given);
}

static void test_options(void **state)
{
	(void)state;
	assert_int_equal(call("probe", "it", "--flag", "--text.of-it=x y", "--list", "a,b",
			      "--list=c", "--texts=p,q", "--ignored", "5", "file", "other", NULL),
			 EXIT_DONE);
	assert_true(seen.flag);
	assert_string_equal(seen.text, "x y");
	assert_int_equal(seen.n_list, 3);
	assert_string_equal(seen.last_list, "c");
	assert_int_equal(seen.n_texts, 1);
	assert_string_equal(seen.last_text, "p,q");
	assert_int_equal(seen.n_arguments, 2);
}

static void test_an_empty_list_is_given(void **state)
{
	(void)state;
	assert_int_equal(call("probe", "it", "--list=", NULL), EXIT_DONE);
	assert_true(seen.list_given);
	assert_int_equal(seen.n_list, 0);
}

static void test_wrong_usage(void **state)
{
	(void)state;
	assert_int_equal(call("probe", "it", "--flga", NULL), EXIT_USAGE);
	assert_int_equal(call("probe", "it", "--text.of-it", NULL), EXIT_USAGE);
	assert_int_equal(call("probe", "it", "--flag=1", NULL), EXIT_USAGE);
	assert_int_equal(call("probe", NULL), EXIT_USAGE);
	assert_int_equal(call("prob", NULL), EXIT_USAGE);
	assert_int_equal(call("status", "extra", NULL), EXIT_USAGE);
	assert_int_equal(call("run", "--log.level=loud", NULL), EXIT_USAGE);
	assert_int_equal(call("run", "--tc.mechanism=magic", NULL), EXIT_USAGE);
	assert_int_equal(call("run", "--web.telemetry-path=metrics", NULL), EXIT_USAGE);
	assert_int_equal(seen.runs, 0);
}

static void test_help_ends_well(void **state)
{
	(void)state;
	assert_int_equal(call("--help", NULL), EXIT_DONE);
	assert_int_equal(call("probe", "it", "--help", NULL), EXIT_DONE);
	assert_int_equal(call("--version", NULL), EXIT_DONE);
	assert_int_equal(call("help", "run", NULL), EXIT_DONE);
	assert_int_equal(seen.runs, 0);
}

static void test_every_command_is_whole(void **state)
{
	const struct command *c;

	(void)state;
	for (size_t i = 0; (c = command_at(i)); i++) {
		assert_non_null(c->summary);
		assert_non_null(c->run);
		assert_true(c->size > 0);
		for (size_t k = 0; k < c->n_options; k++) {
			assert_non_null(c->options[k].help);
			assert_int_equal(c->options[k].type == CLI_FLAG,
					 c->options[k].argument == NULL);
		}
		for (size_t k = 0; k < i; k++)
			assert_true(command_at(k)->order <= c->order);
	}
}

/* Also of those that were given the same place in the help. */
COMMAND(twin, .name = "twin", .summary = "Of this test", .order = 1, .size = 1, .run = run_probe);

static void test_no_command_is_left_out(void **state)
{
	size_t n = 0, written = 0;

	(void)state;
	while (command_at(n))
		n++;
	while (command_written_at(written))
		written++;
	assert_int_equal(n, written + operation_command_count());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_an_empty_list_is_given),
		cmocka_unit_test(test_wrong_usage),
		cmocka_unit_test(test_help_ends_well),
		cmocka_unit_test(test_every_command_is_whole),
		cmocka_unit_test(test_no_command_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
