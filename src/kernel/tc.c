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
#include <sys/socket.h>
#include <sys/un.h>

#include "base/cleanup.h"
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
			 why && *why ? why : error_words(code),
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
	uint64_t own;    /* slots with a filter of ours */
	uint64_t taken;  /* these, and those where someone else's is */
	bool own_qdisc;  /* a handle of ours says that we made the qdisc */
	unsigned others; /* filters that are not ours */
};

struct survey {
	char qdisc[16]; /* its kind, in the place of clsact, or "" */
	struct hook hooks[2];
	struct hook *hook; /* the one being looked at */
};

static uint32_t handle_of(unsigned slot, bool own_qdisc)
{
	return TC_HANDLE | slot << 1 | (own_qdisc ? TC_HANDLE_OWN_QDISC : 0);
}

/* The slot of @handle; TC_SLOTS for one that cannot be ours. */
static unsigned slot_of(uint32_t handle)
{
	uint32_t slot = (handle - TC_HANDLE) >> 1;

	return handle >= TC_HANDLE && slot < TC_SLOTS ? slot : TC_SLOTS;
}

static int on_qdisc(void *ctx, const struct nlmsghdr *message)
{
	struct survey *s = ctx;

	snprintf(s->qdisc, sizeof(s->qdisc), "%s",
		 netlink_text(netlink_attribute(message, sizeof(struct tcmsg), TCA_KIND)));
	return 0;
}

