// SPDX-License-Identifier: MIT
#include "kernel/links.h"

#include <fcntl.h>
#include <net/if_arp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "kernel/testbed.h"

enum { MANY = 500, SOME = 60, LINES = 4096 };

/* What links_update() told, one line a change: "added a0", "renamed b0", "removed a0". */
struct told {
	char lines[LINES][32];
	struct link_info links[LINES];
	size_t count;
};

static struct told told;

static void on_event(void *ctx, enum link_event event, const struct link_info *link)
{
	static const char *const names[] = {"added", "renamed", "removed"};
	struct told *t = ctx;

	assert_true(t->count < LINES);
	snprintf(t->lines[t->count], sizeof(t->lines[0]), "%s %s", names[event], link->name);
	t->links[t->count++] = *link;
}

static struct links *open_links(void)
{
	struct links *l = NULL;
	struct error e = {};

	if (links_open(&l, &e) < 0)
		fail_msg("%s", e.text);
	told.count = 0;
	return l;
}

static void update(struct links *l)
{
	struct error e = {};

	told.count = 0;
	if (links_update(l, on_event, &told, &e) < 0)
		fail_msg("%s", e.text);
}

/* All that update() told must be exactly these lines, in this order. */
static void assert_told(const char *const lines[], size_t count)
{
	for (size_t i = 0; i < MIN(told.count, count); i++)
		assert_string_equal(told.lines[i], lines[i]);
	if (told.count > count)
		fail_msg("one event too many: %s", told.lines[count]);
	assert_int_equal(told.count, count);
}

#define expect_told(...)                                                                           \
	do {                                                                                       \
		const char *const lines[] = {__VA_ARGS__};                                         \
		assert_told(lines, ARRAY_SIZE(lines));                                             \
	} while (0)

static void expect_nothing(void)
{
	if (told.count > 0)
		fail_msg("not expected: %s", told.lines[0]);
}

struct census {
	const struct links *links;
	size_t count;
};

static void compare_one(void *ctx, enum link_event event, const struct link_info *link)
{
	struct census *census = ctx;
	char name[IF_NAMESIZE] = "";

	assert_int_equal(event, LINK_ADDED);
	assert_string_equal(if_indextoname(link->ifindex, name), link->name);
	assert_true(links_name(census->links, link->ifindex, name));
	assert_string_equal(name, link->name);
	census->count++;
}

/* What it knows is what the kernel has. */
static void assert_true_to_kernel(struct links *l)
{
	struct if_nameindex *names = if_nameindex();
	struct census census = {.links = l};
	size_t count = 0;

	while (names[count].if_index)
		count++;
	if_freenameindex(names);
	links_each(l, compare_one, &census);
	assert_int_equal(census.count, count);
}

static int clean(void **state)
{
	struct if_nameindex *names = if_nameindex();
	FILE *pipe = popen("ip -force -batch - >/dev/null 2>&1", "w");

	(void)state;
	for (size_t i = 0; names[i].if_index; i++) {
		if (names[i].if_name[0] == 't' && names[i].if_name[1] != 'u')
			fprintf(pipe, "link del %s\n", names[i].if_name);
	}
	if_freenameindex(names);
	pclose(pipe);
	return 0;
}

/* So little room that almost every change overruns it. */
static void shrink_buffer(struct links *l)
{
	int size = 1;

	assert_int_equal(setsockopt(links_fd(l), SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)), 0);
}

static void test_life_of_an_interface(void **state)
{
	struct links *l = open_links();
	char name[IF_NAMESIZE];
	uint64_t generation;
	uint32_t ifindex;

	(void)state;
	assert_true(links_name(l, 1, name));
	assert_string_equal(name, "lo");
	assert_false(links_name(l, 999, name));
	update(l);
	expect_nothing();

	generation = links_generation(l);
	run("ip link add ta index 50 type veth peer name tb index 51");
	update(l);
	expect_told("added tb", "added ta");
	assert_int_equal(told.links[0].ifindex, 51);
	assert_int_equal(told.links[0].type, ARPHRD_ETHER);
	assert_int_not_equal(links_generation(l), generation);
	ifindex = told.links[1].ifindex;

	generation = links_generation(l);
	run("ip link set ta up mtu 1400; ip link set tb up; ip link set ta down");
	update(l);
	expect_nothing();
	assert_int_equal(links_generation(l), generation);

	run("ip link set ta name tc");
	update(l);
	expect_told("renamed tc");
	assert_int_equal(told.links[0].ifindex, ifindex);
	assert_true(links_name(l, ifindex, name));
	assert_string_equal(name, "tc");
	assert_int_not_equal(links_generation(l), generation);

	run("ip link del tc");
	update(l);
	assert_int_equal(told.count, 2);
	assert_false(links_name(l, ifindex, name));
	assert_true_to_kernel(l);
	links_close(l);
}

