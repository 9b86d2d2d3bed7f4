// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <crypt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/auth.h"

/* "Basic" and the base64 of: alice:one, alice:two, bob:two, alice (no colon). */
#define ALICE        "Basic YWxpY2U6b25l"
#define ALICE_WRONG  "basic  YWxpY2U6dHdv"
#define BOB          "Basic Ym9iOnR3bw=="
#define WITHOUT_PASS "Basic YWxpY2U="

static struct web_config *config;
static struct auth *auth;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

struct asker {
	struct auth_question question;
	bool told;
};

static void on_told(struct auth_question *q)
{
	pthread_mutex_lock(&lock);
	CONTAINER_OF(q, struct asker, question)->told = true;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

/* A config whose one user is alice with the password "one", at the cheapest cost or at a dear
 * one. */
static struct web_config *make_config(const char *setting)
{
	struct crypt_data *data = calloc(1, sizeof(*data));
	_cleanup_report_ struct report report = {0};
	struct source source = {.name = strdup("web.yaml")};
	struct web_config *c = NULL;

	assert_true(asprintf(&source.text, "basic_auth_users: {alice: %s}\n",
			     crypt_rn("one", setting, data, sizeof(*data))) > 0);
	source.len = strlen(source.text);
	assert_int_equal(web_config_parse(source, &report, &c), 0);
	free(data);
	return c;
}

#define CHEAP "$2b$04$abcdefghijklmnopqrstuu"
#define DEAR  "$2b$13$abcdefghijklmnopqrstuu"

static int make(void **state)
{
	config = make_config(*state ? *state : CHEAP);
	auth = auth_new(config);
	return auth ? 0 : -1;
}

static int drop(void **state)
{
	(void)state;
	auth_unref(auth);
	web_config_free(config);
	return 0;
}

static enum auth_verdict ask(struct asker *a, const char *field, unsigned peer)
{
	*a = (struct asker){.question.done = on_told};
	return auth_ask(auth, field, peer, &a->question);
}

static enum auth_verdict wait_for(struct asker *a)
{
	pthread_mutex_lock(&lock);
	while (!a->told)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
	return a->question.verdict;
}

static void test_what_is_found_is_remembered(void **state)
{
	static const struct {
		const char *field;
		enum auth_verdict verdict;
	} rows[] = {{ALICE, AUTH_YES}, {ALICE_WRONG, AUTH_NO}, {BOB, AUTH_NO}};
	struct asker a;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(ask(&a, rows[i].field, 1), AUTH_LATER);
		assert_int_equal(wait_for(&a), rows[i].verdict);
	}
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(ask(&a, rows[i].field, 1), rows[i].verdict);
}

static void test_what_is_no_credential_is_refused_at_once(void **state)
{
	static const char *const fields[] = {NULL,
					     "",
					     "Basic",
					     "Basic ",
					     "Basic !",
					     "Bearer YWxpY2U6b25l",
					     WITHOUT_PASS,
					     "YWxpY2U6b25l",
					     "Basic YWxpAGU6b25l"};
	char too_long[2048];
	struct asker a;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		assert_int_equal(ask(&a, fields[i], 1), AUTH_NO);
	snprintf(too_long, sizeof(too_long), "Basic YWxpY2U6%01600d", 0);
	assert_int_equal(ask(&a, too_long, 1), AUTH_NO);
}

/* The same pair is checked once for all who ask, whoever they are; of others a peer has few. */
static void test_a_peer_has_few_that_wait(void **state)
{
	struct asker same[8], other[3], elsewhere;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(same); i++)
		assert_int_equal(ask(&same[i], ALICE, 1), AUTH_LATER);
	assert_int_equal(ask(&other[0], ALICE_WRONG, 1), AUTH_LATER);
	assert_int_equal(ask(&other[1], BOB, 1), AUTH_BUSY);
	assert_int_equal(ask(&elsewhere, BOB, 2), AUTH_LATER);
	for (size_t i = 0; i < ARRAY_SIZE(same); i++)
		assert_int_equal(wait_for(&same[i]), AUTH_YES);
	assert_int_equal(wait_for(&other[0]), AUTH_NO);
	assert_int_equal(wait_for(&elsewhere), AUTH_NO);
}

/* Whoever waits at the end is told so; the one that is being checked gets its answer. */
static void test_stop(void **state)
{
	struct asker first, second;
	enum auth_verdict verdict;

	(void)state;
	assert_int_equal(ask(&first, ALICE, 1), AUTH_LATER);
	assert_int_equal(ask(&second, BOB, 1), AUTH_LATER);
	auth_stop(auth);
	verdict = wait_for(&first);
	assert_true(verdict == AUTH_YES || verdict == AUTH_BUSY);
	assert_int_equal(wait_for(&second), AUTH_BUSY);
	assert_int_equal(ask(&second, BOB, 1), AUTH_BUSY);
}

static void test_same_users(void **state)
{
	struct web_config *other = make_config("$2b$04$vbcdefghijklmnopqrstuu");

	(void)state;
	assert_true(auth_is_same(auth, config));
	assert_false(auth_is_same(auth, other));
	web_config_free(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_what_is_found_is_remembered, make, drop),
		cmocka_unit_test_setup_teardown(test_what_is_no_credential_is_refused_at_once, make,
						drop),
		cmocka_unit_test_prestate_setup_teardown(test_a_peer_has_few_that_wait, make, drop,
							 DEAR),
		cmocka_unit_test_prestate_setup_teardown(test_stop, make, drop, DEAR),
		cmocka_unit_test_setup_teardown(test_same_users, make, drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
