// SPDX-License-Identifier: MIT
/* Cgroups of this host, made and removed below one of the test's own. */
#include "testbed.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/file.h"
#include "kernel/cgroups.h"
#include "kernel/mounts.h"

enum { PATIENCE_MS = 10000 };

/* A group that all others of a test are in, and what was told. */
struct bench {
	char *mount;
	char top[256];
	struct cgroups *cgroups;
	struct buf log; /* "+name -name " for what is below top */
};

static const char *path_of(const struct bench *b, const char *name)
{
	static char path[4096];

	snprintf(path, sizeof(path), "%s/%s", b->top, name);
	return path;
}

static void make(const struct bench *b, const char *name)
{
	if (mkdir(path_of(b, name), 0755))
		fail_msg("mkdir %s: %s", path_of(b, name), strerror(errno));
}

static void drop(const struct bench *b, const char *name)
{
	if (rmdir(path_of(b, name)))
		fail_msg("rmdir %s: %s", path_of(b, name), strerror(errno));
}

/* On cgroup2 of 64-bit kernels, the inode number is the id: another way to learn it. */
static uint64_t id_of(const struct bench *b, const char *name)
{
	struct stat st;

	assert_int_equal(stat(path_of(b, name), &st), 0);
	return st.st_ino;
}

static void on_event(void *ctx, enum cgroup_event event, const struct cgroup_info *info)
{
	struct bench *b = ctx;
	size_t len = strlen(b->top);

	if (strncmp(info->path, b->top, len) == 0 && info->path[len] == '/')
		buf_printf(&b->log, "%c%s ", event == CGROUP_ADDED ? '+' : '-',
			   info->path + len + 1);
}

/* Updates until @log was told. */
static void expect(struct bench *b, const char *log)
{
	struct pollfd wait = {.fd = cgroups_fd(b->cgroups), .events = POLLIN};
	struct error e;

	while (!STREQ(buf_str(&b->log), log)) {
		if (poll(&wait, 1, PATIENCE_MS) != 1)
			fail_msg("told was '%s', not '%s'", buf_str(&b->log), log);
		assert_int_equal(cgroups_update(b->cgroups, on_event, b, &e), 0);
	}
	buf_reset(&b->log);
}

static void expect_path(const struct bench *b, uint64_t id, enum cgroup_state state,
			const char *name)
{
	_cleanup_buf_ struct buf path = {0};

	assert_int_equal(cgroups_path(b->cgroups, id, &path), state);
	assert_string_equal(buf_str(&path), name ? path_of(b, name) : "");
}

static int set_up(void **state)
{
	static struct bench b;
	static unsigned number;

	b = (struct bench){0};
	if (mounts_find("cgroup2", &b.mount))
		return -1;
	snprintf(b.top, sizeof(b.top), "%s/wg-test-%d-%u", b.mount, getpid(), number++);
	if (mkdir(b.top, 0755) || cgroups_new(&b.cgroups))
		return -1;
	*state = &b;
	return 0;
}

/* Deepest first. */
static void remove_all(const char *path)
{
	DIR *directory = opendir(path);
	const struct dirent *entry;

	if (!directory)
		return;
	while ((entry = readdir(directory))) {
		char below[4096];

		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		if (snprintf(below, sizeof(below), "%s/%s", path, entry->d_name) <
		    (int)sizeof(below))
			remove_all(below);
	}
	closedir(directory);
	rmdir(path);
}

static int tear_down(void **state)
{
	struct bench *b = *state;

	remove_all(b->top);
	cgroups_free(b->cgroups);
	buf_free(&b->log);
	free(b->mount);
	return 0;
}

static void start(struct bench *b)
{
	struct error e;

	if (cgroups_start(b->cgroups, &e))
		fail_msg("%s", e.text);
}

static void test_nothing_is_known_before_the_start(void **state)
{
	struct bench *b = *state;
	struct error e;

	make(b, "a");
	expect_path(b, id_of(b, "a"), CGROUP_UNKNOWN, NULL);
	assert_int_equal(cgroups_update(b->cgroups, on_event, b, &e), 0);
	cgroups_each(b->cgroups, on_event, b);
	assert_string_equal(buf_str(&b->log), "");
	assert_true(cgroups_generation(b->cgroups) == 0);
}

static void test_what_is_there_is_known(void **state)
{
	struct bench *b = *state;

	make(b, "a");
	make(b, "a/b");
	make(b, "a/b/c");
	start(b);
	expect_path(b, id_of(b, "a"), CGROUP_THERE, "a");
	expect_path(b, id_of(b, "a/b/c"), CGROUP_THERE, "a/b/c");
	cgroups_each(b->cgroups, on_event, b);
	assert_string_equal(buf_str(&b->log), "+a +a/b +a/b/c ");
	/* a second start is none */
	start(b);
	expect_path(b, id_of(b, "a"), CGROUP_THERE, "a");
}

static void test_the_root_has_the_place_of_the_mount(void **state)
{
	struct bench *b = *state;
	_cleanup_buf_ struct buf path = {0};
	struct stat st;

	start(b);
	assert_int_equal(stat(b->mount, &st), 0);
	assert_int_equal(cgroups_path(b->cgroups, st.st_ino, &path), CGROUP_THERE);
	assert_string_equal(buf_str(&path), b->mount);
}

