// SPDX-License-Identifier: MIT
/* Hook xdp: at interfaces, before the kernel's network stack. */
#include <linux/bpf.h>

#include "base/log.h"
#include "engine/hook.h"
#include "engine/placement.h"

/* libxdp knows of the interfaces of one network namespace. */
static int attach_or_join(const struct hook_request *r, struct xdp_attachment *ret, struct error *e)
{
	enum xdp_mode mode = r->placement->row.mode;
	uint32_t ifindex = r->link->ifindex;

	if (!r->link->netns && xdp_has_dispatcher(ifindex))
		return xdp_join(mode, r->unit->object, r->placement->program, ifindex, ret, e);
	return xdp_attach(mode, hook_program_fd(r), ifindex, ret, e);
}

static int attach(const struct hook_request *r, struct error *e)
{
	struct attachment a = attachment_at(r->link);
	int err = attach_or_join(r, &a.xdp, e);

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
	return xdp_replace(&a->xdp, r->unit->object, r->placement->program, e);
}

static int adopt(const struct hook_request *r, int fd, struct attachment *a)
{
	return xdp_adopt(fd, r->link->ifindex, &a->xdp);
}

static int pin_fd(const struct attachment *a, enum pin_kind *ret_kind)
{
	*ret_kind = a->xdp.is_dispatched ? PIN_MAP : PIN_LINK;
	return a->xdp.fd;
}

static int take_off(const struct attachment *a, struct error *e)
{
	return xdp_take_off(&a->xdp, e);
}

static int detach(const struct hook_request *r, struct attachment *a, struct error *e)
{
	int err = 0;

	(void)r;
	if (a->xdp.is_dispatched && !a->stays)
		err = xdp_take_off(&a->xdp, e);
	xdp_detach(&a->xdp);
	return err;
}

static const char *mechanism(const struct attachment *a)
{
	bool is_native = a->xdp.mode == XDP_NATIVE;

	if (a->xdp.is_dispatched)
		return is_native ? "xdp native, in a dispatcher" : "xdp generic, in a dispatcher";
	return is_native ? "xdp native" : "xdp generic";
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
	.pin_fd = pin_fd,
	.take_off = take_off,
	.detach = detach,
	.mechanism = mechanism,
	.caveat = caveat,
};
