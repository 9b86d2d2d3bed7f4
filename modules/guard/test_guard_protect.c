// SPDX-License-Identifier: MIT
/* Who is protected: by what the kernel says, and by the files of a host. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* A module exports nothing to test it by. NOLINTBEGIN(bugprone-suspicious-include) */
#include "guard_peers.c"
#include "guard_prefix.c"
#include "guard_protect.c"
#include "guard_servers.c"
/* NOLINTEND(bugprone-suspicious-include) */

/* A network namespace and a root directory that go away with the test. */
static int set_up(void **state)
{
	char *root = strdup("/tmp/guard-root-XXXXXX");

	assert_non_null(root);
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	assert_non_null(mkdtemp(root));
	assert_int_equal(system("ip link set lo up && ip link add va type veth peer name vb && "
				"ip address add 10.9.0.2/24 dev va && ip link set va up && "
				"ip address add 2001:db8:9::2/64 dev va nodad && "
				"ip link set vb up"),
			 0);
	*state = root;
	return 0;
}

static int tear_down(void **state)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -r %s", (char *)*state);
	assert_int_equal(system(command), 0);
	free(*state);
	return 0;
}

static void write_file(const char *root, const char *path, const char *text)
{
	char command[256], full[128];
	FILE *file;

	snprintf(command, sizeof(command), "mkdir -p $(dirname %s%s)", root, path);
	assert_int_equal(system(command), 0);
	snprintf(full, sizeof(full), "%s%s", root, path);
	file = fopen(full, "we");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

/* All of @kind, sorted as they came: "10.0.0.1 10.0.0.2". */
static const char *of_kind(const struct guard_protected_set *s, enum guard_protected_kind kind)
{
	static char text[512];
	struct buf b = {0};

	for (size_t i = 0; i < s->count; i++) {
		if (s->items[i].kind != kind)
			continue;
		if (b.len)
			buf_add_char(&b, ' ');
		guard_prefix_add_text(&s->items[i].prefix, &b);
	}
	snprintf(text, sizeof(text), "%s", buf_str(&b));
	buf_free(&b);
	return text;
}

static void test_gateways(void **state)
{
	_cleanup_guard_protected_ struct guard_protected_set s = {0};

	(void)state;
	assert_int_equal(guard_peers_add_gateways(&s), 0);
	assert_int_equal(s.count, 0);
	assert_int_equal(
		system("ip route add default via 10.9.0.1 metric 10 && "
		       "ip route add default metric 20 nexthop via 10.9.0.3 nexthop via 10.9.0.4 "
		       "&& ip route add default via inet6 fe80::7 dev va metric 30 && "
		       "ip route add 10.77.0.0/16 via 10.9.0.5 && "
		       "ip route add default via 10.9.0.6 table 100 && "
		       "ip -6 route add default via 2001:db8:9::1"),
		0);
	assert_int_equal(guard_peers_add_gateways(&s), 0);
	assert_string_equal(of_kind(&s, GUARD_PROTECTED_GATEWAY),
			    "10.9.0.6 10.9.0.1 10.9.0.3 10.9.0.4 fe80::7 2001:db8:9::1");
	assert_int_equal(s.failures.len, 0);
}

/* A connection from @from to a listener on @port at loopback: its two sockets. */
static void connect_to(int family, const char *from, uint16_t port, int ret[2])
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} at = {.any.sa_family = (sa_family_t)family}, source = at;
	socklen_t size = family == AF_INET ? sizeof(at.v4) : sizeof(at.v6);
	_cleanup_close_ int listener = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)), 0);
	at.v4.sin_port = htons(port); /* at the same place in both */
	if (family == AF_INET) {
		at.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		assert_int_equal(inet_pton(family, from, &source.v4.sin_addr), 1);
	} else {
		at.v6.sin6_addr = in6addr_any;
		assert_int_equal(inet_pton(family, from, &source.v6.sin6_addr), 1);
	}
	assert_int_equal(bind(listener, &at.any, size), 0);
	assert_int_equal(listen(listener, 1), 0);
	ret[0] = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(ret[0], &source.any, size), 0);
	assert_int_equal(connect(ret[0], &at.any, size), 0);
	ret[1] = accept(listener, NULL, NULL);
	assert_true(ret[1] >= 0);
}

static void test_sessions(void **state)
{
	_cleanup_guard_protected_ struct guard_protected_set s = {0};
	static const uint16_t ports[] = {22, 2222};
	int sockets[4][2];

	(void)state;
	connect_to(AF_INET, "127.0.0.22", 22, sockets[0]);
	connect_to(AF_INET, "127.0.0.23", 2222, sockets[1]);
	connect_to(AF_INET, "127.0.0.24", 23, sockets[2]);
	connect_to(AF_INET6, "2001:db8:9::2", 2222, sockets[3]);
	assert_int_equal(guard_peers_add_sessions(ports, ARRAY_SIZE(ports), &s), 0);
	assert_string_equal(of_kind(&s, GUARD_PROTECTED_SSH),
			    "127.0.0.22 127.0.0.23 2001:db8:9::2");
	guard_protected_free(&s);
	close(sockets[0][0]);
	close(sockets[0][1]);
	assert_int_equal(guard_peers_add_sessions(ports, 1, &s), 0);
	assert_int_equal(s.count, 0);
	for (size_t i = 1; i < ARRAY_SIZE(sockets); i++) {
		close(sockets[i][0]);
		close(sockets[i][1]);
	}
}

