// SPDX-License-Identifier: MIT
#include "kernel/tc.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "kernel/compat.h"
#include "kernel/testbed.h"

enum { LO = 1 };

static struct object *hooks;

static int load(void **state)
{
	struct error e = {};

	if (testbed_enter(state) != 0)
		return -1;
	hooks = open_object("hooks");
	if (object_load(hooks, &e) < 0)
		print_error("%s\n", e.text);
	return e.code;
}

static int unload(void **state)
{
	(void)state;
	object_close(hooks);
	return 0;
}

static uint64_t seen_by(uint32_t program)
{
	struct map_info map;
	uint64_t n = 0;

	assert_int_equal(object_find_map(hooks, "packets", &map), 0);
	assert_int_equal(bpf_map_lookup_elem(map.fd, &program, &n), 0);
	return n;
}

/* How many packets program 0, 1 and 2 saw of one datagram over lo. */
static void assert_seen(uint64_t first, uint64_t second, uint64_t third)
{
	uint64_t before[3] = {seen_by(0), seen_by(1), seen_by(2)};

	send_packet();
	assert_int_equal(seen_by(0) - before[0], first);
	assert_int_equal(seen_by(1) - before[1], second);
	assert_int_equal(seen_by(2) - before[2], third);
}

static void attach(enum tc_mechanism mechanism, const char *program, uint32_t ifindex,
		   enum tc_direction direction, struct tc_attachment *ret)
{
	struct error e = {};

	if (tc_attach(mechanism, program_fd(hooks, program), ifindex, direction, ret, &e) < 0)
		fail_msg("%s", e.text);
}

static void detach(struct tc_attachment *a)
{
	struct error e = {};

	if (tc_detach(a, &e) < 0)
		fail_msg("%s", e.text);
}

static void need_tcx(void)
{
	if (tc_probe_mechanism() != TC_TCX)
		skip();
}

static bool has_qdisc(const char *device)
{
	return strstr(output_of("tc qdisc show dev %s", device), "qdisc clsact") != NULL;
}

static unsigned filters_of(const char *device)
{
	const char *text = output_of("tc filter show dev %s ingress; tc filter show dev %s egress",
				     device, device);
	unsigned n = 0;

	for (; (text = strstr(text, " handle ")); text++)
		n++;
	return n;
}

/* A filter as another program would make it. */
static void add_foreign(enum bpf_tc_attach_point point, uint32_t priority, uint32_t handle)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = LO, .attach_point = point);
	LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = program_fd(hooks, "third"), .priority = priority,
		    .handle = handle);

	assert_int_equal(bpf_tc_attach(&hook, &opts), 0);
}

static void add_qdisc(void)
{
	run("tc qdisc add dev lo clsact");
}

static int remove_qdisc(void **state)
{
	(void)state;
	(void)try("tc qdisc del dev lo clsact 2>/dev/null");
	return 0;
}

/* --- both mechanisms --- */

static void check_both_directions(enum tc_mechanism mechanism)
{
	struct tc_attachment in, out;

	attach(mechanism, "first", LO, TC_INGRESS, &in);
	assert_int_equal(in.mechanism, mechanism);
	assert_seen(1, 0, 0);
	attach(mechanism, "second", LO, TC_EGRESS, &out);
	assert_seen(1, 1, 0);
	detach(&in);
	assert_seen(0, 1, 0);
	detach(&out);
	assert_seen(0, 0, 0);
	detach(&out);
	assert_int_equal(filters_of("lo"), 0);
	assert_false(has_qdisc("lo"));
}

static void check_replace(enum tc_mechanism mechanism)
{
	struct error e = {};
	struct tc_attachment a;

	attach(mechanism, "first", LO, TC_INGRESS, &a);
	assert_int_equal(tc_replace(&a, program_fd(hooks, "second"), &e), 0);
	assert_seen(0, 1, 0);
	assert_int_equal(tc_replace(&a, program_fd(hooks, "first"), &e), 0);
	assert_seen(1, 0, 0);
	detach(&a);
	assert_seen(0, 0, 0);
}

