// SPDX-License-Identifier: MIT
/* What an operation is asked with, against a row of this test's own. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "control/operation.h"

static int run_probe(struct operation_call *c, struct error *e)
{
	(void)e;
	operation_done(c, "%s", "it");
	return 0;
}

static const struct operation_argument rows[] = {
	{"network", "NETWORK", "which", .type = ARGUMENT_NETWORK, .required = true,
	 .positional = true, .repeated = true},
	{"text", "TEXT", "t"},
	{"count", "N", "n", .type = ARGUMENT_NUMBER, .max = 10},
	{"any", "N", "n", .type = ARGUMENT_NUMBER},
	{"rate", "RATE", "r", .type = ARGUMENT_RATE},
	{"for", "TIME", "d", .type = ARGUMENT_DURATION, .fallback = "10m"},
	{"ports", "PORT", "p", .type = ARGUMENT_PORTS},
	{"mode", "MODE", "m", .type = ARGUMENT_CHOICE, .choices = "monitor enforce"},
	{"force", NULL, "f", .type = ARGUMENT_FLAG},
};

OPERATION(probe, .path = "/v1/probe", .command = "probe it", .changes = true, .summary = "Probe",
	  .arguments = rows, .n_arguments = ARRAY_SIZE(rows), .run = run_probe);
OPERATION(open_probe, .path = "/v1/open", .summary = "Probe", .others = "filters",
	  .run = run_probe);
OPERATION(module_probe, .path = "/v1/part", .summary = "Probe", .module = "nowhere",
	  .run = run_probe);

/* With @query; the caller releases @c. */
static int ask(const char *path, const char *query, struct operation_call *c, struct error *e)
{
	*c = (struct operation_call){.operation = operation_find(path)};
	assert_non_null(c->operation);
	assert_int_equal(arguments_parse(query, &c->arguments, e), 0);
	return operation_read(c, e);
}

static void test_values(void **state)
{
	const struct operation_value *v;
	struct operation_call c;
	struct error e;

	(void)state;
	assert_int_equal(ask("/v1/probe",
			     "network=10.0.0.0/8&text=a%20b&count=10&any=18446744073709551615&"
			     "rate=5kpps&ports=53/udp&mode=enforce&force=1&network=2001:db8::1",
			     &c, &e),
			 0);
	v = operation_value(&c, "network");
	assert_int_equal(v->network.size, 4);
	assert_int_equal(v->network.bits, 8);
	v = operation_next(&c, "network", v);
	assert_int_equal(v->network.size, 16);
	assert_string_equal(v->text, "2001:db8::1");
	assert_null(operation_next(&c, "network", v));
	assert_string_equal(operation_text_of(&c, "text"), "a b");
	assert_int_equal(operation_number_of(&c, "count", 3), 10);
	assert_int_equal(operation_number_of(&c, "any", 3), UINT64_MAX);
	assert_int_equal(operation_value(&c, "rate")->rate.of, RATE_PACKETS);
	assert_int_equal(operation_value(&c, "rate")->rate.per_second, 5000);
	assert_int_equal(operation_value(&c, "ports")->ports.protocol, IPPROTO_UDP);
	assert_string_equal(operation_text_of(&c, "mode"), "enforce");
	assert_true(operation_flag_of(&c, "force"));
	operation_release(&c);
}

static void test_what_is_not_given(void **state)
{
	struct operation_call c;
	struct error e;

	(void)state;
	assert_int_equal(ask("/v1/probe", "network=::1&force=0", &c, &e), 0);
	assert_null(operation_text_of(&c, "text"));
	assert_int_equal(operation_number_of(&c, "count", 3), 3);
	assert_false(operation_flag_of(&c, "force"));
	assert_int_equal(operation_value(&c, "for")->ns, 600000000000);
	operation_release(&c);
}