static void test_files(void **state)
{
	_cleanup_guard_protected_ struct guard_protected_set s = {0};
	uint16_t ports[GUARD_SSH_PORTS];
	const char *root = *state;

	assert_int_equal(guard_servers_add_dns(root, &s), 0);
	assert_int_equal(guard_servers_add_time(root, &s), 0);
	assert_int_equal(s.count, 0);
	assert_int_equal(guard_servers_ssh_ports(root, ports), 1);
	assert_int_equal(ports[0], 22);
	write_file(root, "/etc/resolv.conf",
		   "# nameserver 10.0.0.1\nsearch example.com\nnameserver 10.0.0.2\n"
		   "nameserver\t2001:db8::53 # two\nnameserver fe80::1%eth0\nnameserver x\n"
		   "options nameserver 10.0.0.3");
	write_file(root, "/run/systemd/resolve/resolv.conf", "nameserver 10.0.0.4\n");
	write_file(root, "/etc/chrony/chrony.conf",
		   "pool 2.debian.pool.ntp.org iburst\nserver 192.0.2.1 iburst key 7\n"
		   "allow 192.0.2.0/24\nPeer 192.0.2.2\n");
	write_file(root, "/etc/systemd/timesyncd.conf",
		   "[Time]\nNTP=192.0.2.3 time.example.com 192.0.2.4\n#FallbackNTP=192.0.2.5\n");
	write_file(root, "/etc/ssh/sshd_config", "#Port 21\nPort 2222\nPermitRootLogin no\n");
	write_file(root, "/etc/ssh/sshd_config.d/more.conf", "port 22022\n");
	assert_int_equal(guard_servers_add_dns(root, &s), 0);
	assert_string_equal(of_kind(&s, GUARD_PROTECTED_DNS),
			    "10.0.0.2 2001:db8::53 fe80::1 10.0.0.4");
	assert_int_equal(guard_servers_add_time(root, &s), 0);
	assert_string_equal(of_kind(&s, GUARD_PROTECTED_NTP),
			    "192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4");
	assert_int_equal(guard_servers_ssh_ports(root, ports), 2);
	assert_int_equal(ports[0], 2222);
	assert_int_equal(ports[1], 22022);
}

static size_t explain(const struct guard_protected_set *s, const char *network, char text[512])
{
	struct guard_prefix p = {0};
	struct buf b = {0};
	size_t count;

	assert_true(guard_prefix_parse(network, &p));
	count = guard_protected_explain(s, &p, &b);
	snprintf(text, 512, "%s", buf_str(&b));
	buf_free(&b);
	return count;
}

static void test_a_rule_says_whom_it_would_cut_off(void **state)
{
	static const char *const networks[] = {"10.1.0.0/16", "2001:db8::/32"};
	const struct strv protect = {(char **)networks, ARRAY_SIZE(networks)};
	const struct guard_protect_options options = {.networks = &protect, .root = *state};
	_cleanup_guard_protected_ struct guard_protected_set s = {0};
	char text[512];

	write_file(*state, "/etc/resolv.conf",
		   "nameserver 10.1.0.53\nnameserver 10.1.0.54\nnameserver 10.1.0.55\n");
	assert_int_equal(system("ip route add default via 10.9.0.1"), 0);
	assert_int_equal(guard_protect_gather(&options, &s), 0);
	assert_int_equal(explain(&s, "10.9.0.1", text), 1);
	assert_string_equal(text, "10.9.0.1 (a default gateway)");
	assert_int_equal(explain(&s, "10.2.0.0/16", text), 0);
	assert_int_equal(explain(&s, "10.1.2.3", text), 1);
	assert_string_equal(text, "10.1.0.0/16 (protected by the option protect)");
	assert_int_equal(explain(&s, "10.0.0.0/8", text), 5);
	assert_non_null(strstr(text, "10.1.0.53 (a DNS server of this host)"));
	assert_non_null(strstr(text, " and 2 more"));
	assert_int_equal(explain(&s, "0.0.0.0/0", text), 6);
	assert_int_equal(explain(&s, "127.0.0.1", text), 1);
	assert_int_equal(explain(&s, "2000::/3", text), 1);
	assert_int_equal(s.failures.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_gateways, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_sessions, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_files, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_rule_says_whom_it_would_cut_off, set_up,
						tear_down),
	};

	if (geteuid() != 0) {
		print_message("not run: needs root\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
