// SPDX-License-Identifier: MIT
#include "kernel/xdp.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/macro.h"
#include "kernel/xdp_dispatcher.h"

static const struct {
	const char *name;
	uint32_t flags;
} modes[] = {
	[XDP_NATIVE] = {"native", XDP_FLAGS_DRV_MODE},
	[XDP_GENERIC] = {"generic", XDP_FLAGS_SKB_MODE},
};

/* Words of ip-link(8) that take a program away, by XDP_ATTACHED_*. */
static const char *const ip_words[] = {
	[XDP_ATTACHED_DRV] = "xdpdrv",
	[XDP_ATTACHED_SKB] = "xdpgeneric",
	[XDP_ATTACHED_HW] = "xdpoffload",
};

/* The link that holds @program at @ifindex; 0 when none does, or it is not said. In another network
 * namespace there may be another interface of that index. */
static uint32_t find_link(uint32_t ifindex, uint32_t program)
{
	uint32_t id = 0;

	while (bpf_link_get_next_id(id, &id) == 0) {
		_cleanup_close_ int fd = bpf_link_get_fd_by_id(id);
		struct bpf_link_info info = {};
		uint32_t size = sizeof(info);

		if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &size) == 0 &&
		    info.type == BPF_LINK_TYPE_XDP && info.xdp.ifindex == ifindex &&
		    info.prog_id == program)
			return id;
	}
	return 0;
}

static void name_of_program(uint32_t id, char name[BPF_OBJ_NAME_LEN])
{
	_cleanup_close_ int fd = bpf_prog_get_fd_by_id(id);
	struct bpf_prog_info info = {};
	uint32_t size = sizeof(info);

	snprintf(name, BPF_OBJ_NAME_LEN, "?");
	if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &size) == 0)
		snprintf(name, BPF_OBJ_NAME_LEN, "%s", info.name);
}

/* The first that is there, and how it is attached (XDP_ATTACHED_*). */
static uint32_t find_occupant(uint32_t ifindex, unsigned *ret_mode)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, there);

	if (bpf_xdp_query((int)ifindex, 0, &there) < 0)
		return 0;
	*ret_mode = there.drv_prog_id   ? XDP_ATTACHED_DRV
		    : there.skb_prog_id ? XDP_ATTACHED_SKB
					: XDP_ATTACHED_HW;
	return there.drv_prog_id   ? there.drv_prog_id
	       : there.skb_prog_id ? there.skb_prog_id
				   : there.hw_prog_id;
}

bool xdp_has_dispatcher(uint32_t ifindex)
{
	unsigned mode = XDP_ATTACHED_NONE;
	uint32_t program = find_occupant(ifindex, &mode);
	char name[BPF_OBJ_NAME_LEN] = "";

	if (program)
		name_of_program(program, name);
	return STREQ(name, XDP_DISPATCHER_NAME);
}

/* The command that takes @program, called @name, away from @device. */
static void advise(uint32_t ifindex, const char *device, uint32_t program, const char *name,
		   unsigned mode, struct buf *to)
{
	uint32_t link = find_link(ifindex, program);

	if (STREQ(name, XDP_DISPATCHER_NAME))
		buf_printf(to, "xdp-loader unload %s --all", device);
	else if (link)
		buf_printf(to, "bpftool link detach id %u", link);
	else
		buf_printf(to, "ip link set dev %s %s off", device, ip_words[mode]);
}

/* @more: than that it is not replaced, or "". */
static int occupied_error(uint32_t ifindex, const char *device, const char *more, struct error *e)
{
	_cleanup_buf_ struct buf advice = {0};
	unsigned mode = XDP_ATTACHED_NONE;
	uint32_t program = find_occupant(ifindex, &mode);
	char name[BPF_OBJ_NAME_LEN];

	if (!program)
		return error_set(e, -EBUSY, "cannot attach by XDP to %s: another program is there",
				 device);
	name_of_program(program, name);
	advise(ifindex, device, program, name, mode, &advice);
	return error_set(e, -EBUSY,
			 "cannot attach by XDP to %s: the program %u (%s) is there, and it is not "
			 "replaced%s; if nobody needs it: %s",
			 device, program, name, more, buf_str(&advice));
}

int xdp_check_room(uint32_t ifindex, const struct strv *own, struct error *e)
{
	char device[IF_NAMESIZE] = "gone", name[BPF_OBJ_NAME_LEN];
	unsigned mode = XDP_ATTACHED_NONE;
	uint32_t program = find_occupant(ifindex, &mode);
	const char *more = "";

	if (!program)
		return 0;
	name_of_program(program, name);
	if (strv_has(own, name))
		return 0;
	if (STREQ(name, XDP_DISPATCHER_NAME))
		more = "; libxdp may put ours into it";
	if_indextoname(ifindex, device);
	return occupied_error(ifindex, device, more, e);
}

static int create(enum xdp_mode mode, int prog_fd, uint32_t ifindex)
{
	LIBBPF_OPTS(bpf_link_create_opts, options, .flags = modes[mode].flags);

	return bpf_link_create(prog_fd, (int)ifindex, BPF_XDP, &options);
}

static bool is_occupied(int code)
{
	return code == -EBUSY || code == -EEXIST;
}

