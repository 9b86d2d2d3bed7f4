// SPDX-License-Identifier: MIT
/* Abilities of the network stack beside the places for programs. */
#include <errno.h>
#include <inttypes.h>
#include <linux/net_tstamp.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timex.h>
#include <time.h>

#include "base/cleanup.h"
#include "host/ability.h"
#include "kernel/netlink.h"

/* ---- queueing disciplines ---- */

static int change_qdisc(struct netlink *n, uint16_t type, uint16_t flags, uint32_t ifindex,
			const char *kind)
{
	const struct tcmsg tc = {.tcm_ifindex = (int)ifindex,
				 .tcm_parent = TC_H_ROOT,
				 .tcm_handle = TC_H_MAKE(1 << 16, 0)};
	const struct tc_htb_glob htb = {.version = 3, .rate2quantum = 10};
	struct netlink_request request = {};
	struct nlmsghdr *message = netlink_begin(&request, type, flags, &tc, sizeof(tc));
	struct nlattr *options;

	mnl_attr_put_strz(message, TCA_KIND, kind);
	if (STREQ(kind, "htb")) { /* which takes its options always */
		options = mnl_attr_nest_start(message, TCA_OPTIONS);
		mnl_attr_put(message, TCA_HTB_INIT, sizeof(htb), &htb);
		mnl_attr_nest_end(message, options);
	}
	return netlink_transact(n, &request, NULL, NULL, NULL);
}

static int try_qdisc(const struct ability_env *env, const struct ability *a, struct finding *f)
{
	_cleanup_netlink_ struct netlink *n = NULL;
	int err = netlink_open(0, &n, NULL);

	if (err)
		return err;
	err = change_qdisc(n, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, env->scratch->ifindex,
			   a->name);
	if (err == -ENOENT)
		finding_set(f, FINDING_MISSING, "%s: this kernel has none", a->purpose);
	return err ? err : change_qdisc(n, RTM_DELQDISC, 0, env->scratch->ifindex, a->name);
}

/* ---- time ---- */

static int64_t clock_seconds(clockid_t clock)
{
	struct timespec t = {0};

	clock_gettime(clock, &t);
	return t.tv_sec;
}

static int look_at_clocks(const struct ability_env *env, const struct ability *a, struct finding *f)
{
	struct ntptimeval ntp = {};
	int64_t awake = clock_seconds(CLOCK_MONOTONIC), up = clock_seconds(CLOCK_BOOTTIME);
	int state = ntp_gettime(&ntp);

	(void)env, (void)a;
	if (state < 0)
		return -errno;
	finding_set(f, FINDING_OK,
		    "TAI is UTC + %ld s; up for %" PRId64 " s, asleep for %" PRId64
		    " s of them; the clock is %ssynchronized",
		    (long)ntp.tai, up, up - awake, state == TIME_ERROR ? "not " : "");
	return 0;
}

static int try_timestamps(const struct ability_env *env, const struct ability *a, struct finding *f)
{
	const int flags = SOF_TIMESTAMPING_RX_SOFTWARE;
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)env, (void)a, (void)f;
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPING, &flags, sizeof(flags)))
		return -errno;
	return 0;
}

#define QDISC(kind, purpose_, option)                                                              \
	{                                                                                          \
		.id = "qdisc." kind, .name = kind, .purpose = purpose_, .family = "qdiscs",        \
		.aside = true, .in_scratch = true, .capabilities = "net_admin",                    \
		.remedy = "a kernel with " option, .attempt = try_qdisc                            \
	}

static const struct ability rows[] = {
	{.id = "network.clocks",
	 .name = "clocks",
	 .purpose = "what they differ by",
	 .attempt = look_at_clocks},
	{.id = "network.timestamps",
	 .name = "timestamps",
	 .purpose = "when packets came",
	 .attempt = try_timestamps},
	QDISC("fq", "fair queues that send at given times", "CONFIG_NET_SCH_FQ"),
	QDISC("fq_codel", "fair queues with short delays", "CONFIG_NET_SCH_FQ_CODEL"),
	QDISC("htb", "classes with rates", "CONFIG_NET_SCH_HTB"),
};

ABILITIES(networking, FINDING_NETWORKING, 400, rows);