static void check_gone(enum tc_mechanism mechanism)
{
	struct tc_attachment in, out;
	struct error e = {};
	uint32_t ifindex;

	run("ip link add gone0 type veth peer name gone1");
	ifindex = if_nametoindex("gone0");
	attach(mechanism, "first", ifindex, TC_INGRESS, &in);
	attach(mechanism, "first", ifindex, TC_EGRESS, &out);
	run("ip link del gone0");
	assert_int_equal(tc_replace(&in, program_fd(hooks, "second"), &e), -ENODEV);
	detach(&in);
	detach(&out);
	assert_int_equal(tc_attach(mechanism, program_fd(hooks, "first"), ifindex, TC_INGRESS, &in,
				   &e),
			 -ENODEV);
	assert_non_null(strstr(e.text, "ingress of interface"));
}

/* No packet may pass unseen while the program is replaced. */
static void check_replace_under_traffic(enum tc_mechanism mechanism)
{
	uint64_t before = seen_by(0) + seen_by(1);
	struct tc_attachment a;
	struct error e = {};

	attach(mechanism, "first", LO, TC_INGRESS, &a);
	for (unsigned i = 0; i < 50; i++) {
		const char *next = i % 2 ? "first" : "second";
		pid_t child = fork();

		if (child == 0) {
			for (unsigned n = 0; n < 20; n++)
				send_packet();
			_exit(0);
		}
		assert_int_equal(tc_replace(&a, program_fd(hooks, next), &e), 0);
		assert_int_equal(waitpid(child, NULL, 0), child);
	}
	detach(&a);
	assert_int_equal(seen_by(0) + seen_by(1) - before, 50 * 20);
}

static const struct {
	const char *name;
	void (*check)(enum tc_mechanism mechanism);
} checks[] = {
	{"both directions", check_both_directions},
	{"replace", check_replace},
	{"interface gone", check_gone},
	{"replace under traffic", check_replace_under_traffic},
};

static void test_tcx(void **state)
{
	(void)state;
	need_tcx();
	for (size_t i = 0; i < ARRAY_SIZE(checks); i++)
		checks[i].check(TC_TCX);
}

static void test_clsact(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(checks); i++)
		checks[i].check(TC_CLSACT);
}

static void test_wrong_program(void **state)
{
	enum tc_mechanism mechanisms[] = {TC_CLSACT, TC_TCX};
	int pipes[2];

	(void)state;
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	for (size_t i = 0; i < ARRAY_SIZE(mechanisms); i++) {
		struct tc_attachment a;
		struct error e = {};

		assert_true(tc_attach(mechanisms[i], pipes[0], LO, TC_INGRESS, &a, &e) < 0);
		assert_string_not_equal(e.text, "");
		assert_false(has_qdisc("lo"));
	}
	close(pipes[0]);
	close(pipes[1]);
}

/* --- TCX --- */

static void test_tcx_beside_others(void **state)
{
	enum bpf_attach_type type = (enum bpf_attach_type)COMPAT_BPF_TCX_INGRESS;
	LIBBPF_OPTS(bpf_link_create_opts, before, .flags = COMPAT_BPF_F_BEFORE);
	_cleanup_close_ int early = -1, late = -1;
	struct tc_attachment a;

	(void)state;
	need_tcx();
	late = bpf_link_create(program_fd(hooks, "third"), LO, type, NULL);
	assert_true(late >= 0);
	attach(TC_TCX, "first", LO, TC_INGRESS, &a);
	early = bpf_link_create(program_fd(hooks, "second"), LO, type, &before);
	assert_true(early >= 0);
	assert_seen(1, 1, 1);
	detach(&a);
	assert_seen(0, 1, 1);
}

/* We come first on the list, or others' verdicts would hide packets from us. */
static void test_tcx_before_a_verdict(void **state)
{
	enum bpf_attach_type type = (enum bpf_attach_type)COMPAT_BPF_TCX_INGRESS;
	_cleanup_close_ int other = -1;
	struct tc_attachment a;

	(void)state;
	need_tcx();
	other = bpf_link_create(program_fd(hooks, "verdict"), LO, type, NULL);
	assert_true(other >= 0);
	attach(TC_TCX, "first", LO, TC_INGRESS, &a);
	assert_seen(1, 0, 0);
	detach(&a);
}

