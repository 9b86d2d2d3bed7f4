// SPDX-License-Identifier: MIT
#include "traffic.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/file.h"
#include "daemon.h"

#define DEVICE "wire"

enum {
	PORT = 7001,
	BULK_BYTES = 128 << 10, /* of a send */
	SMALL_BYTES = 18,       /* with the headers 60: the smallest frame */
	SMALL_BATCH = 64,       /* datagrams in a system call */
	NET_HERE = 1,           /* 10.9.0.1 */
	NET_THERE = 2,
};

/* What the process at the other end is told, and what it says then. */
struct order {
	enum traffic_kind kind;
	unsigned ms;
};

struct outcome {
	uint64_t count; /* bytes, datagrams, round trips that it sent */
	uint64_t cpu_ns;
};

static struct {
	pid_t pid;
	int orders; /* a socket pair */
	int tcp, udp;
} peer;

/* ---- helpers ---- */

PRINTF_LIKE(1, 2)
static void run_command(const char *fmt, ...)
{
	char command[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(command, sizeof(command), fmt, args);
	va_end(args);
	if (system(command))
		bench_fail("this failed: %s", command);
}

static struct sockaddr_in address(unsigned last)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
				    .sin_port = htons(PORT),
				    .sin_addr.s_addr = htonl(0x0a090000 | last)};
}

static uint64_t own_cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * NSEC_PER_SEC + (uint64_t)t.tv_nsec;
}

static void must(bool worked, const char *what)
{
	if (!worked)
		bench_fail("%s: %s", what, strerror(errno));
}

/* ---- the other end: it sends ---- */

static int connect_here(int type)
{
	struct sockaddr_in to = address(NET_HERE);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	const int on = 1;

	must(fd >= 0 && !connect(fd, (struct sockaddr *)&to, sizeof(to)), "connect");
	if (type == SOCK_STREAM)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

static uint64_t send_bulk(uint64_t until)
{
	static char data[BULK_BYTES];
	_cleanup_close_ int fd = connect_here(SOCK_STREAM);
	uint64_t bytes = 0;

	while (clock_monotonic_ns() < until) {
		ssize_t n = send(fd, data, sizeof(data), MSG_NOSIGNAL);

		must(n > 0, "send");
		bytes += (uint64_t)n;
	}
	return bytes;
}

static uint64_t send_small(uint64_t until)
{
	_cleanup_close_ int fd = connect_here(SOCK_DGRAM);
	struct mmsghdr messages[SMALL_BATCH] = {0};
	char data[SMALL_BYTES] = {0};
	struct iovec iov = {data, sizeof(data)};
	uint64_t count = 0;

	for (unsigned i = 0; i < SMALL_BATCH; i++)
		messages[i].msg_hdr = (struct msghdr){.msg_iov = &iov, .msg_iovlen = 1};
	while (clock_monotonic_ns() < until) {
		int n = sendmmsg(fd, messages, SMALL_BATCH, 0);

		must(n > 0 || errno == ECONNREFUSED || errno == ENOBUFS, "sendmmsg");
		count += n > 0 ? (uint64_t)n : 0;
	}
	return count;
}

static uint64_t send_echo(uint64_t until)
{
	_cleanup_close_ int fd = connect_here(SOCK_STREAM);
	uint64_t count = 0;
	char byte = 0;

	while (clock_monotonic_ns() < until) {
		must(send(fd, &byte, 1, MSG_NOSIGNAL) == 1 && recv(fd, &byte, 1, 0) == 1, "echo");
		count++;
	}
	return count;
}

static uint64_t (*const senders[])(uint64_t until) = {
	[TRAFFIC_BULK] = send_bulk,    [TRAFFIC_SEGMENTS] = send_bulk, [TRAFFIC_SMALL] = send_small,
	[TRAFFIC_UNREAD] = send_small, [TRAFFIC_ECHO] = send_echo,
};

/* Carries out orders until the pair is closed. */
static void serve_orders(int orders)
{
	struct order order;

	while (recv(orders, &order, sizeof(order), 0) == sizeof(order)) {
		struct outcome outcome = {.cpu_ns = own_cpu_ns()};

		outcome.count =
			senders[order.kind](clock_monotonic_ns() + order.ms * NSEC_PER_MSEC);
		outcome.cpu_ns = own_cpu_ns() - outcome.cpu_ns;
		must(send(orders, &outcome, sizeof(outcome), MSG_NOSIGNAL) == sizeof(outcome),
		     "cannot report");
	}
}

static void become_peer(int orders)
{
	char byte;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	must(!unshare(CLONE_NEWNET), "no network namespace");
	must(send(orders, "", 1, 0) == 1 && recv(orders, &byte, 1, 0) == 1, "no veth pair");
	run_command("ip address add 10.9.0.%d/24 dev " DEVICE " && ip link set " DEVICE " up",
		    NET_THERE);
	must(send(orders, "", 1, 0) == 1, "cannot report");
	serve_orders(orders);
	_exit(0);
}

/* ---- this end ---- */

static int listen_here(int type)
{
	struct sockaddr_in at = address(NET_HERE);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	must(fd >= 0 && !bind(fd, (struct sockaddr *)&at, sizeof(at)), "bind");
	must(type != SOCK_STREAM || !listen(fd, 1), "listen");
	return fd;
}

void traffic_open(void)
{
	int ends[2];
	char byte;

	must(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), "socketpair");
	fflush(stdout);
	peer.pid = fork();
	must(peer.pid >= 0, "fork");
	if (peer.pid == 0) {
		fd_close(ends[0]);
		become_peer(ends[1]);
	}
	fd_close(ends[1]);
	peer.orders = ends[0];
	must(recv(peer.orders, &byte, 1, 0) == 1, "no process at the other end");
	run_command("ip link add " DEVICE " type veth peer name " DEVICE " netns %d && "
		    "ip address add 10.9.0.%d/24 dev " DEVICE " && ip link set " DEVICE " up",
		    (int)peer.pid, NET_HERE);
	must(send(peer.orders, "", 1, 0) == 1 && recv(peer.orders, &byte, 1, 0) == 1,
	     "the other end cannot be set up");
	peer.tcp = listen_here(SOCK_STREAM);
	peer.udp = listen_here(SOCK_DGRAM);
}