static void test_index_used_again(void **state)
{
	struct links *l;
	uint32_t generation;

	(void)state;
	run("ip link add ta index 60 type veth peer name tb index 61");
	l = open_links();
	run("ip link del ta; ip link add ta index 60 type veth peer name tb index 61");
	update(l);
	assert_int_equal(told.count, 4);
	assert_true(strncmp(told.lines[0], "removed", 7) == 0);
	assert_true(strncmp(told.lines[1], "removed", 7) == 0);
	assert_true(strncmp(told.lines[2], "added", 5) == 0);
	generation = told.links[0].generation;
	for (unsigned i = 1; i < 4; i++)
		assert_int_not_equal(told.links[i].generation, generation);
	assert_true_to_kernel(l);
	links_close(l);
}

/* The bridge tells that the port is gone, with the same kind of message. */
static void test_leaving_a_bridge_is_no_removal(void **state)
{
	struct links *l;

	(void)state;
	if (try("ip link add tbridge type bridge 2>/dev/null") != 0)
		skip();
	run("ip link add ta type veth peer name tb");
	l = open_links();
	run("ip link set ta master tbridge; ip link set ta up; ip link set ta nomaster");
	update(l);
	expect_nothing();
	assert_true_to_kernel(l);
	links_close(l);
}

static void expect_choice(const struct links *l, const char *name, const char *patterns,
			  bool expected)
{
	_cleanup_strv_ struct strv v = {0};
	struct link_info link;

	assert_true(links_get(l, if_nametoindex(name), &link));
	assert_int_equal(strv_add_split(&v, patterns, ','), 0);
	if (link_is_chosen(&link, &v) != expected)
		fail_msg("%s (%s) and %s", name, link.kind, patterns);
}

static void test_interfaces_are_chosen_by_kind(void **state)
{
	struct links *l;

	(void)state;
	run("ip link add ta type veth peer name tb");
	l = open_links();
	expect_choice(l, "ta", "kind:veth", true);
	expect_choice(l, "ta", "kind:v*", true);
	expect_choice(l, "ta", "kind:veth,!tb", true);
	expect_choice(l, "tb", "kind:veth,!tb", false);
	expect_choice(l, "ta", "*,!kind:veth", false);
	expect_choice(l, "ta", "kind:physical", false);
	expect_choice(l, "ta", "kind:bridge", false);
	expect_choice(l, "ta", "veth", false);
	expect_choice(l, "lo", "kind:*", false); /* of no kind */
	expect_choice(l, "lo", "*,!kind:*", true);
	links_close(l);
}

static void expect_device(void *ctx, enum link_event event, const struct link_info *link)
{
	unsigned *count = ctx;

	(void)event;
	if (link->physical != (try("test -e '/sys/class/net/%s/device'", link->name) == 0))
		fail_msg("%s: %d", link->name, link->physical);
	++*count;
}

/* Of where the test was started: /sys shows its interfaces. */
static int first_netns = -1;

static int enter(void **state)
{
	first_netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	return testbed_enter(state);
}

static void test_devices_are_physical(void **state)
{
	int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	struct links *l;
	unsigned count = 0;

	(void)state;
	assert_true(own >= 0 && setns(first_netns, CLONE_NEWNET) == 0);
	l = open_links();
	assert_int_equal(setns(own, CLONE_NEWNET), 0);
	links_each(l, expect_device, &count);
	assert_true(count > 0);
	links_close(l);
	close(own);
}