/* What native mode being refused for does not matter to generic mode. */
static bool may_try_generic(int code)
{
	return code < 0 && !is_occupied(code) && code != -EPERM && code != -ENODEV;
}

const char *xdp_native_reason(int code)
{
	switch (-code) {
	case EOPNOTSUPP:
		return "the driver has none";
	case ENOSPC:
		return "too few receive queues for it: ethtool -l";
	case EINVAL:
	case ERANGE:
		return "the MTU, the offloads or the queues do not suit it: the driver's limits";
	default:
		return strerror(-code);
	}
}

static const char *reason(int code, enum xdp_mode mode)
{
	if (code == -EPERM)
		return "Operation not permitted; run as root or give CAP_BPF and CAP_NET_ADMIN";
	if (code == -EMFILE)
		return "too many open files: raise the limit (LimitNOFILE=, ulimit -n)";
	return mode == XDP_NATIVE ? xdp_native_reason(code) : strerror(-code);
}

int xdp_attach(enum xdp_mode mode, int prog_fd, uint32_t ifindex, struct xdp_attachment *ret,
	       struct error *e)
{
	enum xdp_mode used = mode == XDP_AUTO ? XDP_NATIVE : mode;
	int native_error = 0, fd = create(used, prog_fd, ifindex);
	char device[IF_NAMESIZE];

	if (mode == XDP_AUTO && may_try_generic(fd)) {
		native_error = fd;
		used = XDP_GENERIC;
		fd = create(used, prog_fd, ifindex);
	}
	if (fd >= 0) {
		*ret = (struct xdp_attachment){.fd = fd,
					       .ifindex = ifindex,
					       .mode = used,
					       .native_error = native_error};
		return 0;
	}
	if (!if_indextoname(ifindex, device))
		return error_set(e, -ENODEV, "interface %u is gone", ifindex);
	if (is_occupied(fd))
		return occupied_error(ifindex, device, "", e);
	return error_set(e, fd, "cannot attach by XDP (%s) to %s: %s%s", modes[used].name, device,
			 reason(fd, used),
			 used == XDP_NATIVE ? "; mode generic or auto may do" : "");
}

int xdp_join(enum xdp_mode mode, const struct object *o, size_t index, uint32_t ifindex,
	     struct xdp_attachment *ret, struct error *e)
{
	struct xdp_attachment a = {.is_dispatched = true, .ifindex = ifindex};
	_cleanup_buf_ struct buf more = {0};
	char device[IF_NAMESIZE];
	struct error why;
	int err = xdp_dispatcher_join(ifindex, o, index, mode, &a.fd, &a.mode, &why);

	if (!err) {
		*ret = a;
		return 0;
	}
	if (!if_indextoname(ifindex, device))
		return error_set(e, -ENODEV, "interface %u is gone", ifindex);
	buf_printf(&more, ", nor is anything put into it: %s", why.text);
	return occupied_error(ifindex, device, buf_str(&more), e);
}

/* ---- what is there already ---- */

/* The link says of which interface index it is, but not in which network namespace; so the
 * interface is asked for its program. */
static int adopt_link(int link_fd, struct xdp_attachment *a)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, there);
	struct bpf_link_info info = {};
	uint32_t size = sizeof(info);
	int r = bpf_obj_get_info_by_fd(link_fd, &info, &size);

	if (r == 0)
		r = bpf_xdp_query((int)a->ifindex, 0, &there);
	if (r < 0)
		return r;
	if (info.type != BPF_LINK_TYPE_XDP || info.xdp.ifindex != a->ifindex)
		return -ENOENT;
	if (info.prog_id != there.drv_prog_id && info.prog_id != there.skb_prog_id)
		return -ENOENT;
	a->mode = info.prog_id == there.drv_prog_id ? XDP_NATIVE : XDP_GENERIC;
	return 0;
}

int xdp_adopt(int fd, uint32_t ifindex, struct xdp_attachment *ret)
{
	struct xdp_attachment a = {.fd = fd, .ifindex = ifindex};
	int err;

	a.is_dispatched = xdp_dispatcher_is_map(fd);
	err = a.is_dispatched ? xdp_dispatcher_find(ifindex, fd, &a.mode) : adopt_link(fd, &a);
	if (!err)
		*ret = a;
	return err;
}

int xdp_replace(const struct xdp_attachment *a, const struct object *o, size_t index,
		struct error *e)
{
	struct program_info info;
	int r;

	object_program(o, index, &info);
	r = a->is_dispatched ? xdp_dispatcher_swap(a->fd, o, index)
			     : bpf_link_update(a->fd, info.fd, NULL);
	if (r == -ENOLINK)
		r = -ENODEV;
	if (r < 0)
		return error_set(e, r, "cannot replace the XDP program: %s", strerror(-r));
	return 0;
}

int xdp_take_off(const struct xdp_attachment *a, struct error *e)
{
	int err;

	if (a->is_dispatched)
		return xdp_dispatcher_leave(a->ifindex, a->fd, e);
	err = bpf_link_detach(a->fd);
	return err ? error_set(e, err, "cannot detach the link: %s", error_words(err)) : 0;
}

void xdp_detach(struct xdp_attachment *a)
{
	a->fd = fd_close(a->fd);
}