/* The veth pair goes with the namespace of its other end. */
void traffic_close(void)
{
	fd_close(peer.orders);
	waitpid(peer.pid, NULL, 0);
	fd_close(peer.tcp);
	fd_close(peer.udp);
}

uint32_t traffic_ifindex(void)
{
	return if_nametoindex(DEVICE);
}

void traffic_prepare(enum traffic_kind kind)
{
	const char *state = kind == TRAFFIC_SEGMENTS ? "off" : "on";

	run_command("ethtool -K " DEVICE " tso %s gso %s gro %s >/dev/null && "
		    "nsenter --target %d --net ethtool -K " DEVICE
		    " tso %s gso %s gro %s >/dev/null",
		    state, state, state, (int)peer.pid, state, state, state);
}

static void receive_bulk(void)
{
	static char data[BULK_BYTES * 2];
	_cleanup_close_ int fd = accept(peer.tcp, NULL, NULL);
	ssize_t n;

	must(fd >= 0, "accept");
	while ((n = recv(fd, data, sizeof(data), 0)) > 0)
		;
	must(n == 0, "recv");
}

static void receive_echo(void)
{
	_cleanup_close_ int fd = accept(peer.tcp, NULL, NULL);
	const int on = 1;
	char byte;

	must(fd >= 0, "accept");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	while (recv(fd, &byte, 1, 0) == 1)
		must(send(fd, &byte, 1, MSG_NOSIGNAL) == 1, "send");
}

/* Until the other end has sent all. */
static void receive_small(void)
{
	struct pollfd fds[] = {{.fd = peer.orders, .events = POLLIN},
			       {.fd = peer.udp, .events = POLLIN}};
	static char data[SMALL_BATCH][SMALL_BYTES];
	struct mmsghdr messages[SMALL_BATCH] = {0};
	struct iovec iov[SMALL_BATCH];

	for (unsigned i = 0; i < SMALL_BATCH; i++) {
		iov[i] = (struct iovec){data[i], SMALL_BYTES};
		messages[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1};
	}
	while (poll(fds, 2, -1) > 0 && !fds[0].revents)
		recvmmsg(peer.udp, messages, SMALL_BATCH, MSG_DONTWAIT, NULL);
}

static void (*const receivers[])(void) = {
	[TRAFFIC_BULK] = receive_bulk,   [TRAFFIC_SEGMENTS] = receive_bulk,
	[TRAFFIC_SMALL] = receive_small, [TRAFFIC_UNREAD] = NULL,
	[TRAFFIC_ECHO] = receive_echo,
};

struct packet_counts {
	uint64_t received, sent;
};

/* /proc/net/dev is of the namespace that asks, which sysfs is not: proc_pid_net(5). */
static struct packet_counts count_packets(void)
{
	struct packet_counts c;
	char text[4096], *at;

	must(file_read_short("/proc/self/net/dev", text, sizeof(text)) > 0, "/proc/self/net/dev");
	at = strstr(text, " " DEVICE ":");
	if (!at || sscanf(at, " " DEVICE ": %*u %lu %*u %*u %*u %*u %*u %*u %*u %lu", &c.received,
			  &c.sent) != 2)
		bench_fail("/proc/self/net/dev does not tell of " DEVICE);
	return c;
}

struct traffic_result traffic_run(enum traffic_kind kind, unsigned ms)
{
	struct order order = {kind, ms};
	struct outcome outcome;
	uint64_t cpu = own_cpu_ns(), began = clock_monotonic_ns();
	struct packet_counts before = count_packets(), after;
	struct traffic_result r;

	must(send(peer.orders, &order, sizeof(order), MSG_NOSIGNAL) == sizeof(order), "order");
	if (receivers[kind])
		receivers[kind]();
	must(recv(peer.orders, &outcome, sizeof(outcome), 0) == sizeof(outcome), "outcome");
	after = count_packets();
	r = (struct traffic_result){
		.units = (double)(kind == TRAFFIC_SMALL || kind == TRAFFIC_UNREAD
					  ? after.received - before.received
					  : outcome.count),
		.seconds = (double)(clock_monotonic_ns() - began) / (double)NSEC_PER_SEC,
		.packets = (double)(after.received - before.received + after.sent - before.sent),
		.cpu_ns = own_cpu_ns() - cpu + outcome.cpu_ns,
		.sent = outcome.count,
	};
	return r;
}
