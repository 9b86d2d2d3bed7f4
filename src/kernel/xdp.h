/* SPDX-License-Identifier: MIT */
/*
 * A program at an interface's XDP hook, by a BPF link (Linux 5.9+), which goes away with its
 * descriptor, unless it is pinned. There is room for one program: another's is never replaced.
 */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "base/strv.h"

/* Native: in the driver, before the packet has an sk_buff. Generic: after that, on any device. */
enum xdp_mode { XDP_AUTO, XDP_NATIVE, XDP_GENERIC };

struct xdp_attachment {
	int link_fd;
	enum xdp_mode mode; /* XDP_NATIVE or XDP_GENERIC */
	int native_error;   /* XDP_AUTO that became generic: why native was refused; else 0 */
};

/*
 * XDP_AUTO: native, else generic. -EBUSY with the command that would make room when another
 * program is there; -ENODEV when the interface is gone.
 */
int xdp_attach(enum xdp_mode mode, int prog_fd, uint32_t ifindex, struct xdp_attachment *ret,
	       struct error *e);

/*
 * What the link of @link_fd holds at the interface @ifindex, which is of this network namespace;
 * the descriptor is *ret's then. -ENOENT when it is not there, or is no such link.
 */
int xdp_adopt(int link_fd, uint32_t ifindex, struct xdp_attachment *ret);

/* -EBUSY, in the words of xdp_attach(), where a program is at the interface @ifindex, called
 * something that is not in @own; 0 where there is room. */
int xdp_check_room(uint32_t ifindex, const struct strv *own, struct error *e);

/* Why a driver refused native mode with @code, in words. */
const char *xdp_native_reason(int code);

/* Put another program in its place, without a packet passing unseen. */
int xdp_replace(const struct xdp_attachment *a, int prog_fd, struct error *e);

void xdp_detach(struct xdp_attachment *a);
