// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "decoding.h"
#include "kernel/ksyms.h"

#define KSTACK "[{name: kstack}]"

static int set_up(void **state)
{
	static struct decode_env env;

	*state = &env;
	return ksyms_new(&env.ksyms);
}

static int tear_down(void **state)
{
	ksyms_free(((struct decode_env *)*state)->ksyms);
	return 0;
}

static void expect(const struct decode_env *env, const uint64_t *frames, size_t count, int result,
		   const char *text)
{
	check_decoding(env, &(struct decoding){KSTACK, (const char *)frames,
					       (uint32_t)(count * sizeof(*frames)), result, text});
}

static void test_stacks(void **state)
{
	const struct decode_env *env = *state;
	uint64_t one = 0, other = 0;
	struct error e;

	if (ksyms_address(env->ksyms, "tcp_v4_connect", &one, &e) ||
	    ksyms_address(env->ksyms, "ip_local_deliver", &other, &e))
		skip(); /* addresses are hidden from us */

	/* a frame is an address within a function, and its first as well */
	const uint64_t stack[] = {one + 5, other, other + 1, 0, one};

	expect(env, stack, 4, 0, "tcp_v4_connect\nip_local_deliver\nip_local_deliver");
	/* what is behind the first zero is left from another stack */
	expect(env, stack, 5, 0, "tcp_v4_connect\nip_local_deliver\nip_local_deliver");
	/* a stack that fills its room has no zero */
	expect(env, stack, 2, 0, "tcp_v4_connect\nip_local_deliver");

	const uint64_t strange[] = {1, one, UINT64_MAX, 0};

	expect(env, strange, 4, DECODE_UNKNOWN, "??\ntcp_v4_connect\n??");
}

static void test_none(void **state)
{
	const uint64_t none[] = {0, 7};

	expect(*state, none, 2, 0, "");
}

static void test_refusals(void **state)
{
	static const struct refusal rows[] = {
		{12, KSTACK,
		 "has a size of 12 bytes, but its decoder 'kstack' takes multiples of 8"},
		{8, "[" UINT ", {name: kstack}]", "it must be the first"},
	};

	CHECK_REFUSALS(*state, rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stacks),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
