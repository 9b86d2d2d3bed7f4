// SPDX-License-Identifier: MIT
/* Trees as kubelet and the container engines make them, and the cgroups that they make. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "decode/container_names.h"
#include "decode/hostnames.h"
#include "decoding.h"

#define ID     "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define OTHER  "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
#define PAUSE  "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define UID    "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
#define UID_   "0f1e2d3c_4b5a_6978_8796_a5b4c3d2e1f0"
#define STATIC "0123456789abcdef0123456789abcdef"
#define TOP    "/sys/fs/cgroup/"

#define LINKS    "/var/log/containers/"
#define PODS     "/var/log/pods/"
#define DOCKER   "/var/lib/docker/containers/"
#define PODMAN   "/var/lib/containers/storage/overlay-containers/containers.json"
#define SYSTEMD  TOP "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" UID_ ".slice/"
#define CGROUPFS TOP "kubepods/besteffort/pod" UID "/"

/* Length 255: a name that kubelet cut, so that of the id 13 digits are left. */
#define L10    "abcdefghij"
#define L50    L10 L10 L10 L10 L10
#define L26    "klmnopqrstklmnopqrstklmnop"
#define LONG   L50 L50 L50 L50 L26
#define CUT_ID "0123456789abc"

static char root[] = "/tmp/wiregauge-names-XXXXXX";
static struct decode_env env;

static void make_parents(char *path)
{
	for (char *at = path + 1; (at = strchr(at, '/')); at++) {
		*at = '\0';
		if (mkdir(path, 0755) && errno != EEXIST)
			fail_msg("mkdir %s", path);
		*at = '/';
	}
}

