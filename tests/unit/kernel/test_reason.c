// SPDX-License-Identifier: MIT
#include "kernel/reason.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/macro.h"

/* What it says; NULL for nothing. */
static const char *say(struct buf *b, const char *section, int code, const char *libbpf,
		       enum exit_code *ret_exit)
{
	struct libbpf_log log = {0};
	bool known;

	buf_reset(b);
	buf_add_str(&log.text, libbpf);
	known = reason_add(b, section, code, &log, ret_exit);
	buf_free(&log.text);
	return known ? buf_str(b) : NULL;
}

static void test_meanings(void **state)
{
	static const struct {
		const char *section;
		int code;
		const char *libbpf;
		enum exit_code exit;
		const char *meaning;
	} rows[] = {
		{"fentry/f", -EPERM, "", EXIT_DENIED, "refuses fentry"},
		{"lsm.s/file_open", -EPERM, "", EXIT_DENIED, "refuses fentry"},
		{"iter/bpf_map_elem", -EPERM, "", EXIT_DENIED, "bpf_for_each_map_elem()"},
		{"fentry/wiregauge_none", -ESRCH, "failed to find kernel BTF type ID of 'x'",
		 EXIT_HOST_LACKS, "no function 'wiregauge_none'"},
		{"tp_btf/x", -ESRCH, "failed to find kernel BTF type ID of 'x'", EXIT_HOST_LACKS,
		 "no such tracepoint"},
		{"iter/x", -ESRCH, "failed to find kernel BTF type ID of 'x'", EXIT_HOST_LACKS,
		 "no such iterator"},
		{"lsm/x", -ESRCH, "failed to find kernel BTF type ID of 'x'", EXIT_HOST_LACKS,
		 "no such LSM hook"},
		{"usdt/x:y:z", -ENOENT, "", EXIT_HOST_LACKS, "no such probe"},
		{"uprobe/x:y", -ENOENT, "elf: failed to find symbol 'y'", EXIT_HOST_LACKS,
		 "no such function"},
		{"raw_tp/x", -ENOENT, "failed to attach to raw tracepoint 'x'", EXIT_HOST_LACKS,
		 "no such tracepoint"},
		{"kprobe/x", -EACCES, "failed to create kprobe 'x+0x0' perf event", EXIT_DENIED,
		 "perf_event_paranoid"},
		{"tc", -EACCES, "-- END PROG LOAD LOG --", EXIT_FAILED, "verifier refuses"},
	};
	_cleanup_buf_ struct buf b = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		enum exit_code exit = EXIT_DONE;
		const char *said = say(&b, rows[i].section, rows[i].code, rows[i].libbpf, &exit);

		assert_non_null(said);
		if (!strstr(said, rows[i].meaning))
			fail_msg("%s: '%s' is not in '%s'", rows[i].section, rows[i].meaning, said);
		assert_int_equal(exit, rows[i].exit);
	}
}

static void test_unknown(void **state)
{
	_cleanup_buf_ struct buf b = {0};
	enum exit_code exit = EXIT_DONE;

	(void)state;
	assert_null(say(&b, "tc", -EPERM, "-- END PROG LOAD LOG --", &exit));
	assert_null(say(&b, "kprobe/f", -EPERM, "failed to create kprobe", &exit));
	assert_null(say(&b, "", -EIO, "", &exit));
	assert_null(say(&b, "tp/a/b", -EIO, "something else", &exit));
	assert_int_equal(exit, EXIT_DONE);
}

/* Whatever libbpf made of it. */
static void test_shortage(void **state)
{
	struct libbpf_log log = {0};

	(void)state;
	assert_int_equal(reason_shortage(-EINVAL, &log), 0);
	buf_add_str(&log.text, "map 'm': failed to create: Too many open files(-24)\n");
	assert_int_equal(reason_shortage(-EINVAL, &log), -EMFILE);
	assert_int_equal(reason_shortage(-EPERM, &log), 0);
	buf_reset(&log.text);
	buf_add_str(&log.text, "Cannot allocate memory");
	assert_int_equal(reason_shortage(-EINVAL, &log), -ENOMEM);
	buf_free(&log.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_meanings),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_shortage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
