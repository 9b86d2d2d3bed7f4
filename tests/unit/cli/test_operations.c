// SPDX-License-Identifier: MIT
/* Commands that are made of rows, from the command line to a control server of this test's own and
 * back. */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/loop.h"
#include "cli/operations.h"
#include "control/client.h"
#include "control/server.h"
#include "engine/agent.h"
#include "http/listen.h"

/* ---- operations ---- */

/* What was asked, as text: "network=::1 for=600000000000". */
static void describe(const struct operation_call *c, struct buf *to)
{
	for (size_t i = 0; i < c->n_values; i++)
		buf_printf(to, "%s%s=%s", i ? " " : "", c->values[i].argument->name,
			   c->values[i].text);
	buf_printf(to, " by %u", (unsigned)c->peer->uid);
}

static int run_change(struct operation_call *c, struct error *e)
{
	_cleanup_buf_ struct buf text = {0};

	if (operation_flag_of(c, "force")) {
		buf_add_str(&c->details, "one\ntwo\n");
		error_set(e, -EEXIST, "it stands against it");
		return error_hint(e, "do without --force");
	}
	describe(c, &text);
	operation_done(c, "%s", buf_str(&text));
	return 0;
}

static const struct operation_argument change_arguments[] = {
	{"mode", "MODE", "which mode", .type = ARGUMENT_CHOICE, .choices = "on off",
	 .required = true, .positional = true},
	{"network", "NETWORK", "whom", .type = ARGUMENT_NETWORK, .positional = true,
	 .repeated = true},
	{"for", "TIME", "how long", .type = ARGUMENT_DURATION, .fallback = "10m"},
	{"tag", "TEXT", "anything", .repeated = true},
	{"force", NULL, "although", .type = ARGUMENT_FLAG},
};

OPERATION(change, .path = "/v1/test/change", .command = "test change", .changes = true,
	  .summary = "Change it", .arguments = change_arguments,
	  .n_arguments = ARRAY_SIZE(change_arguments), .run = run_change);

static int run_list(struct operation_call *c, struct error *e)
{
	static const struct operation_column columns[] = {
		{"network"},
		{"size", .kind = "gauge", .unit = "bytes"},
	};

	(void)e;
	c->answer = operation_table("All of it", "there is none", columns, ARRAY_SIZE(columns));
	if (!operation_flag_of(c, "empty"))
		operation_table_add(c->answer,
				    json_pack("{s:s, s:i}", "network", "::1", "size", 2500));
	return 0;
}

static const struct operation_argument list_arguments[] = {
	{"empty", NULL, "nothing", .type = ARGUMENT_FLAG},
};

OPERATION(list, .path = "/v1/test/list", .command = "test list", .in_loop = true,
	  .summary = "List it", .arguments = list_arguments,
	  .n_arguments = ARRAY_SIZE(list_arguments), .run = run_list);

static int run_fields(struct operation_call *c, struct error *e)
{
	(void)e;
	c->answer = json_pack("{s:s, s:i, s:{s:b, s:n}, s:[s]}", "name", "a\033[1mb", "count", 3,
			      "inner", "on", 1, "none", "list", "x");
	return 0;
}

OPERATION(fields, .path = "/v1/test/fields", .command = "test fields", .summary = "Fields",
	  .run = run_fields);

OPERATION(view, .path = "/v1/test/view", .command = "test view", .summary = "Fields",
	  .run = run_fields);

static void print_view(const json_t *answer)
{
	printf("%d of them\n", (int)json_integer_value(json_object_get(answer, "count")));
}

OPERATION_VIEW(view, .operation = "/v1/test/view", .print = print_view);

OPERATION(of_module, .path = "/v1/test/part", .command = "test part", .module = "nowhere",
	  .summary = "Of a module", .run = run_fields);

/* ---- the daemon ---- */

static char path[] = "/tmp/operations-XXXXXX/socket";
static struct agent agent;
static struct reloader reloader = {.agent = &agent};
static struct control_server *server;
static pthread_t loop_thread;

static void *run_loop(void *ctx)
{
	loop_run(ctx);
	return NULL;
}

static int start(void **state)
{
	struct error error;
	int fd;

	(void)state;
	log_setup((struct log_settings){.level = LOG_LEVEL_ERROR}); /* which goes to stderr, too */
	*strrchr(path, '/') = '\0';
	if (!mkdtemp(path))
		return -1;
	path[strlen(path)] = '/';
	return listen_unix(path, (gid_t)-1, &fd, &error) || loop_new(&agent.loop) ||
	       pthread_create(&loop_thread, NULL, run_loop, agent.loop) ||
	       control_server_start(&reloader, fd, path, &server, &error);
}

static void stop_loop(void *ctx)
{
	loop_stop(ctx);
}

static int stop(void **state)
{
	struct loop_call end = {.fn = stop_loop, .ctx = agent.loop};

	(void)state;
	loop_post(agent.loop, &end);
	pthread_join(loop_thread, NULL);
	loop_drain(agent.loop);
	control_server_stop(server);
	loop_free(agent.loop);
	*strrchr(path, '/') = '\0';
	return rmdir(path);
}

/* ---- calling ---- */

static char out[4096], err[4096];

static void read_back(int fd, char *to, size_t size)
{
	ssize_t n = pread(fd, to, size - 1, 0);

	assert_true(n >= 0);
	to[n] = '\0';
	close(fd);
}

/* Sends @stream, of descriptor @fd, into a file; gives back what it was, and *ret_file. */
static int redirect(FILE *stream, int fd, int *ret_file)
{
	int before;

	fflush(stream);
	before = dup(fd);
	*ret_file = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	assert_true(before >= 0 && *ret_file >= 0);
	dup2(*ret_file, fd);
	return before;
}

