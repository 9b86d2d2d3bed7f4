// SPDX-License-Identifier: MIT
/* Whom this host talks to, as its kernel knows: over rtnetlink(7) and sock_diag(7). */
#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <string.h>

#include "guard_protect.h"
#include "kernel/netlink.h"

enum {
	NTP_PORT = 123,
	ESTABLISHED = 1 << 1, /* include/net/tcp_states.h; of UDP, those that are connected */
};

/* One dump, and where what it finds goes. */
struct search {
	struct guard_protected_set *set;
	enum guard_protected_kind kind;
	int err;
};

static void add_address(struct search *s, const void *bytes, size_t size)
{
	struct network n = {.size = size, .bits = (unsigned)(8 * size)};
	struct guard_prefix p;

	if (size != 4 && size != 16)
		return;
	memcpy(n.bytes, bytes, size);
	p = guard_prefix_of(&n);
	if (!s->err)
		s->err = guard_protected_add(s->set, &p, s->kind);
}

static void note_failure(struct guard_protected_set *set, const char *what, int err)
{
	buf_printf(&set->failures, "cannot look for %s: %s\n", what, error_words(err));
}

/* ---- sockets ---- */

static int on_socket(void *ctx, const struct nlmsghdr *message)
{
	const struct inet_diag_msg *socket = mnl_nlmsg_get_payload(message);
	struct search *s = ctx;

	if (message->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
	    mnl_nlmsg_get_payload_len(message) < sizeof(*socket))
		return 0;
	if (socket->idiag_family == AF_INET)
		add_address(s, socket->id.idiag_dst, sizeof(struct in_addr));
	else if (socket->idiag_family == AF_INET6)
		add_address(s, socket->id.idiag_dst, sizeof(struct in6_addr));
	return s->err;
}

static int dump_sockets(struct netlink *n, struct inet_diag_req_v2 question, struct search *s)
{
	static const uint8_t families[] = {AF_INET, AF_INET6};
	int err = 0;

	for (size_t i = 0; !err && i < ARRAY_SIZE(families); i++) {
		struct netlink_request request = {0};

		question.sdiag_family = families[i];
		netlink_begin(&request, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &question,
			      sizeof(question));
		err = netlink_transact(n, &request, on_socket, s, NULL);
		/* A host without IPv6 has no such sockets. */
		if (err == -ENOENT && families[i] == AF_INET6)
			err = 0;
	}
	return err;
}

static int open_sockets(struct netlink **ret)
{
	struct error error;

	return netlink_open_family(NETLINK_SOCK_DIAG, 0, ret, &error);
}

int guard_peers_add_sessions(const uint16_t *ports, size_t count, struct guard_protected_set *set)
{
	struct search s = {.set = set, .kind = GUARD_PROTECTED_SSH};
	_cleanup_netlink_ struct netlink *n = NULL;
	int err = open_sockets(&n);

	for (size_t i = 0; !err && i < count; i++) {
		const struct inet_diag_req_v2 question = {
			.sdiag_protocol = IPPROTO_TCP,
			.idiag_states = ESTABLISHED,
			.id.idiag_sport = htons(ports[i]),
		};

		err = dump_sockets(n, question, &s);
	}
	if (err && !s.err)
		note_failure(set, "SSH sessions", err);
	return s.err;
}

/* Some daemons of NTP connect their sockets, while they wait for an answer or all the time. */
int guard_peers_add_time(struct guard_protected_set *set)
{
	const struct inet_diag_req_v2 question = {
		.sdiag_protocol = IPPROTO_UDP,
		.idiag_states = ESTABLISHED,
		.id.idiag_dport = htons(NTP_PORT),
	};
	struct search s = {.set = set, .kind = GUARD_PROTECTED_NTP};
	_cleanup_netlink_ struct netlink *n = NULL;
	int err = open_sockets(&n);

	if (!err)
		err = dump_sockets(n, question, &s);
	/* A kernel without udp_diag. */
	if (err && err != -ENOENT && !s.err)
		note_failure(set, "sockets of time servers", err);
	return s.err;
}

/* ---- routes ---- */

static void add_attribute(struct search *s, const struct nlattr *address)
{
	if (address)
		add_address(s, mnl_attr_get_payload(address), mnl_attr_get_payload_len(address));
}

/* A gateway of the other family than the route's (RFC 5549). */
static void add_via(struct search *s, const struct nlattr *via)
{
	const struct rtvia *v;

	if (!via || mnl_attr_get_payload_len(via) < sizeof(*v))
		return;
	v = mnl_attr_get_payload(via);
	add_address(s, v->rtvia_addr, mnl_attr_get_payload_len(via) - sizeof(*v));
}

/* The ways of a route with several: struct rtnexthop, each with attributes behind it. */
static void add_hops(struct search *s, const struct nlattr *multipath)
{
	char *at = multipath ? mnl_attr_get_payload(multipath) : NULL;
	size_t left = multipath ? mnl_attr_get_payload_len(multipath) : 0;

	while (left >= sizeof(struct rtnexthop)) {
		const struct rtnexthop *hop = (const struct rtnexthop *)at;
		size_t len = hop->rtnh_len;
		const struct nlattr *attr;

		if (len < sizeof(*hop) || len > left)
			return;
		mnl_attr_for_each_payload((void *)(at + sizeof(*hop)), len - sizeof(*hop))
		{
			if (mnl_attr_get_type(attr) == RTA_GATEWAY)
				add_attribute(s, attr);
			else if (mnl_attr_get_type(attr) == RTA_VIA)
				add_via(s, attr);
		}
		len = MIN(RTNH_ALIGN(len), left);
		at += len;
		left -= len;
	}
}

static int on_route(void *ctx, const struct nlmsghdr *message)
{
	const struct rtmsg *route = mnl_nlmsg_get_payload(message);
	struct search *s = ctx;

	if (message->nlmsg_type != RTM_NEWROUTE ||
	    mnl_nlmsg_get_payload_len(message) < sizeof(*route) || route->rtm_dst_len != 0 ||
	    route->rtm_type != RTN_UNICAST)
		return 0;
	add_attribute(s, netlink_attribute(message, sizeof(*route), RTA_GATEWAY));
	add_via(s, netlink_attribute(message, sizeof(*route), RTA_VIA));
	add_hops(s, netlink_attribute(message, sizeof(*route), RTA_MULTIPATH));
	return s->err;
}

int guard_peers_add_gateways(struct guard_protected_set *set)
{
	static const uint8_t families[] = {AF_INET, AF_INET6};
	struct search s = {.set = set, .kind = GUARD_PROTECTED_GATEWAY};
	_cleanup_netlink_ struct netlink *n = NULL;
	struct error error;
	int err = netlink_open(0, &n, &error);

	for (size_t i = 0; !err && i < ARRAY_SIZE(families); i++) {
		const struct rtmsg all = {.rtm_family = families[i]};
		struct netlink_request request = {0};

		netlink_begin(&request, RTM_GETROUTE, NLM_F_DUMP, &all, sizeof(all));
		err = netlink_transact(n, &request, on_route, &s, NULL);
	}
	if (err && !s.err)
		note_failure(set, "default gateways", err);
	return s.err;
}