static void note_filter(struct hook *hook, unsigned slot, uint32_t handle, bool has_our_name)
{
	bool ours = slot < TC_SLOTS && has_our_name;

	if (slot < TC_SLOTS)
		hook->taken |= UINT64_C(1) << slot;
	if (ours)
		hook->own |= UINT64_C(1) << slot;
	else
		hook->others++;
	hook->own_qdisc |= ours && (handle & TC_HANDLE_OWN_QDISC);
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
	note_filter(hook, our_priority ? slot_of(tc->tcm_handle) : TC_SLOTS, tc->tcm_handle,
		    strncmp(name, FILTER_PREFIX, strlen(FILTER_PREFIX)) == 0);
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

/* A handle that is free. What is there of ours says whose the qdisc is, else whether there is one
 * already. 0 when all are taken. */
static uint32_t choose_handle(const struct survey *s, enum tc_direction direction)
{
	const struct hook *here = &s->hooks[direction], *there = &s->hooks[!direction];
	bool own_qdisc =
		here->own || there->own ? here->own_qdisc || there->own_qdisc : !s->qdisc[0];

	if (here->taken == UINT64_MAX)
		return 0;
	return handle_of((unsigned)__builtin_ctzll(~here->taken), own_qdisc);
}

/*
 * Qdisc and filter in one system call: a process killed between two would leave a qdisc that nobody
 * knows for ours. -EAGAIN when someone else made the qdisc, or took the handle, just now.
 */
static int clsact_add(struct netlink *n, const struct survey *s, int prog_fd,
		      const struct tc_attachment *a)
{
	struct netlink_request request = {};
	int results[NETLINK_REQUESTS] = {}, r;
	bool make_qdisc = !s->qdisc[0];

	if (make_qdisc)
		begin_qdisc(&request, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, a->ifindex);
	r = begin_new_filter(&request, NLM_F_CREATE | NLM_F_EXCL, a, prog_fd);
	if (r < 0)
		return r;
	r = netlink_transact(n, &request, NULL, NULL, results);
	if (r == 0)
		return 0;
	if (make_qdisc && results[0] == 0)
		delete_qdisc(n, a->ifindex);
	else if (make_qdisc && results[1] == 0)
		delete_filter(n, a);
	return r == -EEXIST ? -EAGAIN : r;
}

static int clsact_check(const struct survey *s, uint32_t ifindex, enum tc_direction direction,
			struct error *e)
{
	char why[256];

	if (s->qdisc[0] && !survey_has(s, direction)) {
		snprintf(why, sizeof(why),
			 "a qdisc \"%s\" is in the place of clsact; remove it (tc qdisc del dev … "
			 "%s) or exclude this interface",
			 s->qdisc, s->qdisc);
		return hook_error(e, -EBUSY, "attach by clsact at", ifindex, direction, why);
	}
	if (choose_handle(s, direction) == 0)
		return hook_error(e, -ENOSPC, "attach by clsact at", ifindex, direction,
				  "too many programs are attached there");
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

static bool is_there(const struct survey *s, const struct tc_attachment *a)
{
	return s->hooks[a->direction].own & UINT64_C(1) << slot_of(a->handle);
}

static int clsact_remove(struct netlink *n, const struct survey *s, const struct tc_attachment *a)
{
	const struct hook *here = &s->hooks[a->direction], *there = &s->hooks[!a->direction];
	bool alone = here->own == UINT64_C(1) << slot_of(a->handle) && here->others == 0 &&
		     there->own == 0 && there->others == 0;

	/* The qdisc takes the filter with it: in one step, so that a kill between two leaves
	 * nothing. */
	if ((a->handle & TC_HANDLE_OWN_QDISC) && alone)
		return delete_qdisc(n, a->ifindex);
	return delete_filter(n, a);
}

/* Takes the filter @a away. Whatever goes wrong: if it is gone by then, others or the interface's
 * end were quicker. */
static int clsact_detach(struct netlink *n, const struct tc_attachment *a, struct error *e)
{
	char explanation[sizeof(n->explanation)] = "";
	struct survey s;
	int r = survey(n, a->ifindex, &s);

	if (r == -ENODEV || (r == 0 && !is_there(&s, a)))
		return 0;
	if (r == 0) {
		r = clsact_remove(n, &s, a);
		memcpy(explanation, n->explanation, sizeof(explanation));
		if (r < 0 && (survey(n, a->ifindex, &s) < 0 || !is_there(&s, a)))
			return 0;
	}
	if (r < 0)
		return hook_error(e, r, "detach from", a->ifindex, a->direction, explanation);
	return 0;
}

/* Takes all of ours away from @ifindex, and adds their number to @count. */
static int clsact_clean(struct netlink *n, uint32_t ifindex, unsigned *count, struct error *e)
{
	struct survey s;
	int r = survey(n, ifindex, &s);

	if (r == -ENODEV)
		return 0;
	if (r < 0)
		return hook_error(e, r, "look for filters at", ifindex, TC_INGRESS, n->explanation);
	for (unsigned i = 0; i < ARRAY_SIZE(directions) * TC_SLOTS && r == 0; i++) {
		const struct hook *hook = &s.hooks[i / TC_SLOTS];
		struct tc_attachment a = {.ifindex = ifindex,
					  .direction = (enum tc_direction)(i / TC_SLOTS),
					  .handle = handle_of(i % TC_SLOTS, hook->own_qdisc)};

		if (!is_there(&s, &a))
			continue;
		r = clsact_detach(n, &a, e);
		*count += r == 0;
	}
	return r;
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
	int r;

	*a = (struct tc_attachment){.link_fd = -1};
	if (was.mechanism == TC_TCX)
		fd_close(was.link_fd); /* the last descriptor of the link, and so its end */
	if (was.mechanism != TC_CLSACT)
		return 0;
	r = netlink_open(0, &n, e);
	if (r < 0)
		return r;
	return clsact_detach(n, &was, e);
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

int tc_claim(int *ret_fd, struct error *e)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "\0wiregauge-tc"};
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return error_set(e, -errno, "cannot make a socket: %s", error_words(-errno));
	if (bind(fd, (struct sockaddr *)&name, sizeof(name)))
		return error_set(e, -errno,
				 errno == EADDRINUSE
					 ? "a daemon runs in this network namespace; its filters "
					   "are left alone"
					 : "cannot claim the filters of this network namespace");
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int tc_cleanup(unsigned *ret_removed, struct error *e)
{
	_cleanup_netlink_ struct netlink *n = NULL;
	_cleanup_free_ uint32_t *indexes = NULL;
	struct interfaces found = {};
	unsigned count = 0;
	int r = netlink_open(0, &n, e);

	if (r < 0)
		return r;
	r = find_interfaces(n, &found, e);
	indexes = found.indexes;
	for (size_t i = 0; i < found.count && r == 0; i++)
		r = clsact_clean(n, indexes[i], &count, e);
	if (r == 0)
		*ret_removed = count;
	return r;
}