static void test_tcx_where_there_is_none(void **state)
{
	struct tc_attachment a;
	struct error e = {};

	(void)state;
	if (tc_probe_mechanism() == TC_TCX)
		skip();
	assert_int_equal(tc_attach(TC_TCX, program_fd(hooks, "first"), LO, TC_INGRESS, &a, &e),
			 -EOPNOTSUPP);
	assert_int_equal(e.exit, EXIT_HOST_LACKS);
	assert_non_null(strstr(e.text, "clsact"));
}

static void test_auto(void **state)
{
	struct tc_attachment a;

	(void)state;
	attach(TC_AUTO, "first", LO, TC_INGRESS, &a);
	assert_int_equal(a.mechanism, tc_probe_mechanism());
	assert_seen(1, 0, 0);
	detach(&a);
}

/* --- clsact and its neighbours --- */

static void test_qdisc_that_was_there_stays(void **state)
{
	struct tc_attachment in, out;

	(void)state;
	add_qdisc();
	attach(TC_CLSACT, "first", LO, TC_INGRESS, &in);
	attach(TC_CLSACT, "first", LO, TC_EGRESS, &out);
	assert_int_equal(in.handle, TC_HANDLE);
	assert_int_equal(out.handle, TC_HANDLE);
	assert_seen(2, 0, 0);
	detach(&out);
	detach(&in);
	assert_true(has_qdisc("lo"));
	assert_int_equal(filters_of("lo"), 0);
}

static void test_foreign_filters_go_on(void **state)
{
	struct tc_attachment a;

	(void)state;
	add_qdisc();
	add_foreign(BPF_TC_INGRESS, 1, 1);
	add_foreign(BPF_TC_INGRESS, 60000, 1);
	attach(TC_CLSACT, "first", LO, TC_INGRESS, &a);
	assert_seen(1, 0, 2);
	detach(&a);
	assert_seen(0, 0, 2);
	assert_int_equal(filters_of("lo"), 2);
}

static void test_own_qdisc_stays_for_a_foreign_filter(void **state)
{
	enum bpf_tc_attach_point points[] = {BPF_TC_INGRESS, BPF_TC_EGRESS};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(points); i++) {
		struct tc_attachment a;

		attach(TC_CLSACT, "first", LO, TC_INGRESS, &a);
		assert_int_equal(a.handle, TC_HANDLE | TC_HANDLE_OWN_QDISC);
		add_foreign(points[i], 7, 1);
		detach(&a);
		assert_true(has_qdisc("lo"));
		assert_seen(0, 0, 1);
		remove_qdisc(NULL);
	}
}

/* Someone else's filter where ours would be first: ours goes beside it. */
static void test_place_taken(void **state)
{
	struct tc_attachment a;

	(void)state;
	add_qdisc();
	add_foreign(BPF_TC_INGRESS, TC_PRIORITY, TC_HANDLE);
	attach(TC_CLSACT, "first", LO, TC_INGRESS, &a);
	assert_int_not_equal(a.handle, TC_HANDLE);
	assert_seen(1, 0, 1);
	detach(&a);
	assert_seen(0, 0, 1);
}

/* Two of ours at one hook: both see each packet, each goes for itself, the qdisc with the last. */
static void test_two_of_ours(void **state)
{
	struct tc_attachment one, other, third;

	(void)state;
	attach(TC_CLSACT, "first", LO, TC_INGRESS, &one);
	attach(TC_CLSACT, "second", LO, TC_INGRESS, &other);
	assert_seen(1, 1, 0);
	detach(&one);
	assert_seen(0, 1, 0);
	attach(TC_CLSACT, "first", LO, TC_INGRESS, &third);
	assert_int_not_equal(third.handle, other.handle);
	detach(&other);
	assert_seen(1, 0, 0);
	detach(&third);
	assert_false(has_qdisc("lo"));
}

