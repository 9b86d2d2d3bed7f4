// SPDX-License-Identifier: MIT
/* Hooks tc_ingress and tc_egress: traffic control, at interfaces. */
#include <linux/bpf.h>

#include "engine/hook.h"
#include "engine/placement.h"
#include "kernel/netspaces.h"

static int attach(const struct hook_request *r, struct error *e)
{
	enum tc_direction direction =
		r->placement->row.hook == HOOK_TC_INGRESS ? TC_INGRESS : TC_EGRESS;
	struct attachment a = attachment_at(r->link);
	int err = tc_attach(r->unit->env->tc_mechanism, hook_program_fd(r), r->link->ifindex,
			    direction, &a.tc, e);

	return err ? err : placement_add(r, &a, r->link->name, e);
}

/* To where the filter is; a link is where its descriptor is. */
static int enter(const struct hook_request *r, const struct attachment *a, struct error *e)
{
	if (a->tc.mechanism == TC_TCX)
		return 0;
	return netspaces_enter(r->unit->env->spaces, a->netns, e);
}

static int replace(const struct hook_request *r, struct attachment *a, struct error *e)
{
	int err = enter(r, a, e);

	if (err)
		return err;
	err = tc_replace(&a->tc, hook_program_fd(r), e);
	netspaces_leave(r->unit->env->spaces);
	return err;
}

/* A namespace that is gone has taken its filters with it. */
static int detach(const struct hook_request *r, struct attachment *a, struct error *e)
{
	int err = enter(r, a, e);

	if (err)
		return err == -ENODEV ? 0 : err;
	err = tc_detach(&a->tc, e);
	netspaces_leave(r->unit->env->spaces);
	return err;
}

static const char *mechanism(const struct attachment *a)
{
	return a->tc.mechanism == TC_TCX ? "tcx" : "clsact";
}

#define TC_OPERATIONS                                                                              \
	.types = HOOK_TYPE(BPF_PROG_TYPE_SCHED_CLS), .section = "SEC(\"tc\")",                     \
	.by_interface = true, .attach = attach, .replace = replace, .detach = detach,              \
	.mechanism = mechanism

const struct hook hook_tc_ingress = {TC_OPERATIONS};
const struct hook hook_tc_egress = {TC_OPERATIONS};
