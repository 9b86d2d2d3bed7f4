// SPDX-License-Identifier: MIT
#include "host/interfaces.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/genetlink.h>
#include <linux/if_link.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "kernel/netlink.h"
#include "kernel/tc.h"
#include "kernel/xdp.h"

enum {
	ALIKE_MAX = 4, /* of one kind that are told one by one */
	/* What fits into a page of 4096 bytes beside what drivers keep there, of which some keep
	 * more: above it native XDP takes programs and drivers that know of frags. */
	MTU_OF_PAGE = 3498,
};

/* The family "netdev", Linux 6.3: include/uapi/linux/netdev.h. */
enum { NETDEV_DEV_GET = 1, NETDEV_IFINDEX = 1, NETDEV_XDP_FEATURES = 3 };
enum { FEATURE_BASIC = 1 << 0, FEATURE_REDIRECT = 1 << 1, FEATURE_RX_SG = 1 << 5 };

struct interface {
	uint32_t ifindex;
	char name[IF_NAMESIZE];
	char kind[32]; /* of one that is made by hand: veth, bridge …; "" for others */
	char driver[32];
	char qdisc[32];
	char hook_qdisc[32]; /* in the place of clsact; "" */
	uint32_t mtu;
	unsigned flags; /* IFF_* */
	uint32_t queues;
	bool features_known;
	uint64_t features; /* of XDP */
};

struct survey {
	struct interface *items;
	size_t count;
	uint16_t family; /* "netdev"; 0: this kernel has none */
};

/* ---- what the kernel says of them ---- */

static uint32_t number(const struct nlattr *attribute)
{
	return attribute && mnl_attr_validate(attribute, MNL_TYPE_U32) >= 0
		       ? mnl_attr_get_u32(attribute)
		       : 0;
}

static void read_link(const struct nlmsghdr *message, struct interface *i)
{
	const struct ifinfomsg *link = mnl_nlmsg_get_payload(message);
	const size_t size = sizeof(*link);

	*i = (struct interface){.ifindex = (uint32_t)link->ifi_index, .flags = link->ifi_flags};
	snprintf(i->name, sizeof(i->name), "%s",
		 netlink_text(netlink_attribute(message, size, IFLA_IFNAME)));
	snprintf(i->qdisc, sizeof(i->qdisc), "%s",
		 netlink_text(netlink_attribute(message, size, IFLA_QDISC)));
	snprintf(i->kind, sizeof(i->kind), "%s",
		 netlink_text(netlink_nested(netlink_attribute(message, size, IFLA_LINKINFO),
					     IFLA_INFO_KIND)));
	i->mtu = number(netlink_attribute(message, size, IFLA_MTU));
	i->queues = number(netlink_attribute(message, size, IFLA_NUM_RX_QUEUES));
}

static int on_link(void *ctx, const struct nlmsghdr *message)
{
	struct survey *s = ctx;
	struct interface *items;

	if (mnl_nlmsg_get_payload_len(message) < sizeof(struct ifinfomsg))
		return 0;
	items = reallocarray(s->items, s->count + 1, sizeof(*items));
	if (!items)
		return -ENOMEM;
	s->items = items;
	read_link(message, &items[s->count++]);
	return 0;
}

static int list_links(struct netlink *n, struct survey *s)
{
	const struct ifinfomsg any = {.ifi_family = AF_UNSPEC};
	struct netlink_request request = {};

	netlink_begin(&request, RTM_GETLINK, NLM_F_DUMP, &any, sizeof(any));
	return netlink_transact(n, &request, on_link, s, NULL);
}

static struct interface *find(const struct survey *s, int ifindex)
{
	for (size_t i = 0; i < s->count; i++) {
		if (s->items[i].ifindex == (uint32_t)ifindex)
			return &s->items[i];
	}
	return NULL;
}

static int on_qdisc(void *ctx, const struct nlmsghdr *message)
{
	const struct tcmsg *tc = mnl_nlmsg_get_payload(message);
	struct interface *i;

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*tc) || tc->tcm_parent != TC_H_CLSACT)
		return 0;
	i = find(ctx, tc->tcm_ifindex);
	if (i)
		snprintf(i->hook_qdisc, sizeof(i->hook_qdisc), "%s",
			 netlink_text(netlink_attribute(message, sizeof(*tc), TCA_KIND)));
	return 0;
}