static void test_refusals(void **state)
{
	static const struct {
		const char *query, *sentence, *hint;
	} table[] = {
		{"", "'network' is missing: which", "see: wiregauge probe it --help"},
		{"network=::1&netwrok=::2", "/v1/probe takes no 'netwrok'",
		 "did you mean 'network'?"},
		{"network=::1&zzzzzzzzzz=1", "/v1/probe takes no 'zzzzzzzzzz'", ""},
		{"network=10.0.0.0/33", "'network' takes " NETWORK_TAKES ", not '10.0.0.0/33'", ""},
		{"network=::1&count=11", "'count' takes a whole number of at most 10, not '11'",
		 ""},
		{"network=::1&count=-1", "'count' takes a whole number of at most 10, not '-1'",
		 ""},
		{"network=::1&any=18446744073709551616",
		 "'any' takes a whole number, not '18446744073709551616'", ""},
		{"network=::1&any=", "'any' takes a whole number, not ''", ""},
		{"network=::1&rate=20", "'rate' takes " RATE_TAKES ", not '20'", ""},
		{"network=::1&for=1y", "'for' takes " TIMESPAN_TAKES ", not '1y'", ""},
		{"network=::1&ports=0", "'ports' takes " PORTS_TAKES ", not '0'", ""},
		{"network=::1&mode=enf", "'mode' takes one of: monitor enforce, not 'enf'", ""},
		{"network=::1&mode=", "'mode' takes one of: monitor enforce, not ''", ""},
		{"network=::1&mode=monitor%20enforce",
		 "'mode' takes one of: monitor enforce, not 'monitor enforce'", ""},
		{"network=::1&force=maybe", "'force' takes 1 or 0, not 'maybe'", ""},
		{"network=::1&text=a&text=b", "'text' is given twice", ""},
	};
	struct operation_call c;
	struct error e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		assert_int_equal(ask("/v1/probe", table[i].query, &c, &e), -EINVAL);
		assert_int_equal(e.exit, EXIT_USAGE);
		assert_string_equal(e.text, table[i].sentence);
		assert_string_equal(e.hint, table[i].hint);
		operation_release(&c);
	}
}

static void test_names_that_are_not_known_beforehand(void **state)
{
	struct operation_call c;
	struct error e;

	(void)state;
	assert_int_equal(ask("/v1/open", "where.port=53&x=1", &c, &e), 0);
	assert_int_equal(c.n_values, 0);
	operation_release(&c);
}

static void test_running(void **state)
{
	struct agent agent = {0};
	struct operation_call c;
	struct error e;

	(void)state;
	assert_int_equal(ask("/v1/probe", "network=::1", &c, &e), 0);
	assert_int_equal(operation_run(&c, &e), 0);
	assert_string_equal(json_string_value(json_object_get(c.answer, "done")), "it");
	operation_release(&c);
	assert_int_equal(ask("/v1/part", "", &c, &e), 0);
	c.agent = &agent;
	assert_int_equal(operation_run(&c, &e), -ESRCH);
	assert_string_equal(e.text, "nowhere is not running");
	assert_non_null(strstr(e.hint, "wiregauge run --module nowhere"));
	operation_release(&c);
	assert_true(operation_in_loop(&probe_operation));
	assert_true(operation_in_loop(&module_probe_operation));
	assert_false(operation_in_loop(&open_probe_operation));
}

static const char *code_of(int code, unsigned *ret_status)
{
	struct error e;

	error_set(&e, code, "it");
	return operation_failure_code(&e, ret_status);
}

static void test_codes(void **state)
{
	struct error e;
	unsigned status;

	(void)state;
	assert_string_equal(code_of(-EACCES, &status), "denied");
	assert_int_equal(status, 403);
	assert_string_equal(code_of(-ENOENT, &status), "not_found");
	assert_int_equal(status, 404);
	assert_string_equal(code_of(-ESRCH, &status), "not_running");
	assert_int_equal(status, 409);
	assert_string_equal(code_of(-EPROTONOSUPPORT, &status), "unsupported");
	assert_int_equal(status, 501);
	assert_string_equal(code_of(-EIO, &status), "failed");
	assert_int_equal(status, 500);
	error_set_usage(&e, "it");
	assert_string_equal(operation_failure_code(&e, &status), "usage");
	assert_int_equal(status, 400);
}

