// SPDX-License-Identifier: MIT
#include "host/scratch.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <sched.h>
#include <stdio.h>

#include "kernel/netlink.h"

static const char *const ends[] = {"tried", "peer"};

static int add_pair(struct netlink *n)
{
	const struct ifinfomsg any = {.ifi_family = AF_UNSPEC};
	struct netlink_request request = {};
	struct nlmsghdr *message =
		netlink_begin(&request, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &any, sizeof(any));
	struct nlattr *info, *data, *peer;

	mnl_attr_put_strz(message, IFLA_IFNAME, ends[0]);
	info = mnl_attr_nest_start(message, IFLA_LINKINFO);
	mnl_attr_put_strz(message, IFLA_INFO_KIND, "veth");
	data = mnl_attr_nest_start(message, IFLA_INFO_DATA);
	peer = mnl_attr_nest_start(message, VETH_INFO_PEER);
	/* The attribute begins with a header of its own. */
	*(struct ifinfomsg *)mnl_nlmsg_put_extra_header(message, sizeof(any)) = any;
	mnl_attr_put_strz(message, IFLA_IFNAME, ends[1]);
	mnl_attr_nest_end(message, peer);
	mnl_attr_nest_end(message, data);
	mnl_attr_nest_end(message, info);
	return netlink_transact(n, &request, NULL, NULL, NULL);
}

static int set_up(struct netlink *n, const char *name)
{
	const struct ifinfomsg link = {.ifi_family = AF_UNSPEC,
				       .ifi_index = (int)if_nametoindex(name),
				       .ifi_flags = IFF_UP,
				       .ifi_change = IFF_UP};
	struct netlink_request request = {};

	netlink_begin(&request, RTM_NEWLINK, 0, &link, sizeof(link));
	return netlink_transact(n, &request, NULL, NULL, NULL);
}

int scratch_enter(struct scratch *ret, struct error *e)
{
	_cleanup_netlink_ struct netlink *n = NULL;
	int err;

	if (unshare(CLONE_NEWNET))
		return error_set(
			e, -errno,
			"to try it takes a network namespace of its own, and cap_sys_admin "
			"for that: %s",
			error_words(-errno));
	err = netlink_open(0, &n, e);
	if (err)
		return err;
	err = add_pair(n);
	for (size_t i = 0; !err && i < ARRAY_SIZE(ends); i++)
		err = set_up(n, ends[i]);
	if (err)
		return error_set(e, err,
				 "to try it takes a veth pair (CONFIG_VETH), and cap_net_admin for "
				 "that: %s",
				 error_words(err));
	ret->ifindex = if_nametoindex(ends[0]);
	snprintf(ret->name, sizeof(ret->name), "%s", ends[0]);
	return 0;
}
