// SPDX-License-Identifier: MIT
/*
 * Hook netfilter. Links of netfilter cannot be given another program: after a change the new one
 * stands at the next priority until the old one is gone, so that no packet passes unseen.
 */
#include <linux/bpf.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "engine/hook.h"
#include "engine/placement.h"
#include "kernel/netfilter.h"

static int attach(const struct hook_request *r, struct error *e)
{
	const struct attach_config *row = &r->placement->row;
	struct compat_netfilter where = {
		.family = row->family,
		.hook = row->netfilter_hook,
		.priority = row->priority,
		.defragment = row->defragment,
	};
	struct attachment a = {.fd = netfilter_attach(hook_program_fd(r), &where, e)};
	char text[64];

	if (a.fd < 0)
		return error_prefix(e, "program '%s'",
				    r->unit->programs[r->placement->program].info.name);
	snprintf(text, sizeof(text), "%s %s %d", netfilter_family_name(where.family),
		 netfilter_hook_name(where.hook), where.priority);
	return placement_add(r, &a, text, e);
}

static const char *mechanism(const struct attachment *a)
{
	(void)a;
	return "netfilter link";
}

const struct hook hook_netfilter = {
	.types = HOOK_TYPE(COMPAT_BPF_PROG_TYPE_NETFILTER),
	.section = "SEC(\"netfilter\")",
	.attach = attach,
	.detach = hook_close,
	.mechanism = mechanism,
};
