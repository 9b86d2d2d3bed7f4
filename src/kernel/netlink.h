/* SPDX-License-Identifier: MIT */
/*
 * Requests to the kernel's routing netlink (rtnetlink(7)) over libmnl: one or several in one
 * system call, each one's answer waited for, and the kernel's own explanation of a refusal kept.
 */
#pragma once

#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"

enum {
	NETLINK_RECEIVE_SIZE = 32768, /* what the kernel fills with a dump at most, at once */
	NETLINK_REQUESTS = 2,         /* in one system call */
	NETLINK_OWN = -1,             /* instead of the id of another network namespace */
};

struct netlink {
	struct mnl_socket *socket;
	uint32_t sequence; /* of the last request */
	bool overrun; /* messages of a subscription were dropped (ENOBUFS); the reader clears it */
	bool interrupted; /* the last dump is of a list that changed meanwhile (NLM_F_DUMP_INTR) */
	int32_t nsid;     /* where the message comes from that @fn has: NETLINK_OWN, or the id
			   * there is for that network namespace in the socket's */
	char explanation[160]; /* the kernel's, of the last refusal (NLMSGERR_ATTR_MSG), or "" */
	char buffer[NETLINK_RECEIVE_SIZE] __attribute__((aligned(8)));
};

/* The messages of one system call. The kernel handles them in order, and none is left out because
 * the process is killed meanwhile. */
struct netlink_request {
	char buffer[1024] __attribute__((aligned(8)));
	struct nlmsghdr *messages[NETLINK_REQUESTS];
	unsigned count;
};

/* Gives back 0, or a negative errno that ends the reading with it. */
typedef int (*netlink_fn)(void *ctx, const struct nlmsghdr *message);

/* @groups: RTMGRP_*, 0 for a socket that is only for requests. */
int netlink_open(uint32_t groups, struct netlink **ret, struct error *e);

/* The same of another family than NETLINK_ROUTE, such as NETLINK_SOCK_DIAG (sock_diag(7)). */
int netlink_open_family(int family, uint32_t groups, struct netlink **ret, struct error *e);
void netlink_close(struct netlink *n);

/*
 * From now on subscriptions also bring what happens in every network namespace that has an id
 * (ip-netns(8)) in the socket's own, without keeping any of these alive; and that such ids come and
 * go (RTM_NEWNSID, RTM_DELNSID).
 */
int netlink_listen_everywhere(struct netlink *n);
DEFINE_CLEANUP(struct netlink *, netlink_close)
#define _cleanup_netlink_ _cleanup_(netlink_close_p)

/* Appends a message of @type with @extra_size bytes of header, to which attributes can be put
 * until the next one is begun. NLM_F_REQUEST and NLM_F_ACK are set. */
struct nlmsghdr *netlink_begin(struct netlink_request *r, uint16_t type, uint16_t flags,
			       const void *extra, size_t extra_size);

/*
 * Sends @r and reads until each of its messages is answered; what comes that is neither an error
 * nor the end of a dump goes to @fn (may be NULL), also what a subscription brings meanwhile. Gives
 * back the first refusal as negative errno; @results (may be NULL) has each message's.
 */
int netlink_transact(struct netlink *n, struct netlink_request *r, netlink_fn fn, void *ctx,
		     int results[NETLINK_REQUESTS]);

/* Reads what a subscription brought, without waiting. 0 when there is nothing more. */
int netlink_drain(struct netlink *n, netlink_fn fn, void *ctx);

/* Attribute @type of the message behind @extra_size bytes of header, or NULL. */
const struct nlattr *netlink_attribute(const struct nlmsghdr *message, size_t extra_size,
				       uint16_t type);

/* Attribute @type within @nest, or NULL. */
const struct nlattr *netlink_nested(const struct nlattr *nest, uint16_t type);

/* A string attribute that is there, ends in a NUL and so can be used as text; else "". */
const char *netlink_text(const struct nlattr *attribute);
