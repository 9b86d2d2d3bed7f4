// SPDX-License-Identifier: MIT
#include "kernel/tc.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "kernel/compat.h"
#include "kernel/netlink.h"

/* The name of our filters (TCA_BPF_NAME), before that of the program: how we know them again. */
#define FILTER_PREFIX "wiregauge:"

enum { CLSACT_TRIES = 3 };

static const struct {
	const char *name;
	uint32_t clsact_parent;
	enum bpf_attach_type tcx_type;
} directions[] = {
	[TC_INGRESS] = {"ingress", TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS),
			(enum bpf_attach_type)COMPAT_BPF_TCX_INGRESS},
	[TC_EGRESS] = {"egress", TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS),
		       (enum bpf_attach_type)COMPAT_BPF_TCX_EGRESS},
};

/* An error's sentence about a hook: @what was tried, and why the kernel would not. */
static int hook_error(struct error *e, int code, const char *what, uint32_t ifindex,
		      enum tc_direction direction, const char *why)
{
	char name[IF_NAMESIZE] = "gone";

	if_indextoname(ifindex, name);
	return error_set(e, code, "cannot %s %s of interface %u (%s): %s%s", what,
			 directions[direction].name, ifindex, name,
			 why && *why ? why : strerror(-code),
			 code == -EPERM
				 ? "; run as root or give CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN"
				 : "");
}

/* --- TCX --- */

/* A kernel without TCX does not know the attach type (EINVAL); one with it knows of no interface 0,
 * or says that this is not allowed, which attaching then says again. */
enum tc_mechanism tc_probe_mechanism(void)
{
	uint32_t count = 0;
	int r = bpf_prog_query(0, directions[TC_INGRESS].tcx_type, 0, NULL, NULL, &count);

	return r == -EINVAL ? TC_CLSACT : TC_TCX;
}

static const char *tcx_reason(int code)
{
	switch (-code) {
	case EINVAL:
		return "this kernel has no TCX (Linux 6.6 and newer have it): use "
		       "--tc.mechanism=clsact";
	case ERANGE:
		return "too many programs are attached there";
	case EMFILE:
		return "too many open files: raise the limit (LimitNOFILE=, ulimit -n)";
	default:
		return NULL;
	}
}

/* First on the list: a program there that gives a verdict ends the list, and packets would pass
 * unseen. */
static int tcx_attach(int prog_fd, uint32_t ifindex, enum tc_direction direction,
		      struct tc_attachment *ret, struct error *e)
{
	LIBBPF_OPTS(bpf_link_create_opts, options, .flags = COMPAT_BPF_F_BEFORE);
	int fd = bpf_link_create(prog_fd, (int)ifindex, directions[direction].tcx_type, &options);

	if (fd == -EINVAL && tc_probe_mechanism() == TC_TCX)
		return hook_error(e, fd, "attach by TCX at", ifindex, direction,
				  "the program is not one for traffic control");
	if (fd < 0)
		return hook_error(e, fd == -EINVAL ? -EOPNOTSUPP : fd, "attach by TCX at", ifindex,
				  direction, tcx_reason(fd));
	*ret = (struct tc_attachment){.mechanism = TC_TCX,
				      .direction = direction,
				      .ifindex = ifindex,
				      .link_fd = fd};
	return 0;
}

/* --- clsact --- */

/* What there is at one direction of an interface. */
struct hook {
	uint32_t own_handle; /* of our filter, 0 if there is none */
	bool occupied;       /* someone else's filter is where ours would be */
	char occupant[64];   /* that one's name */
	unsigned others;     /* filters that are not ours */
};

struct survey {
	char qdisc[16]; /* its kind, in the place of clsact, or "" */
	struct hook hooks[2];
	struct hook *hook; /* the one being looked at */
};

static bool is_our_handle(uint32_t handle)
{
	return handle == TC_HANDLE || handle == TC_HANDLE_OWN_QDISC;
}

