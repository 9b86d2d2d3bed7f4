// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <bpf/btf.h>

#include "kernel/enum_names.h"
#include "kernel/kernel_btf.h"

#define VMLINUX_BTF "/sys/kernel/btf/vmlinux"

static char path[] = "/tmp/wg-btf-XXXXXX";

/* Also in the place of one that was removed. */
static void write_btf(void)
{
	struct btf *btf = btf__new_empty();
	const void *data;
	uint32_t size;
	FILE *file = fopen(path, "w");

	assert_non_null(btf);
	assert_non_null(file);
	btf__add_enum(btf, "state", 4);
	btf__add_enum_value(btf, "STATE_ZERO", 0);
	data = btf__raw_data(btf, &size);
	assert_int_equal(fwrite(data, 1, size, file), size);
	fclose(file);
	btf__free(btf);
}

static int set_up(void **state)
{
	int fd = mkstemp(path);

	close(fd);
	write_btf();
	return kernel_btf_new(path, (struct kernel_btf **)state);
}

static int tear_down(void **state)
{
	kernel_btf_free(*state);
	unlink(path);
	snprintf(path + sizeof(path) - 7, 7, "XXXXXX");
	return 0;
}

/* Once the file is gone, nobody can have read it again. */
static void test_read_once_while_held(void **state)
{
	struct kernel_btf *k = *state;
	struct btf *first;

	kernel_btf_hold(k);
	first = kernel_btf_get(k);
	assert_non_null(first);
	unlink(path);
	kernel_btf_hold(k);
	assert_ptr_equal(kernel_btf_get(k), first);
	kernel_btf_release(k);
	assert_ptr_equal(kernel_btf_get(k), first);
	kernel_btf_release(k);

	kernel_btf_hold(k);
	assert_null(kernel_btf_get(k));
	assert_int_equal(errno, ENOENT);
	kernel_btf_release(k);
}

static void test_enums_share_it(void **state)
{
	struct enum_names *a = NULL, *b = NULL;
	struct kernel_btf *k = *state;
	struct error e;

	kernel_btf_hold(k);
	assert_int_equal(enum_names_read(k, "state", &a, &e), 0);
	unlink(path);
	assert_int_equal(enum_names_read_module(k, "anything", "state", &b, &e), 0);
	kernel_btf_release(k);
	/* Their names are their own. */
	assert_string_equal(enum_names_find(a, 0), "STATE_ZERO");
	assert_string_equal(enum_names_find(b, 0), "STATE_ZERO");
	enum_names_free(a);
	enum_names_free(b);
	assert_int_equal(enum_names_read(k, "state", &a, &e), -ENOENT);
}

/* What is not there is not asked for again while it is held, and is from then on. */
static void test_tried_once_while_held(void **state)
{
	struct kernel_btf *k = *state;

	unlink(path);
	kernel_btf_hold(k);
	assert_null(kernel_btf_get(k));
	write_btf();
	assert_null(kernel_btf_get(k));
	assert_int_equal(errno, ENOENT);
	kernel_btf_release(k);
	kernel_btf_hold(k);
	assert_non_null(kernel_btf_get(k));
	kernel_btf_release(k);
}

static void test_running_kernel(void **state)
{
	struct kernel_btf *k = *state, *none_given;
	struct btf *running;

	if (access(VMLINUX_BTF, R_OK))
		skip(); /* this kernel has no BTF */
	kernel_btf_hold(k);
	running = kernel_btf_get_running(k);
	assert_non_null(running);
	assert_ptr_not_equal(running, kernel_btf_get(k));
	assert_true(btf__find_by_name_kind(running, "sk_buff", BTF_KIND_STRUCT) > 0);
	kernel_btf_release(k);

	assert_int_equal(kernel_btf_new(NULL, &none_given), 0);
	kernel_btf_hold(none_given);
	running = kernel_btf_get(none_given);
	assert_non_null(running);
	assert_ptr_equal(kernel_btf_get_running(none_given), running);
	kernel_btf_free(none_given); /* also while it is held */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_read_once_while_held, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_enums_share_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_tried_once_while_held, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_running_kernel, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
