// SPDX-License-Identifier: MIT
#include "kernel/pins.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "kernel/bpffs.h"
#include "kernel/testbed.h"

static const char map_name[] = "plan/0/maps/map";

/* A bpffs of its own, in a mount namespace that ends with the process. */
static int enter(void **state)
{
	if (testbed_enter(state) || unshare(CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return -1;
	return mount("bpffs", "/sys/fs/bpf", "bpf", 0, NULL);
}

static struct pins *open_pins(void)
{
	struct pins *p = NULL;
	struct error error;

	if (pins_open(true, &p, &error))
		fail_msg("%s", error.text);
	return p;
}

static int make_map(void)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "map", 4, 8, 1, NULL);

	assert_true(fd >= 0);
	return fd;
}

static uint32_t id_of(int fd)
{
	struct bpf_map_info info = {};
	uint32_t size = sizeof(info);

	assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &size), 0);
	return info.id;
}

static void put(const struct pins *p, const char *name, int fd)
{
	struct error error;

	if (pins_put(p, name, PIN_MAP, fd, &error))
		fail_msg("%s", error.text);
}

/* The id of the map that is pinned there. */
static uint32_t pinned_id(const struct pins *p, const char *name)
{
	_cleanup_close_ int fd = -1;
	struct error error;

	if (pins_get(p, name, PIN_MAP, &fd, &error))
		fail_msg("%s", error.text);
	return id_of(fd);
}

static void test_one_replaces_another(void **state)
{
	_cleanup_close_ int first = make_map();
	_cleanup_close_ int second = make_map();
	struct pins_removed removed = {0};
	struct pins *p = open_pins();
	struct error error;
	int fd;

	(void)state;
	assert_int_equal(pins_get(p, map_name, PIN_MAP, &fd, &error), -ENOENT);
	put(p, map_name, first);
	assert_int_equal(pinned_id(p, map_name), id_of(first));
	put(p, map_name, first);
	put(p, map_name, second);
	assert_int_equal(pinned_id(p, map_name), id_of(second));
	assert_int_equal(pins_get(p, map_name, PIN_LINK, &fd, &error), -EEXIST);
	assert_non_null(strstr(error.text, "/plan/0/maps/map is no link of ours"));
	assert_int_equal(pins_remove(p, map_name, &removed, &error), 0);
	assert_int_equal(removed.maps, 1);
	pins_close(p);
	assert_int_not_equal(access(pins_path(p = open_pins()), F_OK), -1);
	pins_close(p);
}

/* What a process leaves that is killed before the new pin has the name. */
static void test_half_done_is_done_again(void **state)
{
	_cleanup_close_ int first = make_map();
	_cleanup_close_ int second = make_map();
	struct pins_removed removed = {0};
	struct pins *p = open_pins();
	struct error error;
	char path[256];

	(void)state;
	put(p, map_name, first);
	snprintf(path, sizeof(path), "%s/%s~", pins_path(p), map_name);
	assert_int_equal(bpf_obj_pin(first, path), 0);
	put(p, map_name, second);
	assert_int_equal(pinned_id(p, map_name), id_of(second));
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(pins_remove(p, "", &removed, &error), 0);
	assert_int_equal(removed.maps, 1);
	pins_close(p);
}

static void test_one_process_at_a_time(void **state)
{
	struct pins *first = open_pins(), *second = NULL;
	struct error error;
	int status;
	pid_t child;

	(void)state;
	assert_int_equal(pins_open(true, &second, &error), -EADDRINUSE);
	assert_int_equal(pins_open(false, &second, &error), -EADDRINUSE);
	pins_close(first);
	assert_int_equal(pins_open(false, &second, &error), -ENOENT);
	child = fork();
	if (child == 0) {
		open_pins();
		raise(SIGKILL);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	pins_close(open_pins());
}

static void test_each_network_namespace_has_its_own(void **state)
{
	_cleanup_free_ char *path = NULL;
	struct pins *first = open_pins(), *second;

	(void)state;
	path = strdup(pins_path(first));
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	second = open_pins();
	assert_string_not_equal(path, pins_path(second));
	pins_close(first);
	pins_close(second);
	assert_int_equal(access(path, F_OK), -1);
}

static void test_what_is_not_ours_stays(void **state)
{
	_cleanup_close_ int fd = make_map();
	struct pins_removed removed = {0};
	struct pins *p = open_pins();
	struct error error;
	char path[256];

	(void)state;
	put(p, "plan/0/maps/other", fd);
	snprintf(path, sizeof(path), "%s/%s", pins_path(p), map_name);
	assert_int_equal(symlink("other", path), 0);
	assert_int_equal(pins_put(p, map_name, PIN_MAP, fd, &error), -EEXIST);
	assert_int_equal(pins_remove(p, "", &removed, &error), 0);
	assert_int_equal(removed.maps, 1);
	assert_int_equal(removed.left, 1);
	assert_int_equal(access(path, F_OK), -1); /* it leads nowhere now */
	assert_int_equal(unlink(path), 0);
	assert_int_equal(pins_remove(p, "plan/0/maps", &removed, &error), 0);
	pins_close(p);
}

static void test_directory_of_others_is_not_used(void **state)
{
	struct pins *p = NULL;
	struct error error;

	(void)state;
	pins_close(open_pins());
	assert_int_equal(chmod("/sys/fs/bpf/wiregauge", 0755), 0);
	assert_int_equal(pins_open(true, &p, &error), -EACCES);
	assert_int_equal(chmod("/sys/fs/bpf/wiregauge", 0700), 0);
	assert_int_equal(chown("/sys/fs/bpf/wiregauge", 1, 0), 0);
	assert_int_equal(pins_open(true, &p, &error), -EACCES);
	assert_int_equal(rmdir("/sys/fs/bpf/wiregauge"), 0);
	assert_int_equal(symlink("/tmp", "/sys/fs/bpf/wiregauge"), 0);
	assert_int_equal(pins_open(true, &p, &error), -ENOTDIR);
	assert_int_equal(unlink("/sys/fs/bpf/wiregauge"), 0);
}

static void test_names(void **state)
{
	static const char *const names[] = {"my.config-2_x", "a/../b", "ä"};
	static const char *const parts[] = {"my%2econfig-2_x", "a%2f%2e%2e%2fb", "%c3%a4"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_buf_ struct buf b = {0};

		pins_add_part(&b, names[i]);
		assert_string_equal(buf_str(&b), parts[i]);
	}
}

static void test_bpffs_is_found_elsewhere(void **state)
{
	char directory[] = "/tmp/wiregauge-bpffs-XXXXXX";
	_cleanup_free_ char *path = NULL;
	struct error error;

	(void)state;
	while (umount2("/sys/fs/bpf", MNT_DETACH) == 0)
		;
	assert_non_null(mkdtemp(directory));
	assert_int_equal(mount("bpffs", directory, "bpf", 0, NULL), 0);
	assert_int_equal(bpffs_find(false, &path, &error), 0);
	assert_int_not_equal(access(path, F_OK), -1);
	assert_int_equal(umount2(directory, MNT_DETACH), 0);
	assert_int_equal(rmdir(directory), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_replaces_another),
		cmocka_unit_test(test_half_done_is_done_again),
		cmocka_unit_test(test_one_process_at_a_time),
		cmocka_unit_test(test_each_network_namespace_has_its_own),
		cmocka_unit_test(test_what_is_not_ours_stays),
		cmocka_unit_test(test_directory_of_others_is_not_used),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_bpffs_is_found_elsewhere),
	};

	return cmocka_run_group_tests(tests, enter, NULL);
}