static void make(const char *name, const char *target, const char *text)
{
	_cleanup_free_ char *path = NULL;

	assert_true(asprintf(&path, "%s%s", root, name) > 0);
	make_parents(path);
	if (target) {
		assert_int_equal(symlink(target, path), 0);
	} else if (text) {
		_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

		assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	}
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int set_up(void **state)
{
	(void)state;
	memcpy(root + sizeof(root) - sizeof("XXXXXX"), "XXXXXX", sizeof("XXXXXX"));
	return !mkdtemp(root) || hostnames_new(NULL, &env.host) ||
	       hostnames_set_root(env.host, root);
}

static int tear_down(void **state)
{
	(void)state;
	hostnames_free(env.host);
	env.host = NULL;
	return nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void expect(const char *path, int result, const char *decoder, const char *text)
{
	_cleanup_buf_ struct buf chain = {0};

	buf_printf(&chain, "[{name: string}, {name: regexp, regexps: ['.*']}, {name: %s}]",
		   decoder);
	check_decoding(&env, &(struct decoding){buf_str(&chain), path, (uint32_t)strlen(path),
						result, text});
}

/* All that is known. */
static void expect_pod(const char *path, const char *pod_namespace, const char *pod,
		       const char *container)
{
	expect(path, DECODE_OK, "pod_namespace", pod_namespace);
	expect(path, DECODE_OK, "pod", pod);
	expect(path, DECODE_OK, "container_name", container);
}

/* containerd and CRI-O with systemd, the driver that kubeadm sets up. */
static void test_systemd_driver(void **state)
{
	(void)state;
	make(LINKS "web-7d4b9_shop_nginx-" ID ".log",
	     "/var/log/pods/shop_web-7d4b9_" UID "/nginx/0.log", NULL);
	make(LINKS "web-7d4b9_shop_log-shipper-" OTHER ".log",
	     "/var/log/pods/shop_web-7d4b9_" UID "/log-shipper/3.log", NULL);
	expect_pod(SYSTEMD "cri-containerd-" ID ".scope", "shop", "web-7d4b9", "nginx");
	expect_pod(SYSTEMD "crio-" OTHER ".scope", "shop", "web-7d4b9", "log-shipper");
	expect_pod(SYSTEMD "cri-containerd-" ID ".scope/inner", "shop", "web-7d4b9", "nginx");
	expect_pod(TOP "kubepods.slice/kubepods-pod" UID_ ".slice/crio-" ID ".scope", "shop",
		   "web-7d4b9", "nginx");
	/* The container that holds the pod's namespaces has no log, so that the pod's UID tells. */
	expect(SYSTEMD "cri-containerd-" PAUSE ".scope", DECODE_OK, "pod", "web-7d4b9");
	expect(SYSTEMD "cri-containerd-" PAUSE ".scope", DECODE_OK, "pod_namespace", "shop");
	expect(SYSTEMD "cri-containerd-" PAUSE ".scope", DECODE_UNKNOWN, "container_name",
	       "001122334455");
	/* The group of the pod itself, and kubelet's in a container (kind) */
	expect_pod(SYSTEMD, "shop", "web-7d4b9", "");
	expect_pod(TOP "docker/" OTHER "/kubelet.slice/kubelet-kubepods.slice/"
		       "kubelet-kubepods-pod" UID_ ".slice/cri-containerd-" ID ".scope",
		   "shop", "web-7d4b9", "nginx");
	/* CRI-O's helper is in the pod, but in no container. */
	expect_pod(SYSTEMD "crio-conmon-" ID ".scope", "shop", "web-7d4b9", "");
}

static void test_cgroupfs_driver(void **state)
{
	(void)state;
	make(LINKS "db-0_data_postgres-" ID ".log",
	     "/var/log/pods/data_db-0_" UID "/postgres/0.log", NULL);
	expect_pod(CGROUPFS ID, "data", "db-0", "postgres");
	expect_pod(TOP "kubepods/pod" UID "/" ID, "data", "db-0", "postgres");
	expect(CGROUPFS PAUSE, DECODE_OK, "pod", "db-0");
	/* containerd that was not told of systemd, as k3s had it */
	expect_pod(TOP "system.slice/k3s.service/kubepods-burstable-pod" UID_
		       ".slice:cri-containerd:" ID,
		   "data", "db-0", "postgres");
	expect(TOP "system.slice/k3s.service/kubepods-pod" UID_ ".slice:cri-containerd:" PAUSE,
	       DECODE_OK, "pod", "db-0");
}

/* Of a file on the node: the UID has no dashes. A link may end at docker's log, too. */
static void test_static_pods(void **state)
{
	(void)state;
	make(PODS "kube-system_etcd-n1_" STATIC "/", NULL, NULL);
	make(LINKS "etcd-n1_kube-system_etcd-" ID ".log", DOCKER ID "/" ID "-json.log", NULL);
	expect_pod(TOP "kubepods/burstable/pod" STATIC "/" ID, "kube-system", "etcd-n1", "etcd");
	expect(TOP "kubepods/burstable/pod" STATIC "/" PAUSE, DECODE_OK, "pod", "etcd-n1");
	expect(TOP "kubepods.slice/kubepods-burstable-pod" STATIC ".slice/docker-" PAUSE ".scope",
	       DECODE_OK, "pod_namespace", "kube-system");
}

static void test_a_name_that_kubelet_cut(void **state)
{
	const char *name = LONG "_shop_nginx-" CUT_ID;
	_cleanup_free_ char *path = NULL;

	(void)state;
	assert_true(asprintf(&path, LINKS "%s%s.log", "x_shop_n", "-" CUT_ID) > 0);
	make(path, "/var/log/pods/shop_x_" UID "/n/0.log", NULL);
	/* A short name with a part of an id is not kubelet's. */
	expect(TOP "kubepods/pod" UID "/" ID, DECODE_OK, "pod", "x");
	expect(TOP "kubepods/pod" UID "/" ID, DECODE_UNKNOWN, "container_name", "0123456789ab");
	assert_int_equal(strlen(name), 255 - strlen(".log"));
	make(LINKS LONG "_shop_nginx-" CUT_ID ".log",
	     "/var/log/pods/shop_" LONG "_" UID "/nginx/0.log", NULL);
	expect(TOP "kubepods/pod" STATIC "/" ID, DECODE_OK, "pod", LONG);
	expect(TOP "kubepods/pod" STATIC "/" ID, DECODE_OK, "container_name", "nginx");
}

static void test_workloads(void **state)
{
	static const char *const paths[] = {"/",
					    TOP,
					    TOP "system.slice/ssh.service",
					    CGROUPFS ID,
					    TOP "docker/" OTHER,
					    TOP "machine.slice/machine-a.scope"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		expect(paths[i], DECODE_OK, "workload", paths[i]);
	make(LINKS "db-0_data_postgres-" ID ".log",
	     "/var/log/pods/data_db-0_" UID "/postgres/0.log", NULL);
	make(DOCKER OTHER "/config.v2.json", NULL, "{\"Name\": \"/web\"}");
	expect(CGROUPFS ID, DECODE_OK, "workload", "data/db-0/postgres");
	expect(CGROUPFS ID "/inner", DECODE_OK, "workload", "data/db-0/postgres");
	expect(CGROUPFS PAUSE, DECODE_OK, "workload", "data/db-0/001122334455");
	expect(CGROUPFS, DECODE_OK, "workload", "data/db-0/");
	expect(TOP "docker/" OTHER, DECODE_OK, "workload", "web");
}

static void test_docker(void **state)
{
	(void)state;
	make(DOCKER ID "/config.v2.json", NULL, "{\"ID\": \"" ID "\", \"Name\": \"/web\"}");
	make(DOCKER OTHER "/config.v2.json", NULL, "{\"Name\": ");
	expect_pod(TOP "system.slice/docker-" ID ".scope", "", "", "web");
	expect_pod(TOP "docker/" ID "/inner", "", "", "web");
	expect(TOP "docker/" OTHER, DECODE_UNKNOWN, "container_name", "fedcba987654");
	expect(TOP "docker/" PAUSE, DECODE_UNKNOWN, "container_name", "001122334455");
}

static void test_podman(void **state)
{
	(void)state;
	make(PODMAN, NULL,
	     "[{\"id\": \"" ID "\", \"names\": [\"cache\"]}, {\"id\": 5}, {\"id\": \"" OTHER
	     "\", \"names\": []}, 7]");
	expect_pod(TOP "machine.slice/libpod-" ID ".scope/container", "", "", "cache");
	expect(TOP "machine.slice/libpod-" OTHER ".scope", DECODE_UNKNOWN, "container_name",
	       "fedcba987654");
}

static void test_what_is_not_there(void **state)
{
	(void)state;
	expect_pod(TOP "system.slice/ssh.service", "", "", "");
	expect_pod(TOP "machine.slice/machine-my\\x2dweb.scope", "", "", "my-web");
	expect(CGROUPFS ID, DECODE_UNKNOWN, "pod", UID);
	expect(CGROUPFS ID, DECODE_UNKNOWN, "pod_namespace", "");
	expect(CGROUPFS ID, DECODE_UNKNOWN, "container_name", "0123456789ab");
}

static void test_names_that_are_not_kubelets(void **state)
{
	static const char *const names[] = {
		"",
		".log",
		"_",
		"a_b",
		"a_b.log",
		"a_b_.log",
		"a_b_c.log",
		"a_b_c-.log",
		"a_b_c-xyz",
		"-.log",
		"a_b_c-g.log",
		("__-" ID ".log"),
		("__-" ID ID ".log"),
	};

	(void)state;
	for (size_t i = 1; i < ARRAY_SIZE(names); i++) {
		_cleanup_free_ char *path = NULL;

		assert_true(asprintf(&path, LINKS "%s", names[i]) > 0);
		make(path, i % 2 ? "/pods/" : "nowhere", NULL);
	}
	expect(CGROUPFS ID, DECODE_UNKNOWN, "pod", UID);
}

/* Pods come and go; what went keeps its name, since its series may still be counted. */
static void test_news(void **state)
{
	_cleanup_free_ char *link = NULL;
	uint64_t before, after;

	(void)state;
	expect(CGROUPFS ID, DECODE_UNKNOWN, "pod", UID);
	before = decode_generation(&env, FOLLOWS_CONTAINERS);
	assert_true(decode_generation(&env, FOLLOWS_CONTAINERS) == before);
	make(LINKS "a_b_c-" ID ".log", "/var/log/pods/b_a_" UID "/c/0.log", NULL);
	after = decode_generation(&env, FOLLOWS_CONTAINERS);
	assert_true(after != before);
	expect_pod(CGROUPFS ID, "b", "a", "c");
	assert_true(asprintf(&link, "%s" LINKS "a_b_c-" ID ".log", root) > 0);
	assert_int_equal(unlink(link), 0);
	make(LINKS "d_b_c-" OTHER ".log", "/var/log/pods/b_d_" STATIC "/c/0.log", NULL);
	expect_pod(TOP "kubepods/pod" STATIC "/" OTHER, "b", "d", "c");
	expect_pod(CGROUPFS ID, "b", "a", "c");
}

static void test_neither_path_nor_number(void **state)
{
	static const struct decoding rows[] = {
		{TEXT("{name: pod}"), BYTES("kubepods"), -EINVAL, NULL},
		{TEXT("{name: pod_namespace}"), BYTES("x"), -EINVAL, NULL},
		{TEXT("{name: container_name}"), BYTES("1x"), -EINVAL, NULL},
		{TEXT("{name: netns_cgroup}"), BYTES("x"), -EINVAL, NULL},
	};

	(void)state;
	CHECK_DECODINGS(&env, rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_systemd_driver, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_cgroupfs_driver, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_static_pods, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_name_that_kubelet_cut, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_workloads, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_docker, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_podman, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_is_not_there, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_names_that_are_not_kubelets, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_news, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_neither_path_nor_number, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