static int list_qdiscs(struct netlink *n, struct survey *s)
{
	const struct tcmsg any = {.tcm_family = AF_UNSPEC};
	struct netlink_request request = {};

	netlink_begin(&request, RTM_GETQDISC, NLM_F_DUMP, &any, sizeof(any));
	return netlink_transact(n, &request, on_qdisc, s, NULL);
}

/* ---- what their drivers say ---- */

static void ask_driver(int fd, struct interface *i)
{
	struct ethtool_drvinfo driver = {.cmd = ETHTOOL_GDRVINFO};
	struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
	struct ifreq request = {.ifr_data = (char *)&driver};

	memcpy(request.ifr_name, i->name, sizeof(request.ifr_name));
	if (ioctl(fd, SIOCETHTOOL, &request) == 0)
		snprintf(i->driver, sizeof(i->driver), "%.31s", driver.driver);
	request.ifr_data = (char *)&channels;
	if (ioctl(fd, SIOCETHTOOL, &request) == 0)
		i->queues = channels.combined_count + channels.rx_count;
}

static int on_family(void *ctx, const struct nlmsghdr *message)
{
	const struct nlattr *id =
		netlink_attribute(message, sizeof(struct genlmsghdr), CTRL_ATTR_FAMILY_ID);
	struct survey *s = ctx;

	if (id && mnl_attr_validate(id, MNL_TYPE_U16) >= 0)
		s->family = mnl_attr_get_u16(id);
	return 0;
}

static void find_family(struct netlink *n, struct survey *s)
{
	const struct genlmsghdr get = {.cmd = CTRL_CMD_GETFAMILY, .version = 1};
	struct netlink_request request = {};

	mnl_attr_put_strz(netlink_begin(&request, GENL_ID_CTRL, 0, &get, sizeof(get)),
			  CTRL_ATTR_FAMILY_NAME, "netdev");
	netlink_transact(n, &request, on_family, s, NULL);
}

static int on_features(void *ctx, const struct nlmsghdr *message)
{
	const struct nlattr *features =
		netlink_attribute(message, sizeof(struct genlmsghdr), NETDEV_XDP_FEATURES);
	struct interface *i = ctx;

	if (features && mnl_attr_validate(features, MNL_TYPE_U64) >= 0) {
		i->features_known = true;
		i->features = mnl_attr_get_u64(features);
	}
	return 0;
}

static void ask_features(struct netlink *n, uint16_t family, struct interface *i)
{
	const struct genlmsghdr get = {.cmd = NETDEV_DEV_GET, .version = 1};
	struct netlink_request request = {};

	mnl_attr_put_u32(netlink_begin(&request, family, 0, &get, sizeof(get)), NETDEV_IFINDEX,
			 i->ifindex);
	netlink_transact(n, &request, on_features, i, NULL);
}

static void ask_all_features(struct survey *s)
{
	_cleanup_netlink_ struct netlink *n = NULL;

	if (netlink_open_family(NETLINK_GENERIC, 0, &n, NULL))
		return;
	find_family(n, s);
	for (size_t i = 0; s->family && i < s->count; i++)
		ask_features(n, s->family, &s->items[i]);
}

static int look(struct survey *s, struct error *e)
{
	_cleanup_netlink_ struct netlink *n = NULL;
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err = netlink_open(0, &n, e);

	if (err)
		return err;
	err = list_links(n, s);
	if (!err)
		err = list_qdiscs(n, s);
	if (err)
		return error_set(e, err, "cannot list the interfaces: %s", error_words(err));
	for (size_t i = 0; fd >= 0 && i < s->count; i++)
		ask_driver(fd, &s->items[i]);
	ask_all_features(s);
	return 0;
}

/* ---- what that means ---- */

/* Those that packets come into the host by. */
static bool is_physical(const struct interface *i)
{
	return !*i->kind && !(i->flags & IFF_LOOPBACK);
}

static void describe(const struct interface *i, struct buf *to)
{
	const char *made_by = *i->driver ? i->driver : i->kind;

	buf_printf(to, "%s%s%s, MTU %u, %u queue%s", made_by, *made_by ? ", " : "",
		   i->flags & IFF_UP ? "up" : "down", i->mtu, i->queues, i->queues == 1 ? "" : "s");
	if (*i->qdisc)
		buf_printf(to, ", qdisc %s", i->qdisc);
	if (*i->hook_qdisc)
		buf_printf(to, " and %s", i->hook_qdisc);
}

