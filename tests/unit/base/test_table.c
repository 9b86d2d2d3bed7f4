// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/table.h"

struct key {
	uint32_t a, b;
	uint16_t c, d;
};

static struct key key_of(uint32_t i)
{
	return (struct key){.a = i, .b = i / 7, .c = (uint16_t)(i % 3), .d = 9};
}

static void test_empty_finds_nothing(void **state)
{
	struct table t;
	struct key k = key_of(1);

	(void)state;
	table_init(&t, sizeof(k));
	assert_int_equal(table_find(&t, &k), TABLE_NONE);
	table_clear(&t);
	assert_int_equal(table_find(&t, &k), TABLE_NONE);
	table_free(&t);
}

static void test_numbers_keys_in_order(void **state)
{
	enum { N = 10000 };
	struct table t;
	bool added;

	(void)state;
	table_init(&t, sizeof(struct key));
	for (uint32_t i = 0; i < N; i++) {
		struct key k = key_of(i);

		assert_int_equal(table_add(&t, &k, &added), i);
		assert_true(added);
	}
	assert_int_equal(t.count, N);
	for (uint32_t i = 0; i < N; i++) {
		struct key k = key_of(i);

		assert_int_equal(table_find(&t, &k), i);
		assert_memory_equal(table_key(&t, i), &k, sizeof(k));
		assert_int_equal(table_add(&t, &k, &added), i);
		assert_false(added);
	}
	assert_int_equal(t.count, N);
	for (uint32_t i = N; i < 2 * N; i++) {
		struct key k = key_of(i);

		assert_int_equal(table_find(&t, &k), TABLE_NONE);
	}
	table_free(&t);
}

static void test_clear_forgets_and_can_be_filled_again(void **state)
{
	struct table t;
	bool added;
	uint32_t cap;

	(void)state;
	table_init(&t, sizeof(struct key));
	for (uint32_t i = 0; i < 1000; i++) {
		struct key k = key_of(i);

		table_add(&t, &k, &added);
	}
	cap = t.cap;
	table_clear(&t);
	assert_int_equal(t.count, 0);
	for (uint32_t i = 0; i < 1000; i++) {
		struct key k = key_of(999 - i);

		assert_int_equal(table_find(&t, &k), TABLE_NONE);
		assert_int_equal(table_add(&t, &k, &added), i);
		assert_true(added);
	}
	assert_int_equal(t.cap, cap);
	table_free(&t);
}

/* A map without key fields: all entries are the same one. */
static void test_key_without_bytes(void **state)
{
	struct table t;
	bool added;

	(void)state;
	table_init(&t, 0);
	assert_int_equal(table_add(&t, "", &added), 0);
	assert_true(added);
	assert_int_equal(table_add(&t, "", &added), 0);
	assert_false(added);
	assert_int_equal(table_find(&t, ""), 0);
	table_free(&t);
}

static void test_free_can_be_used_again(void **state)
{
	struct table t;
	struct key k = key_of(5);
	bool added;

	(void)state;
	table_init(&t, sizeof(k));
	table_add(&t, &k, &added);
	table_free(&t);
	assert_int_equal(t.count, 0);
	assert_int_equal(table_find(&t, &k), TABLE_NONE);
	assert_int_equal(table_add(&t, &k, &added), 0);
	assert_true(added);
	table_free(&t);
}

static void test_holds(void **state)
{
	struct table t;
	struct key first = key_of(1), second = key_of(2);
	bool added;

	(void)state;
	table_init(&t, sizeof(first));
	assert_false(table_holds(&t, 0, &first));
	table_add(&t, &first, &added);
	table_add(&t, &second, &added);
	assert_true(table_holds(&t, 0, &first));
	assert_true(table_holds(&t, 1, &second));
	assert_false(table_holds(&t, 0, &second));
	assert_false(table_holds(&t, TABLE_NONE, &first));
	table_drop_last(&t);
	assert_false(table_holds(&t, 1, &second));
	assert_int_equal(table_find(&t, &second), TABLE_NONE);
	assert_int_equal(table_find(&t, &first), 0);
	table_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty_finds_nothing),
		cmocka_unit_test(test_numbers_keys_in_order),
		cmocka_unit_test(test_clear_forgets_and_can_be_filled_again),
		cmocka_unit_test(test_key_without_bytes),
		cmocka_unit_test(test_free_can_be_used_again),
		cmocka_unit_test(test_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
