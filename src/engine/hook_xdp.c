// SPDX-License-Identifier: MIT
/* Hook xdp: at interfaces, before the kernel's network stack. */
#include <linux/bpf.h>

#include "base/log.h"
#include "engine/hook.h"
#include "engine/placement.h"

static int attach(const struct hook_request *r, struct error *e)
{
	struct attachment a = attachment_at(r->link);
	int err =
		xdp_attach(r->placement->row.mode, hook_program_fd(r), r->link->ifindex, &a.xdp, e);

	if (!err && a.xdp.native_error)
		log_warn("%s: %s: native XDP is refused (%s), so the program runs in generic mode: "
			 "later, and at a higher cost for each packet",
			 r->unit->plan->name, r->link->name, xdp_native_reason(a.xdp.native_error));
	return err ? err : placement_add(r, &a, r->link->name, e);
}

static int replace(const struct hook_request *r, struct attachment *a, struct error *e)
{
	enum xdp_mode mode = r->placement->row.mode;

	if (mode != XDP_AUTO && mode != a->xdp.mode)
		return -EOPNOTSUPP;
	return xdp_replace(&a->xdp, hook_program_fd(r), e);
}

static int adopt(const struct hook_request *r, int link_fd, struct attachment *a)
{
	return xdp_adopt(link_fd, r->link->ifindex, &a->xdp);
}

static int link_fd(const struct attachment *a)
{
	return a->xdp.link_fd;
}

static int detach(const struct hook_request *r, struct attachment *a, struct error *e)
{
	(void)r, (void)e;
	xdp_detach(&a->xdp);
	return 0;
}

static const char *mechanism(const struct attachment *a)
{
	return a->xdp.mode == XDP_NATIVE ? "xdp native" : "xdp generic";
}

static void caveat(const struct attachment *a, struct buf *to)
{
	if (a->xdp.native_error)
		buf_printf(to, "not native: %s", xdp_native_reason(a->xdp.native_error));
}

const struct hook hook_xdp = {
	.types = HOOK_TYPE(BPF_PROG_TYPE_XDP),
	.section = "SEC(\"xdp\")",
	.by_interface = true,
	.exclusive = true,
	.attach = attach,
	.replace = replace,
	.adopt = adopt,
	.link_fd = link_fd,
	.detach = detach,
	.mechanism = mechanism,
	.caveat = caveat,
};
