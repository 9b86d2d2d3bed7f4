// SPDX-License-Identifier: MIT
#include "kernel/netlink.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

enum {
	/* A link's message takes 2–4 KiB of it: a few thousand changes may wait. Memory that is
	 * only accounted for, and used when they do. */
	RECEIVE_BUFFER = 8 << 20,
	ANSWER_TIMEOUT_S = 10, /* the kernel answers within the call; this is for a broken one */
};

static int configure(struct netlink *n, bool subscribed)
{
	struct timeval timeout = {.tv_sec = ANSWER_TIMEOUT_S};
	int fd = mnl_socket_get_fd(n->socket), one = 1, size = RECEIVE_BUFFER;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0)
		return -errno;
	/* Explanations are a comfort: kernels before 4.12 do without. */
	(void)mnl_socket_setsockopt(n->socket, NETLINK_EXT_ACK, &one, sizeof(one));
	(void)mnl_socket_setsockopt(n->socket, NETLINK_CAP_ACK, &one, sizeof(one));
	/* SO_RCVBUF is held down to net.core.rmem_max; a smaller buffer costs re-reads, no change.
	 */
	if (subscribed && setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	return 0;
}

int netlink_open(uint32_t groups, struct netlink **ret, struct error *e)
{
	return netlink_open_family(NETLINK_ROUTE, groups, ret, e);
}

int netlink_open_family(int family, uint32_t groups, struct netlink **ret, struct error *e)
{
	_cleanup_netlink_ struct netlink *n = calloc(1, sizeof(*n));
	int r;

	if (!n)
		return error_set(e, -ENOMEM, "cannot open a netlink socket: out of memory");
	n->socket = mnl_socket_open2(family, SOCK_CLOEXEC);
	if (!n->socket)
		return error_set(e, -errno, "cannot open a netlink socket: %s",
				 error_words(-errno));
	r = configure(n, groups != 0);
	if (r == 0 && mnl_socket_bind(n->socket, groups, MNL_SOCKET_AUTOPID) < 0)
		r = -errno;
	if (r < 0)
		return error_set(e, r, "cannot set up a netlink socket: %s", error_words(r));
	*ret = TAKE_PTR(n);
	return 0;
}

void netlink_close(struct netlink *n)
{
	if (!n)
		return;
	if (n->socket)
		mnl_socket_close(n->socket);
	free(n);
}

