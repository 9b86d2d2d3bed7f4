// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "decoding.h"

#define ID    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define OTHER "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
#define TOP   "/sys/fs/cgroup/"

#define CONTAINER TEXT("{name: regexp, regexps: ['.*']}, {name: container}")

static const struct decode_env nothing;

static const struct {
	const char *path;
	const char *container;
} rows[] = {
	/* docker: systemd, cgroupfs, below a parent of the user's */
	{TOP "system.slice/docker-" ID ".scope", "0123456789ab"},
	{TOP "docker/" ID, "0123456789ab"},
	{TOP "my.slice/docker-" ID ".scope/inside/it", "0123456789ab"},
	/* kubernetes with containerd, crio, cgroupfs */
	{TOP "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1_2.slice/"
	     "cri-containerd-" ID ".scope",
	 "0123456789ab"},
	{TOP "kubepods.slice/kubepods-pod1.slice/crio-" ID ".scope", "0123456789ab"},
	{TOP "kubepods/besteffort/pod0f1e/" ID, "0123456789ab"},
	{TOP "system.slice/containerd.service/kubepods-pod1.slice:cri-containerd:" ID,
	 "0123456789ab"},
	/* podman: root, rootless, the pod's container in its scope */
	{TOP "machine.slice/libpod-" ID ".scope/container", "0123456789ab"},
	{TOP "user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID ".scope",
	 "0123456789ab"},
	/* monitors of containers are not in them */
	{TOP "machine.slice/libpod-conmon-" ID ".scope", ""},
	{TOP "kubepods.slice/crio-conmon-" ID ".scope", ""},
	{TOP "lxc.monitor.web", ""},
	/* machines have names */
	{TOP "machine.slice/machine-debian.scope", "debian"},
	{TOP "machine.slice/machine-my\\x2dweb\\x2d1.scope/payload", "my-web-1"},
	{TOP "machine.slice/systemd-nspawn@web.service/payload/system.slice", "web"},
	{TOP "lxc.payload.web/init.scope", "web"},
	/* the innermost */
	{TOP "docker/" ID "/docker/" OTHER, "fedcba987654"},
	{TOP "machine.slice/machine-vm.scope/system.slice/docker-" ID ".scope", "0123456789ab"},
	/* outside */
	{TOP "system.slice/ssh.service", ""},
	{TOP "system.slice/docker.service", ""},
	{TOP, ""},
	{"/", ""},
	{TOP "kubepods.slice/kubepods-pod0123.slice", ""},
	{TOP "docker/0123456789abcdef", ""},
	{TOP "docker/x123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", ""},
	{TOP "machine.slice/machine-.scope", ""},
};

static void test_paths(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		check_decoding(&nothing, &(struct decoding){CONTAINER, rows[i].path,
							    (uint32_t)strlen(rows[i].path), 0,
							    rows[i].container});
}

static void test_neither_path_nor_number(void **state)
{
	static const struct decoding wrong[] = {
		{CONTAINER, BYTES("system.slice"), -EINVAL, NULL},
		{CONTAINER, BYTES("\0"), -EINVAL, NULL},
	};

	(void)state;
	CHECK_DECODINGS(&nothing, wrong);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_neither_path_nor_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