static void test_what_comes_and_goes_is_followed(void **state)
{
	struct bench *b = *state;
	uint64_t generation, id;

	start(b);
	generation = cgroups_generation(b->cgroups);
	make(b, "x");
	expect(b, "+x ");
	assert_true(cgroups_generation(b->cgroups) != generation);
	id = id_of(b, "x");
	expect_path(b, id, CGROUP_THERE, "x");
	/* in what was not there at the start */
	make(b, "x/y");
	expect(b, "+x/y ");
	make(b, "x/y/z");
	expect(b, "+x/y/z ");
	drop(b, "x/y/z");
	drop(b, "x/y");
	expect(b, "-x/y/z -x/y ");
	generation = cgroups_generation(b->cgroups);
	drop(b, "x");
	expect(b, "-x ");
	assert_true(cgroups_generation(b->cgroups) != generation);
	/* its series may still be there, so its name is */
	expect_path(b, id, CGROUP_GONE, "x");
}

static void test_a_group_of_the_same_name_is_another(void **state)
{
	struct bench *b = *state;
	uint64_t first, second;

	start(b);
	make(b, "x");
	expect(b, "+x ");
	first = id_of(b, "x");
	drop(b, "x");
	make(b, "x");
	second = id_of(b, "x");
	assert_true(first != second);
	expect(b, "-x +x ");
	expect_path(b, first, CGROUP_GONE, "x");
	expect_path(b, second, CGROUP_THERE, "x");
	make(b, "x/y");
	expect(b, "+x/y ");
}

/* All of it before the first event is read. */
static void test_events_may_be_old(void **state)
{
	struct bench *b = *state;

	start(b);
	make(b, "x");
	make(b, "x/y");
	drop(b, "x/y");
	drop(b, "x");
	make(b, "x");
	make(b, "x/z");
	make(b, "gone");
	drop(b, "gone");
	expect(b, "+x +x/z ");
	cgroups_each(b->cgroups, on_event, b);
	assert_string_equal(buf_str(&b->log), "+x +x/z ");
}

static void test_files_are_no_groups(void **state)
{
	struct bench *b = *state;

	make(b, "x");
	start(b);
	cgroups_each(b->cgroups, on_event, b);
	assert_string_equal(buf_str(&b->log), "+x ");
}

/* When there is more to tell than the kernel keeps, all is read anew. */
static void test_an_overflow_loses_nothing(void **state)
{
	struct bench *b = *state;
	unsigned long queue;
	char text[32];

	assert_true(file_read_short("/proc/sys/fs/inotify/max_queued_events", text, sizeof(text)) >
		    0);
	queue = strtoul(text, NULL, 10);
	if (queue > 100000)
		skip(); /* to fill it would take minutes */
	make(b, "old");
	start(b);
	for (unsigned long i = 0; i < queue / 2 + 1; i++) {
		make(b, "noise");
		drop(b, "noise");
	}
	/* of these, nothing can be told any more */
	make(b, "new");
	make(b, "new/deep");
	drop(b, "old");
	expect(b, "+new -old +new/deep ");
	make(b, "new/later");
	expect(b, "+new/later ");
}

static bool write_text(const char *path, const char *text)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

/* In a user namespace of its own, which may watch no more than two directories: exit code 0 when
 * all went well. */
static int run_with_few_watches(struct bench *b)
{
	struct error e;

	if (unshare(CLONE_NEWUSER) || !write_text("/proc/sys/user/max_inotify_watches", "2"))
		return 77;
	cgroups_free(b->cgroups);
	if (cgroups_new(&b->cgroups) || cgroups_start(b->cgroups, &e))
		return 1;
	if (cgroups_update(b->cgroups, on_event, b, &e) != -ENOSPC)
		return 2;
	return strstr(e.text, "fs.inotify.max_user_watches") ? 0 : 3;
}

static void test_too_few_watches_are_told(void **state)
{
	struct bench *b = *state;
	int status;
	pid_t child;

	make(b, "a");
	make(b, "b");
	make(b, "c");
	child = fork();
	if (child == 0)
		_exit(run_with_few_watches(b));
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WEXITSTATUS(status) == 77)
		skip(); /* no user namespaces here, or their limits cannot be set */
	assert_int_equal(WEXITSTATUS(status), 0);
}

static bool is_known(const struct bench *b, uint64_t id)
{
	_cleanup_buf_ struct buf ignored = {0};

	return cgroups_path(b->cgroups, id, &ignored) != CGROUP_UNKNOWN;
}

/* A thousand groups: the tables grow. */
static void test_many(void **state)
{
	enum { MANY = 1000 };
	struct bench *b = *state;
	uint64_t ids[MANY];
	char name[16];

	start(b);
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "n%u", i);
		make(b, name);
		ids[i] = id_of(b, name);
	}
	while (!is_known(b, ids[MANY - 1])) {
		struct pollfd wait = {.fd = cgroups_fd(b->cgroups), .events = POLLIN};
		struct error e;

		assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
		assert_int_equal(cgroups_update(b->cgroups, NULL, NULL, &e), 0);
	}
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "n%u", i);
		expect_path(b, ids[i], CGROUP_THERE, name);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* Whether groups can be made here: not in a chroot without /sys, nor in most containers. */
static bool can_run(void)
{
	_cleanup_free_ char *mount = NULL;

	return mounts_find("cgroup2", &mount) == 0 && access(mount, W_OK) == 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_nothing_is_known_before_the_start),
		TEST(test_what_is_there_is_known),
		TEST(test_the_root_has_the_place_of_the_mount),
		TEST(test_what_comes_and_goes_is_followed),
		TEST(test_a_group_of_the_same_name_is_another),
		TEST(test_events_may_be_old),
		TEST(test_files_are_no_groups),
		TEST(test_an_overflow_loses_nothing),
		TEST(test_too_few_watches_are_told),
		TEST(test_many),
	};

	if (!can_run()) {
		print_message("not run: there is no cgroup2 file system to write to\n");
		return 77; /* skipped, for meson */
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