static int on_qdisc(void *ctx, const struct nlmsghdr *message)
{
	struct survey *s = ctx;

	snprintf(s->qdisc, sizeof(s->qdisc), "%s",
		 netlink_text(netlink_attribute(message, sizeof(struct tcmsg), TCA_KIND)));
	return 0;
}

static int on_filter(void *ctx, const struct nlmsghdr *message)
{
	struct hook *hook = ((struct survey *)ctx)->hook;
	const struct tcmsg *tc = mnl_nlmsg_get_payload(message);
	const struct nlattr *options;
	const char *name;
	bool our_priority;

	if (message->nlmsg_type != RTM_NEWTFILTER ||
	    mnl_nlmsg_get_payload_len(message) < sizeof(*tc))
		return 0;
	our_priority = TC_H_MAJ(tc->tcm_info) >> 16 == TC_PRIORITY;
	options = netlink_attribute(message, sizeof(*tc), TCA_OPTIONS);
	name = netlink_text(netlink_nested(options, TCA_BPF_NAME));
	/* Each priority has a message of its own, without a handle, before those of its filters. */
	if (our_priority && tc->tcm_handle == 0)
		return 0;
	if (!our_priority || !is_our_handle(tc->tcm_handle)) {
		hook->others++;
	} else if (strncmp(name, FILTER_PREFIX, strlen(FILTER_PREFIX)) == 0) {
		hook->own_handle = tc->tcm_handle;
	} else {
		hook->others++;
		hook->occupied = true;
		snprintf(hook->occupant, sizeof(hook->occupant), "%s", name);
	}
	return 0;
}

static int survey_qdisc(struct netlink *n, uint32_t ifindex, struct survey *s)
{
	struct tcmsg tc = {.tcm_ifindex = (int)ifindex, .tcm_parent = TC_H_CLSACT};
	struct netlink_request request = {};
	int r;

	/* The answer is a notification, which comes to who asked only with ECHO. */
	netlink_begin(&request, RTM_GETQDISC, NLM_F_ECHO, &tc, sizeof(tc));
	r = netlink_transact(n, &request, on_qdisc, s, NULL);
	/* ENOENT: no such qdisc; EINVAL: the same, on kernels before 4.16. */
	return r == -ENOENT || r == -EINVAL ? 0 : r;
}

static bool survey_has(const struct survey *s, enum tc_direction direction)
{
	/* The older kind "ingress" is in the same place, and takes every parent for ingress. */
	return STREQ(s->qdisc, "clsact") || (STREQ(s->qdisc, "ingress") && direction == TC_INGRESS);
}

static int survey(struct netlink *n, uint32_t ifindex, struct survey *ret)
{
	int r;

	*ret = (struct survey){};
	r = survey_qdisc(n, ifindex, ret);
	for (unsigned i = 0; i < ARRAY_SIZE(directions) && r == 0; i++) {
		struct tcmsg tc = {.tcm_ifindex = (int)ifindex,
				   .tcm_parent = directions[i].clsact_parent};
		struct netlink_request request = {};

		if (!survey_has(ret, (enum tc_direction)i))
			continue;
		ret->hook = &ret->hooks[i];
		netlink_begin(&request, RTM_GETTFILTER, NLM_F_DUMP, &tc, sizeof(tc));
		r = netlink_transact(n, &request, on_filter, ret, NULL);
	}
	return r;
}

static void begin_qdisc(struct netlink_request *r, uint16_t type, uint16_t flags, uint32_t ifindex)
{
	struct tcmsg tc = {.tcm_ifindex = (int)ifindex,
			   .tcm_parent = TC_H_CLSACT,
			   .tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0)};

	mnl_attr_put_strz(netlink_begin(r, type, flags, &tc, sizeof(tc)), TCA_KIND, "clsact");
}