int netlink_listen_everywhere(struct netlink *n)
{
	int one = 1, group = RTNLGRP_NSID;

	if (mnl_socket_setsockopt(n->socket, NETLINK_LISTEN_ALL_NSID, &one, sizeof(one)) < 0 ||
	    mnl_socket_setsockopt(n->socket, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
		return -errno;
	return 0;
}

struct nlmsghdr *netlink_begin(struct netlink_request *r, uint16_t type, uint16_t flags,
			       const void *extra, size_t extra_size)
{
	struct nlmsghdr *message;

	message = mnl_nlmsg_put_header(
		r->count == 0 ? r->buffer : mnl_nlmsg_get_payload_tail(r->messages[r->count - 1]));
	message->nlmsg_type = type;
	message->nlmsg_flags = flags | NLM_F_REQUEST | NLM_F_ACK;
	memcpy(mnl_nlmsg_put_extra_header(message, extra_size), extra, extra_size);
	r->messages[r->count++] = message;
	return message;
}

const struct nlattr *netlink_attribute(const struct nlmsghdr *message, size_t extra_size,
				       uint16_t type)
{
	const struct nlattr *attribute;

	if (mnl_nlmsg_get_payload_len(message) < extra_size)
		return NULL;
	mnl_attr_for_each(attribute, message, extra_size)
	{
		if (mnl_attr_get_type(attribute) == type)
			return attribute;
	}
	return NULL;
}

const struct nlattr *netlink_nested(const struct nlattr *nest, uint16_t type)
{
	const struct nlattr *attribute;

	if (!nest)
		return NULL;
	mnl_attr_for_each_nested(attribute, nest)
	{
		if (mnl_attr_get_type(attribute) == type)
			return attribute;
	}
	return NULL;
}

const char *netlink_text(const struct nlattr *attribute)
{
	if (!attribute || mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) < 0)
		return "";
	return mnl_attr_get_str(attribute);
}

/* With NETLINK_CAP_ACK an error ends in the header of what it answers, and then come attributes. */
static void keep_explanation(struct netlink *n, const struct nlmsghdr *message)
{
	const struct nlattr *text = NULL;

	if (message->nlmsg_flags & NLM_F_ACK_TLVS && message->nlmsg_flags & NLM_F_CAPPED)
		text = netlink_attribute(message, sizeof(struct nlmsgerr), NLMSGERR_ATTR_MSG);
	snprintf(n->explanation, sizeof(n->explanation), "%s", netlink_text(text));
}

/* One netlink_transact() or netlink_drain(): who gets the messages, and which requests still wait
 * for an answer. */
struct reading {
	netlink_fn fn;
	void *ctx;
	int failed;     /* what @fn gave back first, other than 0 */
	uint32_t first; /* the sequence number of request 0 */
	unsigned count;
	unsigned open;
	int results[NETLINK_REQUESTS];
};

/* Both an error (0 is an acknowledgement) and the end of a dump begin with a negative errno. */
static void settle(struct netlink *n, struct reading *reading, const struct nlmsghdr *message)
{
	uint32_t index = message->nlmsg_seq - reading->first;
	int code = 0;

	if (index >= reading->count)
		return;
	if (mnl_nlmsg_get_payload_len(message) >= sizeof(code))
		memcpy(&code, mnl_nlmsg_get_payload(message), sizeof(code));
	if (code < 0 && message->nlmsg_type == NLMSG_ERROR)
		keep_explanation(n, message);
	reading->results[index] = MIN(code, 0);
	reading->open--;
}

static void handle(struct netlink *n, struct reading *reading, const struct nlmsghdr *message)
{
	bool ours = message->nlmsg_pid == mnl_socket_get_portid(n->socket);

	if (ours && message->nlmsg_flags & NLM_F_DUMP_INTR)
		n->interrupted = true;
	if (message->nlmsg_type == NLMSG_ERROR || message->nlmsg_type == NLMSG_DONE) {
		if (ours)
			settle(n, reading, message);
		return;
	}
	/* After a failure it is only read on until the answers are there, for a clean socket. */
	if (message->nlmsg_type >= NLMSG_MIN_TYPE && reading->fn && reading->failed == 0)
		reading->failed = reading->fn(reading->ctx, message);
}

/* What happened in another namespace comes with that one's id; all else without. */
static int32_t nsid_of(struct msghdr *header)
{
	const struct cmsghdr *c = CMSG_FIRSTHDR(header);
	int32_t nsid = NETLINK_OWN;

	if (c && c->cmsg_level == SOL_NETLINK && c->cmsg_type == NETLINK_LISTEN_ALL_NSID)
		memcpy(&nsid, CMSG_DATA(c), sizeof(nsid));
	return nsid;
}

static ssize_t receive_datagram(struct netlink *n, int flags)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr alignment;
	} control;
	struct iovec part = {.iov_base = n->buffer, .iov_len = sizeof(n->buffer)};
	struct msghdr header = {.msg_iov = &part,
				.msg_iovlen = 1,
				.msg_control = control.bytes,
				.msg_controllen = sizeof(control.bytes)};
	ssize_t got = recvmsg(mnl_socket_get_fd(n->socket), &header, flags);

	n->nsid = got < 0 ? NETLINK_OWN : nsid_of(&header);
	return got;
}

/* One datagram. 1 when there was one (or one that was dropped), 0 when none came in time. */
static int receive(struct netlink *n, int flags, struct reading *reading)
{
	const struct nlmsghdr *message = (const struct nlmsghdr *)n->buffer;
	ssize_t got = receive_datagram(n, flags);
	int len = (int)got;

	if (got < 0) {
		if (errno == ENOBUFS)
			n->overrun = true;
		if (errno == ENOBUFS || errno == EINTR)
			return 1;
		return errno == EAGAIN ? 0 : -errno;
	}
	for (; mnl_nlmsg_ok(message, len); message = mnl_nlmsg_next(message, &len))
		handle(n, reading, message);
	return 1;
}

static int send_request(struct netlink *n, struct netlink_request *r)
{
	const struct nlmsghdr *last = r->messages[r->count - 1];
	size_t len = (size_t)((const char *)last - r->buffer) + last->nlmsg_len;

	for (unsigned i = 0; i < r->count; i++)
		r->messages[i]->nlmsg_seq = ++n->sequence;
	n->explanation[0] = '\0';
	n->interrupted = false;
	return mnl_socket_sendto(n->socket, r->buffer, len) < 0 ? -errno : 0;
}

int netlink_transact(struct netlink *n, struct netlink_request *r, netlink_fn fn, void *ctx,
		     int results[NETLINK_REQUESTS])
{
	struct reading reading = {.fn = fn,
				  .ctx = ctx,
				  .first = n->sequence + 1,
				  .count = r->count,
				  .open = r->count};
	int code = send_request(n, r);

	if (code < 0)
		return code;
	while (reading.open > 0) {
		code = receive(n, 0, &reading);
		if (code <= 0)
			return code < 0 ? code : -ETIMEDOUT;
	}
	code = reading.failed;
	for (unsigned i = 0; i < r->count && code == 0; i++)
		code = reading.results[i];
	if (results)
		memcpy(results, reading.results, sizeof(reading.results));
	return code;
}

int netlink_drain(struct netlink *n, netlink_fn fn, void *ctx)
{
	struct reading reading = {.fn = fn, .ctx = ctx};
	int r;

	do
		r = receive(n, MSG_DONTWAIT, &reading);
	while (r > 0);
	return r < 0 ? r : reading.failed;
}