static void describe_xdp(const struct interface *i, struct buf *to)
{
	if (!i->features_known)
		return;
	if (!(i->features & FEATURE_BASIC)) {
		buf_add_str(to, "; no native XDP");
		return;
	}
	buf_printf(to, "; native XDP%s%s", i->features & FEATURE_REDIRECT ? " with redirect" : "",
		   i->features & FEATURE_RX_SG ? " and frags" : ", without frags");
}

/* What is lost there by those who want to be at XDP; false when it is nothing. */
static bool judge_xdp(const struct interface *i, const struct interfaces_wanted *wanted,
		      const char *text, struct finding *f)
{
	struct error error;

	if (xdp_check_room(i->ifindex, wanted->xdp_programs, &error)) {
		finding_set(f, FINDING_DEGRADED, "%s; %s", text, error.text);
		return true;
	}
	if (!is_physical(i))
		return false;
	if (!i->features_known) {
		finding_set(f, FINDING_UNTRIED,
			    "%s; whether its driver runs XDP programs this kernel does not say "
			    "(Linux 6.3 does), and to try it could reset the link",
			    text);
		return true;
	}
	if (!(i->features & FEATURE_BASIC)) {
		finding_set(f, FINDING_DEGRADED, "%s: packets are seen late and at a higher cost",
			    text);
		finding_advise(f, "option mode of the XDP pipeline: generic, or auto");
		return true;
	}
	if (i->mtu > MTU_OF_PAGE && !(i->features & FEATURE_RX_SG)) {
		finding_set(f, FINDING_DEGRADED, "%s: with this MTU the driver may refuse it",
			    text);
		finding_advise(f, "ip link set dev %s mtu %u", i->name, MTU_OF_PAGE);
		return true;
	}
	return false;
}

/* Where the kernel has no TCX, clsact has to have its place. */
static bool judge_tc(const struct interface *i, const char *text, struct finding *f)
{
	if (!STREQ(i->hook_qdisc, "ingress") || tc_probe_mechanism() == TC_TCX)
		return false;
	finding_set(f, FINDING_DEGRADED,
		    "%s: in the place of clsact, so what is sent here is not seen", text);
	finding_advise(f, "if nobody needs it: tc qdisc del dev %s ingress", i->name);
	return true;
}

static void tell(const struct interface *i, const struct interfaces_wanted *wanted,
		 struct findings *f)
{
	_cleanup_buf_ struct buf text = {0};
	struct finding *finding;
	int err = 0;
	char id[64];

	snprintf(id, sizeof(id), "interface.%s", i->name);
	finding = findings_add(f, FINDING_INTERFACES, id, i->name);
	describe(i, &text);
	if (wanted->xdp_users)
		describe_xdp(i, &text);
	if (wanted->xdp_users && judge_xdp(i, wanted, buf_str(&text), finding))
		err = strv_add_all(&finding->users, wanted->xdp_users);
	else if (wanted->tc_users && judge_tc(i, buf_str(&text), finding))
		err = strv_add_all(&finding->users, wanted->tc_users);
	else
		finding_set(finding, FINDING_OK, "%s", buf_str(&text));
	f->failed |= err != 0;
}

/* How many of its kind come before interface @index. */
static size_t count_alike(const struct survey *s, size_t index)
{
	size_t n = 0;

	for (size_t i = 0; i < index; i++)
		n += STREQ(s->items[i].kind, s->items[index].kind);
	return n;
}

static void tell_more(size_t left_out, struct findings *f)
{
	struct finding *finding = findings_add(f, FINDING_INTERFACES, "interfaces.more", "more");

	finding_set(finding, FINDING_OK, "%zu more, of kinds that are among these", left_out);
}

void interfaces_look(const struct interfaces_wanted *wanted, struct findings *f)
{
	struct survey s = {0};
	size_t left_out = 0;
	struct error error;

	if (look(&s, &error))
		finding_set(findings_add(f, FINDING_INTERFACES, "interfaces", "interfaces"),
			    FINDING_UNTRIED, "%s", error.text);
	for (size_t i = 0; i < s.count; i++) {
		if (*s.items[i].kind && count_alike(&s, i) >= ALIKE_MAX)
			left_out++;
		else
			tell(&s.items[i], wanted, f);
	}
	if (left_out)
		tell_more(left_out, f);
	free(s.items);
}