static void test_ingress_qdisc(void **state)
{
	struct tc_attachment a;
	struct error e = {};

	(void)state;
	run("tc qdisc add dev lo ingress");
	attach(TC_CLSACT, "first", LO, TC_INGRESS, &a);
	assert_seen(1, 0, 0);
	detach(&a);
	assert_seen(0, 0, 0);
	assert_int_equal(tc_attach(TC_CLSACT, program_fd(hooks, "first"), LO, TC_EGRESS, &a, &e),
			 -EBUSY);
	assert_non_null(strstr(e.text, "\"ingress\""));
	run("tc qdisc del dev lo ingress");
}

/* --- after kill -9 --- */

static void attach_and_die(void)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		struct tc_attachment a;

		tc_attach(TC_CLSACT, program_fd(hooks, "first"), LO, TC_INGRESS, &a, NULL);
		tc_attach(TC_CLSACT, program_fd(hooks, "first"), LO, TC_EGRESS, &a, NULL);
		raise(SIGKILL);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_seen(2, 0, 0);
}

static unsigned cleanup(void)
{
	unsigned removed = 0;
	struct error e = {};

	if (tc_cleanup(&removed, &e) < 0)
		fail_msg("%s", e.text);
	return removed;
}

static void test_cleanup_after_kill(void **state)
{
	(void)state;
	attach_and_die();
	assert_int_equal(cleanup(), 2);
	assert_seen(0, 0, 0);
	assert_false(has_qdisc("lo"));
	assert_int_equal(cleanup(), 0);
}

static void test_cleanup_beside_a_foreign_filter(void **state)
{
	(void)state;
	attach_and_die();
	add_foreign(BPF_TC_EGRESS, 7, 1);
	assert_int_equal(cleanup(), 2);
	assert_true(has_qdisc("lo"));
	assert_int_equal(filters_of("lo"), 1);
	assert_seen(0, 0, 1);
}

static void test_cleanup_of_others_only(void **state)
{
	(void)state;
	add_qdisc();
	add_foreign(BPF_TC_INGRESS, TC_PRIORITY, TC_HANDLE);
	assert_int_equal(cleanup(), 0);
	assert_int_equal(filters_of("lo"), 1);
}

/* Whenever the process is killed, cleanup finds all. */
static void test_kill_at_any_moment(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		pid_t child = fork();

		if (child == 0) {
			struct tc_attachment in, out;

			for (;;) {
				tc_attach(TC_CLSACT, program_fd(hooks, "first"), LO, TC_INGRESS,
					  &in, NULL);
				tc_attach(TC_CLSACT, program_fd(hooks, "first"), LO, TC_EGRESS,
					  &out, NULL);
				tc_detach(&in, NULL);
				tc_detach(&out, NULL);
			}
		}
		usleep(500 + i * 37);
		assert_int_equal(kill(child, SIGKILL), 0);
		assert_int_equal(waitpid(child, NULL, 0), child);
		cleanup();
		assert_false(has_qdisc("lo"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_tcx, remove_qdisc),
		cmocka_unit_test_teardown(test_clsact, remove_qdisc),
		cmocka_unit_test_teardown(test_wrong_program, remove_qdisc),
		cmocka_unit_test_teardown(test_tcx_beside_others, remove_qdisc),
		cmocka_unit_test_teardown(test_tcx_before_a_verdict, remove_qdisc),
		cmocka_unit_test_teardown(test_tcx_where_there_is_none, remove_qdisc),
		cmocka_unit_test_teardown(test_auto, remove_qdisc),
		cmocka_unit_test_teardown(test_qdisc_that_was_there_stays, remove_qdisc),
		cmocka_unit_test_teardown(test_foreign_filters_go_on, remove_qdisc),
		cmocka_unit_test_teardown(test_own_qdisc_stays_for_a_foreign_filter, remove_qdisc),
		cmocka_unit_test_teardown(test_place_taken, remove_qdisc),
		cmocka_unit_test_teardown(test_ingress_qdisc, remove_qdisc),
		cmocka_unit_test_teardown(test_cleanup_after_kill, remove_qdisc),
		cmocka_unit_test_teardown(test_cleanup_beside_a_foreign_filter, remove_qdisc),
		cmocka_unit_test_teardown(test_cleanup_of_others_only, remove_qdisc),
		cmocka_unit_test_teardown(test_two_of_ours, remove_qdisc),
		cmocka_unit_test_teardown(test_kill_at_any_moment, remove_qdisc),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