static void test_failure(void **state)
{
	struct error e;
	unsigned status;
	json_t *json, *what;

	(void)state;
	error_set(&e, -EEXIST, "there is one");
	error_hint(&e, "take another");
	json = operation_failure(&e, "line\n", &status);
	what = json_object_get(json, "error");
	assert_string_equal(json_string_value(json_object_get(what, "code")), "conflict");
	assert_string_equal(json_string_value(json_object_get(what, "message")), "there is one");
	assert_string_equal(json_string_value(json_object_get(what, "hint")), "take another");
	assert_string_equal(json_string_value(json_object_get(what, "details")), "line\n");
	assert_int_equal(json_integer_value(json_object_get(what, "exit")), EXIT_FAILED);
	json_decref(json);
	error_set(&e, -EIO, "\xff");
	json = operation_failure(&e, "", &status);
	what = json_object_get(json, "error");
	assert_null(json_object_get(what, "hint"));
	assert_null(json_object_get(what, "details"));
	assert_non_null(json_object_get(what, "message"));
	json_decref(json);
}

static void test_table(void **state)
{
	static const struct operation_column columns[] = {
		{"network"},
		{"last_seen", .kind = "gauge", .unit = "age", .importance = 3},
		{"since", .header = "FOR"},
	};
	json_t *table = operation_table("What", "none", columns, ARRAY_SIZE(columns));
	char *text;

	(void)state;
	operation_table_add(table, json_pack("{s:s, s:i}", "network", "::/0", "last_seen", 4));
	text = json_dumps(table, JSON_COMPACT);
	assert_string_equal(text,
			    "{\"help\":\"What\",\"empty\":\"none\",\"columns\":["
			    "{\"name\":\"network\",\"header\":\"NETWORK\",\"kind\":\"text\","
			    "\"unit\":\"none\",\"importance\":0},"
			    "{\"name\":\"last_seen\",\"header\":\"LAST SEEN\",\"kind\":\"gauge\","
			    "\"unit\":\"age\",\"importance\":3},"
			    "{\"name\":\"since\",\"header\":\"FOR\",\"kind\":\"text\","
			    "\"unit\":\"none\",\"importance\":0}],"
			    "\"rows\":[{\"network\":\"::/0\",\"last_seen\":4}]}");
	free(text);
	json_decref(table);
}

/* What would make two things of one, or a command that nobody can call. */
static void test_every_row_is_sound(void **state)
{
	const struct operation *o;

	(void)state;
	for (size_t i = 0; (o = operation_at(i)); i++) {
		bool rest = false, optional = false;

		assert_ptr_equal(operation_find(o->path), o);
		assert_int_equal(strncmp(o->path, "/v1/", 4), 0);
		assert_true(o->summary && o->run && o->n_arguments <= OPERATION_ARGUMENTS_MAX);
		for (size_t k = 0; k < o->n_arguments; k++) {
			const struct operation_argument *a = &o->arguments[k];

			assert_true(a->name && a->help);
			assert_int_equal(!a->placeholder, a->type == ARGUMENT_FLAG);
			assert_true(a->type != ARGUMENT_CHOICE || a->choices);
			if (!a->positional)
				continue;
			assert_true(a->placeholder && !rest && !(a->required && optional));
			rest = a->repeated;
			optional = !a->required;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_what_is_not_given),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_names_that_are_not_known_beforehand),
		cmocka_unit_test(test_running),
		cmocka_unit_test(test_codes),
		cmocka_unit_test(test_failure),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_every_row_is_sound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