/* A process in a network namespace of its own, until it is killed. */
static pid_t start_elsewhere(void)
{
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		if (unshare(CLONE_NEWNET) < 0 || write(ready[1], "x", 1) != 1)
			_exit(1);
		pause();
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

static void test_moving_away_is_removal(void **state)
{
	pid_t elsewhere = start_elsewhere();
	struct links *l;

	(void)state;
	run("ip link add ta type veth peer name tb");
	l = open_links();
	run("ip link set ta netns %d", elsewhere);
	update(l);
	expect_told("removed ta");
	kill(elsewhere, SIGKILL);
	waitpid(elsewhere, NULL, 0);
	links_close(l);
}

/* Runs `ip` with the line @what, each '#' in it being 0, 1 … @count - 1. */
static void batch(unsigned count, const char *what)
{
	FILE *pipe = popen("ip -batch - >/dev/null", "w");

	assert_non_null(pipe);
	for (unsigned i = 0; i < count; i++) {
		for (const char *c = what; *c; c++) {
			if (*c == '#')
				fprintf(pipe, "%u", i);
			else
				fputc(*c, pipe);
		}
	}
	assert_int_equal(pclose(pipe), 0);
}

static void come_and_go(struct links *l, unsigned pairs)
{
	batch(pairs, "link add ta# type veth peer name tb#\n");
	update(l);
	assert_int_equal(told.count, 2 * pairs);
	assert_true_to_kernel(l);
	batch(pairs, "link set ta# name tc#\n");
	update(l);
	assert_int_equal(told.count, pairs);
	assert_true_to_kernel(l);
	batch(pairs, "link del tc#\n");
	update(l);
	assert_int_equal(told.count, 2 * pairs);
	assert_true_to_kernel(l);
	update(l);
	expect_nothing();
}

static void test_many_come_and_go(void **state)
{
	struct links *l = open_links();

	(void)state;
	come_and_go(l, MANY);
	links_close(l);
}

static void test_overrun(void **state)
{
	struct links *l = open_links();

	(void)state;
	shrink_buffer(l);
	come_and_go(l, SOME);
	links_close(l);
}

static size_t told_of(const char *line)
{
	size_t n = 0;

	for (size_t i = 0; i < told.count; i++)
		n += STREQ(told.lines[i], line);
	return n;
}

/* The new one has the index, name and type of the old one, and no message of it ever came. */
static void test_index_used_again_unseen(void **state)
{
	struct links *l;

	(void)state;
	run("ip link add tm index 70 type veth peer name tn index 71");
	l = open_links();
	shrink_buffer(l);
	batch(SOME, "link add ta# type veth peer name tb#\n");
	run("ip link del tm; ip link add tm index 70 type veth peer name tn index 71");
	update(l);
	assert_int_equal(told_of("removed tm"), 1);
	assert_int_equal(told_of("added tm"), 1);
	assert_int_equal(told_of("removed tn"), 1);
	assert_int_equal(told_of("added tn"), 1);
	assert_int_equal(told.count, 2 * SOME + 4);
	assert_true_to_kernel(l);
	links_close(l);
}

struct asking {
	const struct links *links;
	_Atomic bool stop;
	_Atomic unsigned long asked;
};

static void *ask(void *ctx)
{
	struct asking *a = ctx;
	char name[IF_NAMESIZE];

	while (!atomic_load(&a->stop)) {
		for (uint32_t i = 1; i < 2000; i++) {
			if (links_name(a->links, i, name) && memchr(name, 0, IF_NAMESIZE) == NULL)
				abort();
		}
		atomic_fetch_add(&a->asked, 1);
	}
	return NULL;
}

/* Changes go on while they are read, with far too small a buffer, and another thread asks. */
static void test_churn(void **state)
{
	struct links *l = open_links();
	struct asking asking = {.links = l};
	pthread_t thread;
	FILE *pipe;

	(void)state;
	shrink_buffer(l);
	assert_int_equal(pthread_create(&thread, NULL, ask, &asking), 0);
	pipe = popen("ip -batch - >/dev/null", "w");
	assert_non_null(pipe);
	for (unsigned i = 0; i < SOME; i++) {
		fprintf(pipe, "link add ta%u type veth peer name tb%u\n", i, i);
		if (i >= 20)
			fprintf(pipe, "link del tb%u\n", i - 20);
		fflush(pipe);
		update(l);
	}
	assert_int_equal(pclose(pipe), 0);
	update(l);
	assert_true_to_kernel(l);
	while (atomic_load(&asking.asked) == 0)
		sched_yield();
	atomic_store(&asking.stop, true);
	pthread_join(thread, NULL);
	links_close(l);
}

/* ---- other namespaces ---- */

/* Other runs of this test may be on the host. */
static const char *space(void)
{
	static char name[32];

	snprintf(name, sizeof(name), "wg-links-%d", (int)getpid());
	return name;
}

static int delete_space(void **state)
{
	try("ip netns del %s 2>/dev/null", space());
	return clean(state);
}

static uint64_t follow(struct links *l)
{
	_cleanup_close_ int fd = -1;
	struct error e = {};
	char path[64];
	struct stat st = {};

	snprintf(path, sizeof(path), "/run/netns/%s", space());
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0 && fstat(fd, &st) == 0);
	told.count = 0;
	if (links_follow(l, st.st_ino, fd, on_event, &told, &e) < 0)
		fail_msg("%s", e.text);
	return st.st_ino;
}