static struct nlmsghdr *begin_filter(struct netlink_request *r, uint16_t type, uint16_t flags,
				     const struct tc_attachment *a)
{
	struct tcmsg tc = {.tcm_ifindex = (int)a->ifindex,
			   .tcm_parent = directions[a->direction].clsact_parent,
			   .tcm_handle = a->handle,
			   .tcm_info = TC_H_MAKE(TC_PRIORITY << 16, htons(ETH_P_ALL))};
	struct nlmsghdr *message = netlink_begin(r, type, flags, &tc, sizeof(tc));

	mnl_attr_put_strz(message, TCA_KIND, "bpf");
	return message;
}

static int begin_new_filter(struct netlink_request *r, uint16_t flags,
			    const struct tc_attachment *a, int prog_fd)
{
	struct bpf_prog_info info = {};
	uint32_t size = sizeof(info);
	int code = bpf_obj_get_info_by_fd(prog_fd, &info, &size);
	char name[sizeof(FILTER_PREFIX) + BPF_OBJ_NAME_LEN];
	struct nlmsghdr *message;
	struct nlattr *nest;

	if (code < 0)
		return code;
	snprintf(name, sizeof(name), FILTER_PREFIX "%.*s", BPF_OBJ_NAME_LEN, info.name);
	message = begin_filter(r, RTM_NEWTFILTER, flags, a);
	nest = mnl_attr_nest_start(message, TCA_OPTIONS);
	mnl_attr_put_u32(message, TCA_BPF_FD, (uint32_t)prog_fd);
	mnl_attr_put_strz(message, TCA_BPF_NAME, name);
	mnl_attr_put_u32(message, TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
	/* A program in the network card would count where we do not read. */
	mnl_attr_put_u32(message, TCA_BPF_FLAGS_GEN, TCA_CLS_FLAGS_SKIP_HW);
	mnl_attr_nest_end(message, nest);
	return 0;
}

static int delete_filter(struct netlink *n, const struct tc_attachment *a)
{
	struct netlink_request request = {};

	begin_filter(&request, RTM_DELTFILTER, 0, a);
	return netlink_transact(n, &request, NULL, NULL, NULL);
}

static int delete_qdisc(struct netlink *n, uint32_t ifindex)
{
	struct netlink_request request = {};

	begin_qdisc(&request, RTM_DELQDISC, 0, ifindex);
	return netlink_transact(n, &request, NULL, NULL, NULL);
}

/* The other direction's handle says whose the qdisc is, else whether there is one already. */
static uint32_t choose_handle(const struct survey *s, enum tc_direction direction)
{
	const struct hook *here = &s->hooks[direction], *there = &s->hooks[!direction];

	if (here->own_handle)
		return here->own_handle;
	if (there->own_handle)
		return there->own_handle;
	return s->qdisc[0] ? TC_HANDLE : TC_HANDLE_OWN_QDISC;
}

/*
 * Qdisc and filter in one system call: a process killed between two would leave a qdisc that nobody
 * knows for ours. -EAGAIN when someone else made the qdisc just now.
 */
static int clsact_add(struct netlink *n, const struct survey *s, int prog_fd,
		      const struct tc_attachment *a)
{
	bool replace = s->hooks[a->direction].own_handle != 0, make_qdisc = !s->qdisc[0];
	uint16_t flags = NLM_F_CREATE | (replace ? NLM_F_REPLACE : NLM_F_EXCL);
	struct netlink_request request = {};
	int results[NETLINK_REQUESTS] = {}, r;

	if (make_qdisc)
		begin_qdisc(&request, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, a->ifindex);
	r = begin_new_filter(&request, flags, a, prog_fd);
	if (r < 0)
		return r;
	r = netlink_transact(n, &request, NULL, NULL, results);
	if (!make_qdisc || r == 0)
		return r;
	if (results[0] == 0) {
		delete_qdisc(n, a->ifindex);
		return r;
	}
	if (results[1] == 0)
		delete_filter(n, a);
	return results[0] == -EEXIST ? -EAGAIN : r;
}

static int clsact_check(const struct survey *s, uint32_t ifindex, enum tc_direction direction,
			struct error *e)
{
	const struct hook *hook = &s->hooks[direction];
	char why[256];

	if (s->qdisc[0] && !survey_has(s, direction)) {
		snprintf(why, sizeof(why),
			 "a qdisc \"%s\" is in the place of clsact; remove it (tc qdisc del dev … "
			 "%s) or exclude this interface",
			 s->qdisc, s->qdisc);
		return hook_error(e, -EBUSY, "attach by clsact at", ifindex, direction, why);
	}
	if (hook->occupied) {
		snprintf(why, sizeof(why),
			 "priority %u with our handle is taken by someone else's filter \"%s\"; "
			 "remove that one (tc filter del dev … %s pref %u)",
			 TC_PRIORITY, hook->occupant, directions[direction].name, TC_PRIORITY);
		return hook_error(e, -EEXIST, "attach by clsact at", ifindex, direction, why);
	}
	return 0;
}

static int clsact_attach(int prog_fd, uint32_t ifindex, enum tc_direction direction,
			 struct tc_attachment *ret, struct error *e)
{
	struct tc_attachment a = {.mechanism = TC_CLSACT,
				  .direction = direction,
				  .ifindex = ifindex,
				  .link_fd = -1};
	_cleanup_netlink_ struct netlink *n = NULL;
	struct survey s;
	int r = netlink_open(0, &n, e);

	if (r < 0)
		return r;
	r = -EAGAIN;
	for (unsigned i = 0; i < CLSACT_TRIES && r == -EAGAIN; i++) {
		r = survey(n, ifindex, &s);
		if (r < 0)
			break;
		r = clsact_check(&s, ifindex, direction, e);
		if (r < 0)
			return r;
		a.handle = choose_handle(&s, direction);
		r = clsact_add(n, &s, prog_fd, &a);
	}
	if (r < 0)
		return hook_error(e, r, "attach by clsact at", ifindex, direction, n->explanation);
	*ret = a;
	return 0;
}

static int clsact_remove(struct netlink *n, const struct survey *s, const struct tc_attachment *a)
{
	const struct hook *here = &s->hooks[a->direction], *there = &s->hooks[!a->direction];
	bool alone = here->others == 0 && there->others == 0 && there->own_handle == 0;

	/* The qdisc takes the filter with it: in one step, so that a kill between two leaves
	 * nothing. */
	if (here->own_handle == TC_HANDLE_OWN_QDISC && alone)
		return delete_qdisc(n, a->ifindex);
	return delete_filter(n, a);
}

/* Takes our filter away where there is one. *ret_removed says whether there was. */
static int clsact_detach(struct netlink *n, uint32_t ifindex, enum tc_direction direction,
			 bool *ret_removed, struct error *e)
{
	struct tc_attachment a = {.ifindex = ifindex, .direction = direction};
	char explanation[sizeof(n->explanation)] = "";
	struct survey s;
	int r = survey(n, ifindex, &s), removed;

	*ret_removed = false;
	a.handle = s.hooks[direction].own_handle;
	if (r == -ENODEV || (r == 0 && a.handle == 0))
		return 0;
	if (r == 0) {
		r = removed = clsact_remove(n, &s, &a);
		memcpy(explanation, n->explanation, sizeof(explanation));
		*ret_removed = removed == 0;
		/* Whatever went wrong: if it is gone by now, others or the interface's end were
		 * quicker. */
		if (removed < 0 && (survey(n, ifindex, &s) < 0 || !s.hooks[direction].own_handle))
			return 0;
	}
	if (r < 0)
		return hook_error(e, r, "detach from", ifindex, direction, explanation);
	return 0;
}

/* --- both --- */

int tc_attach(enum tc_mechanism mechanism, int prog_fd, uint32_t ifindex,
	      enum tc_direction direction, struct tc_attachment *ret, struct error *e)
{
	if (mechanism == TC_AUTO)
		mechanism = tc_probe_mechanism();
	if (mechanism == TC_TCX)
		return tcx_attach(prog_fd, ifindex, direction, ret, e);
	return clsact_attach(prog_fd, ifindex, direction, ret, e);
}

static int clsact_replace(const struct tc_attachment *a, int prog_fd, struct error *e)
{
	_cleanup_netlink_ struct netlink *n = NULL;
	struct netlink_request request = {};
	int r = netlink_open(0, &n, e);

	if (r < 0)
		return r;
	r = begin_new_filter(&request, NLM_F_REPLACE, a, prog_fd);
	if (r == 0)
		r = netlink_transact(n, &request, NULL, NULL, NULL);
	if (r < 0)
		return hook_error(e, r, "replace the program at", a->ifindex, a->direction,
				  n->explanation);
	return 0;
}

int tc_replace(struct tc_attachment *a, int prog_fd, struct error *e)
{
	int r;

	if (a->mechanism == TC_CLSACT)
		return clsact_replace(a, prog_fd, e);
	r = bpf_link_update(a->link_fd, prog_fd, NULL);
	if (r == -ENOLINK)
		r = -ENODEV;
	if (r < 0)
		return hook_error(e, r, "replace the program at", a->ifindex, a->direction, NULL);
	return 0;
}

int tc_detach(struct tc_attachment *a, struct error *e)
{
	_cleanup_netlink_ struct netlink *n = NULL;
	struct tc_attachment was = *a;
	bool removed;
	int r;

	*a = (struct tc_attachment){.link_fd = -1};
	if (was.mechanism == TC_TCX)
		fd_close(was.link_fd); /* the last descriptor of the link, and so its end */
	if (was.mechanism != TC_CLSACT)
		return 0;
	r = netlink_open(0, &n, e);
	if (r < 0)
		return r;
	return clsact_detach(n, was.ifindex, was.direction, &removed, e);
}

/* The interfaces that have something in the place of clsact. */
struct interfaces {
	uint32_t *indexes;
	size_t count;
	size_t cap;
};

static int on_any_qdisc(void *ctx, const struct nlmsghdr *message)
{
	struct interfaces *found = ctx;
	const struct tcmsg *tc = mnl_nlmsg_get_payload(message);

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*tc) || tc->tcm_parent != TC_H_CLSACT)
		return 0;
	if (found->count == found->cap) {
		size_t cap = MAX(found->cap * 2, (size_t)64);
		void *p = realloc(found->indexes, cap * sizeof(*found->indexes));

		if (!p)
			return -ENOMEM;
		found->indexes = p;
		found->cap = cap;
	}
	found->indexes[found->count++] = (uint32_t)tc->tcm_ifindex;
	return 0;
}

static int find_interfaces(struct netlink *n, struct interfaces *found, struct error *e)
{
	struct netlink_request request = {};
	struct tcmsg tc = {};
	int r;

	netlink_begin(&request, RTM_GETQDISC, NLM_F_DUMP, &tc, sizeof(tc));
	r = netlink_transact(n, &request, on_any_qdisc, found, NULL);
	if (r < 0)
		return error_set(e, r, "cannot list the qdiscs of this network namespace: %s",
				 strerror(-r));
	return 0;
}

int tc_cleanup(unsigned *ret_removed, struct error *e)
{
	_cleanup_netlink_ struct netlink *n = NULL;
	_cleanup_free_ uint32_t *indexes = NULL;
	struct interfaces found = {};
	unsigned count = 0;
	bool removed;
	int r = netlink_open(0, &n, e);

	if (r < 0)
		return r;
	r = find_interfaces(n, &found, e);
	indexes = found.indexes;
	for (size_t i = 0; i < found.count * ARRAY_SIZE(directions) && r == 0; i++) {
		r = clsact_detach(n, indexes[i / 2], (enum tc_direction)(i % 2), &removed, e);
		count += removed;
	}
	if (r == 0)
		*ret_removed = count;
	return r;
}
