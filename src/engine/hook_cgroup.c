// SPDX-License-Identifier: MIT
/* Hooks of cgroups: each program is at one cgroup and sees what is done in it and below. */
#include <linux/bpf.h>

#include "base/cleanup.h"
#include "engine/hook.h"
#include "engine/placement.h"
#include "kernel/cgroup_link.h"

/* For hook cgroup it is what SEC() says. */
static uint32_t attach_type(enum attach_hook hook, const struct program_info *program)
{
	switch (hook) {
	case HOOK_CGROUP_SKB_INGRESS:
		return BPF_CGROUP_INET_INGRESS;
	case HOOK_CGROUP_SKB_EGRESS:
		return BPF_CGROUP_INET_EGRESS;
	default:
		return program->attach_type;
	}
}

static int attach(const struct hook_request *r, struct error *e)
{
	const struct program_info *program = &r->unit->programs[r->placement->program].info;
	const struct attach_config *row = &r->placement->row;
	_cleanup_free_ char *path = NULL;
	struct attachment a = {0};
	int err = cgroup_attach(program->fd, attach_type(row->hook, program), row->cgroup.text,
				&a.fd, &path, e);

	if (err)
		return error_prefix(e, "program '%s' (%s)", program->name, program->section);
	return placement_add(r, &a, path, e);
}

static const char *mechanism(const struct attachment *a)
{
	(void)a;
	return "cgroup link";
}

#define CGROUP_OPERATIONS .attach = attach, .detach = hook_close, .mechanism = mechanism

const struct hook hook_cgroup = {
	CGROUP_OPERATIONS,
	.types = HOOK_TYPE(BPF_PROG_TYPE_CGROUP_SKB) | HOOK_TYPE(BPF_PROG_TYPE_CGROUP_SOCK) |
		 HOOK_TYPE(BPF_PROG_TYPE_CGROUP_SOCK_ADDR) | HOOK_TYPE(BPF_PROG_TYPE_SOCK_OPS) |
		 HOOK_TYPE(BPF_PROG_TYPE_CGROUP_SYSCTL) | HOOK_TYPE(BPF_PROG_TYPE_CGROUP_SOCKOPT) |
		 HOOK_TYPE(BPF_PROG_TYPE_CGROUP_DEVICE),
	.section = "SEC(\"cgroup/…\"), SEC(\"cgroup_skb/…\") or SEC(\"sockops\")",
};

const struct hook hook_cgroup_skb = {
	CGROUP_OPERATIONS,
	.types = HOOK_TYPE(BPF_PROG_TYPE_CGROUP_SKB),
	.section = "SEC(\"cgroup_skb/ingress\") or SEC(\"cgroup_skb/egress\")",
};

const struct hook hook_sock_ops = {
	CGROUP_OPERATIONS,
	.types = HOOK_TYPE(BPF_PROG_TYPE_SOCK_OPS),
	.section = "SEC(\"sockops\")",
};
