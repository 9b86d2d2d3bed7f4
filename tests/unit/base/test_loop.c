// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "base/loop.h"

struct reader {
	struct loop *loop;
	int fd;
	int calls;
	char last;
};

static void read_one(void *ctx)
{
	struct reader *r = ctx;

	r->calls++;
	assert_int_equal(read(r->fd, &r->last, 1), 1);
	if (r->last == 'q')
		loop_stop(r->loop);
}

static void test_calls_while_there_is_something(void **state)
{
	struct reader a = {0}, b = {0};
	int to_a[2], to_b[2];
	struct loop *l;

	(void)state;
	assert_int_equal(loop_new(&l), 0);
	assert_int_equal(pipe(to_a), 0);
	assert_int_equal(pipe(to_b), 0);
	a = (struct reader){.loop = l, .fd = to_a[0]};
	b = (struct reader){.loop = l, .fd = to_b[0]};
	assert_int_equal(loop_add(l, to_a[0], read_one, &a), 0);
	assert_int_equal(loop_add(l, to_b[0], read_one, &b), 0);
	assert_int_equal(write(to_a[1], "123q", 4), 4);
	assert_int_equal(loop_run(l), 0);
	assert_int_equal(a.calls, 4);
	assert_int_equal(b.calls, 0);
	loop_free(l);
	for (int i = 0; i < 2; i++) {
		close(to_a[i]);
		close(to_b[i]);
	}
}

static void test_stopped_before_it_ran(void **state)
{
	struct loop *l;

	(void)state;
	assert_int_equal(loop_new(&l), 0);
	loop_stop(l);
	assert_int_equal(loop_run(l), 0);
	loop_free(l);
}

static void test_refuses_what_is_no_descriptor(void **state)
{
	struct loop *l;

	(void)state;
	assert_int_equal(loop_new(&l), 0);
	assert_true(loop_add(l, -1, read_one, NULL) < 0);
	loop_free(l);
	loop_free(NULL);
}

static void count_call(void *ctx)
{
	++*(int *)ctx;
}

struct poster {
	struct loop *loop;
	struct loop_call call;
};

static void stop_loop(void *ctx)
{
	loop_stop(ctx);
}

static void *post_from_elsewhere(void *arg)
{
	struct poster *p = arg;

	p->call = (struct loop_call){.fn = stop_loop, .ctx = p->loop};
	assert_int_equal(loop_post(p->loop, &p->call), 0);
	return NULL;
}

static void test_calls_from_another_thread(void **state)
{
	struct poster p = {0};
	pthread_t thread;

	(void)state;
	assert_int_equal(loop_new(&p.loop), 0);
	assert_int_equal(pthread_create(&thread, NULL, post_from_elsewhere, &p), 0);
	assert_int_equal(loop_run(p.loop), 0); /* until the call stops it */
	pthread_join(thread, NULL);
	loop_free(p.loop);
}

/* What was taken is done, whether the loop ever runs or not; then no more is taken. */
static void test_drain(void **state)
{
	struct loop_call calls[3];
	struct loop *l;
	int count = 0;

	(void)state;
	assert_int_equal(loop_new(&l), 0);
	for (size_t i = 0; i < 3; i++)
		calls[i] = (struct loop_call){.fn = count_call, .ctx = &count};
	assert_int_equal(loop_post(l, &calls[0]), 0);
	assert_int_equal(loop_post(l, &calls[1]), 0);
	assert_int_equal(count, 0);
	loop_drain(l);
	assert_int_equal(count, 2);
	assert_int_equal(loop_post(l, &calls[2]), -ESHUTDOWN);
	loop_drain(l);
	assert_int_equal(count, 2);
	loop_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls_while_there_is_something),
		cmocka_unit_test(test_stopped_before_it_ran),
		cmocka_unit_test(test_calls_from_another_thread),
		cmocka_unit_test(test_drain),
		cmocka_unit_test(test_refuses_what_is_no_descriptor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