static bool never(void *ctx, uint64_t netns)
{
	(void)ctx, (void)netns;
	return false;
}

/* Removals come a moment after a namespace's last user has gone. */
static void update_until_told(struct links *l)
{
	for (unsigned i = 0; i < 500 && (i == 0 || told.count == 0); i++) {
		usleep(20000);
		update(l);
	}
}

/* Indices there are as here; ids are not. And nothing keeps it alive. */
static void test_another_namespace(void **state)
{
	struct links *l = open_links();
	struct link_info here, there;
	uint64_t netns;

	(void)state;
	run("ip netns add %s && ip -n %s link set lo up", space(), space());
	netns = follow(l);
	assert_told((const char *const[]){"added lo"}, 1);
	there = told.links[0];
	assert_true(there.ifindex == 1 && there.netns == netns && there.id >= LINK_FOREIGN);
	assert_true(links_get(l, 1, &here) && here.netns == 0 && here.id == 1);
	assert_true(links_get(l, there.id, &here) && here.netns == netns);
	follow(l);
	assert_int_equal(told.count, 0);
	run("ip -n %s link add a0 type veth peer name b0", space());
	update(l);
	assert_int_equal(told.count, 2);
	assert_true(told.links[0].netns == netns && told.links[1].netns == netns);
	run("ip link add c0 type veth peer name d0 netns %s", space());
	update(l);
	assert_int_equal(told.count, 2);
	assert_true(!told.links[0].netns != !told.links[1].netns);
	run("ip netns del %s", space());
	update_until_told(l);
	assert_false(links_follows(l, netns));
	assert_false(links_get(l, there.id, &here));
	links_close(l);
}

static void test_another_namespace_is_left(void **state)
{
	struct links *l = open_links();

	(void)state;
	run("ip netns add %s && ip -n %s link add a0 type veth peer name b0", space(), space());
	assert_true(follow(l) != links_own_netns(l));
	assert_int_equal(told.count, 3);
	told.count = 0;
	links_unfollow(l, never, on_event, &told);
	assert_int_equal(told.count, 3);
	run("ip -n %s link del a0", space());
	update(l);
	assert_int_equal(told.count, 0);
	run("ip netns del %s", space());
	links_close(l);
}

/* Messages of both are dropped, and both are read anew. */
static void test_overrun_with_another_namespace(void **state)
{
	struct links *l = open_links();

	(void)state;
	run("ip netns add %s", space());
	follow(l);
	shrink_buffer(l);
	run("for i in $(seq 60); do echo link add ta$i type veth peer name tb$i; done | "
	    "ip -n %s -batch -",
	    space());
	run("ip link add c0 type veth peer name d0");
	update(l);
	assert_int_equal(told.count, 122);
	run("ip netns del %s", space());
	update_until_told(l);
	assert_int_equal(told.count, 121);
	links_close(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_life_of_an_interface, clean),
		cmocka_unit_test_teardown(test_index_used_again, clean),
		cmocka_unit_test_teardown(test_leaving_a_bridge_is_no_removal, clean),
		cmocka_unit_test_teardown(test_interfaces_are_chosen_by_kind, clean),
		cmocka_unit_test(test_devices_are_physical),
		cmocka_unit_test_teardown(test_moving_away_is_removal, clean),
		cmocka_unit_test_teardown(test_many_come_and_go, clean),
		cmocka_unit_test_teardown(test_overrun, clean),
		cmocka_unit_test_teardown(test_index_used_again_unseen, clean),
		cmocka_unit_test_teardown(test_churn, clean),
		cmocka_unit_test_teardown(test_another_namespace, delete_space),
		cmocka_unit_test_teardown(test_another_namespace_is_left, delete_space),
		cmocka_unit_test_teardown(test_overrun_with_another_namespace, delete_space),
	};

	return cmocka_run_group_tests(tests, enter, NULL);
}