static void restore(FILE *stream, int fd, int before)
{
	fflush(stream);
	dup2(before, fd);
	close(before);
}

/* Runs "wiregauge LINE" with the socket; what it printed is in out and err. */
static enum exit_code call(const char *line)
{
	char words[512], *rest = words, *argv[24] = {"wiregauge"}, *word;
	int argc = 1, out_file, err_file, out_before, err_before;
	enum exit_code code;

	snprintf(words, sizeof(words), "%s --control.socket %s", line, path);
	while ((word = strsep(&rest, " ")))
		argv[argc++] = word;
	out_before = redirect(stdout, STDOUT_FILENO, &out_file);
	err_before = redirect(stderr, STDERR_FILENO, &err_file);
	code = command_main(argc, argv);
	restore(stdout, STDOUT_FILENO, out_before);
	restore(stderr, STDERR_FILENO, err_before);
	read_back(out_file, out, sizeof(out));
	read_back(err_file, err, sizeof(err));
	return code;
}

static void test_arguments_get_there(void **state)
{
	char expected[256];

	(void)state;
	assert_int_equal(call("test change on 10.0.0.0/8 ::1 --tag a&b --tag c=d --for 1h"),
			 EXIT_DONE);
	snprintf(expected, sizeof(expected),
		 "mode=on network=10.0.0.0/8 network=::1 for=1h tag=a&b tag=c=d by %u\n",
		 (unsigned)geteuid());
	assert_string_equal(out, expected);
	assert_string_equal(err, "");
	assert_int_equal(call("test change off"), EXIT_DONE);
	snprintf(expected, sizeof(expected), "mode=off for=10m by %u\n", (unsigned)geteuid());
	assert_string_equal(out, expected);
}

static void test_json(void **state)
{
	(void)state;
	assert_int_equal(call("test list --json"), EXIT_DONE);
	assert_non_null(strstr(out, "\"size\": 2500"));
	assert_int_equal(call("test change on --json"), EXIT_DONE);
	assert_non_null(strstr(out, "{\n  \"done\": \"mode=on"));
}

static void test_what_is_wrong_is_told_before_it_is_asked(void **state)
{
	(void)state;
	assert_int_equal(call("test change"), EXIT_USAGE);
	assert_string_equal(err, "wiregauge: 'mode' is missing: which mode\n"
				 "hint: see: wiregauge test change --help\n");
	assert_int_equal(call("test change maybe"), EXIT_USAGE);
	assert_string_equal(err, "wiregauge: 'mode' takes one of: on off, not 'maybe'\n");
	assert_int_equal(call("test change on 10.0.0.0/8 nobody"), EXIT_USAGE);
	assert_non_null(strstr(err, "'network' takes an address or a network"));
	assert_int_equal(call("test list more"), EXIT_USAGE);
	assert_non_null(strstr(err, "test list takes no argument 'more'"));
	assert_int_equal(call("test change on --forse"), EXIT_USAGE);
	assert_non_null(strstr(err, "did you mean '--force'?"));
}

static void test_what_the_daemon_refuses(void **state)
{
	(void)state;
	assert_int_equal(call("test change on --force"), EXIT_FAILED);
	assert_string_equal(out, "");
	assert_string_equal(err, "one\ntwo\nwiregauge: it stands against it\n"
				 "hint: do without --force\n");
	assert_int_equal(call("test part"), EXIT_FAILED);
	assert_non_null(strstr(err, "wiregauge: nowhere is not running\nhint: switch it on: "
				    "wiregauge run --module nowhere"));
}

static void test_a_daemon_of_another_version(void **state)
{
	struct error e;
	json_t *answer;

	(void)state;
	assert_int_equal(control_ask(path, "/v1/test/none", &answer, &e), -EPROTO);
	assert_non_null(strstr(e.text, "does not know how to do that"));
	assert_non_null(strstr(e.hint, "it is of another version"));
	assert_int_equal(control_do(path, "/v1/test/list", &answer, NULL, &e), -EPROTO);
	assert_non_null(strstr(e.text, "does not know how to do that"));
}

static void test_tables(void **state)
{
	(void)state;
	assert_int_equal(call("test list"), EXIT_DONE);
	assert_string_equal(out, "NETWORK     SIZE\n::1      2.50 kB\n");
	assert_int_equal(call("test list --empty"), EXIT_DONE);
	assert_string_equal(out, "");
	assert_string_equal(err, "there is none\n");
}

static void test_fields(void **state)
{
	(void)state;
	assert_int_equal(call("test fields"), EXIT_DONE);
	assert_null(strchr(out, '\033'));
	assert_non_null(strstr(out, "count       3\n"));
	assert_non_null(strstr(out, "inner.on    true\n"));
	assert_non_null(strstr(out, "inner.none  -\n"));
	assert_int_equal(call("test view"), EXIT_DONE);
	assert_string_equal(out, "3 of them\n");
}

static void test_help(void **state)
{
	(void)state;
	assert_int_equal(call("test change --help"), EXIT_DONE);
	assert_non_null(strstr(out, "usage: wiregauge test change [options] MODE [NETWORK…]\n"));
	assert_non_null(strstr(out, "--for TIME"));
	assert_non_null(strstr(out, "how long [10m]"));
	assert_null(strstr(out, "--mode"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arguments_get_there),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_what_is_wrong_is_told_before_it_is_asked),
		cmocka_unit_test(test_what_the_daemon_refuses),
		cmocka_unit_test(test_a_daemon_of_another_version),
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_help),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
