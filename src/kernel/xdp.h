/* SPDX-License-Identifier: MIT */
/*
 * A program at an interface's XDP hook, by a BPF link (Linux 5.9+), which goes away with its
 * descriptor, unless it is pinned. There is room for one program: another's is never replaced. But
 * where that is libxdp's dispatcher there may be room in it (xdp_dispatcher.h).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/strv.h"
#include "kernel/object.h"

/* Native: in the driver, before the packet has an sk_buff. Generic: after that, on any device. */
enum xdp_mode { XDP_AUTO, XDP_NATIVE, XDP_GENERIC };

struct xdp_attachment {
	int fd;             /* of the link; in a dispatcher, of the map there; to be pinned */
	bool is_dispatched; /* it is in a dispatcher */
	uint32_t ifindex;
	enum xdp_mode mode; /* XDP_NATIVE or XDP_GENERIC */
	int native_error;   /* XDP_AUTO that became generic: why native was refused; else 0 */
};

/*
 * XDP_AUTO: native, else generic. -EBUSY with the command that would make room when another
 * program is there; -ENODEV when the interface is gone.
 */
int xdp_attach(enum xdp_mode mode, int prog_fd, uint32_t ifindex, struct xdp_attachment *ret,
	       struct error *e);

/* Whether libxdp's dispatcher is at the interface @ifindex. False too where that is not known:
 * whose program it is the kernel says to CAP_SYS_ADMIN alone. */
bool xdp_has_dispatcher(uint32_t ifindex);

/* As xdp_attach() of program @index of @o, in the dispatcher at the interface @ifindex. */
int xdp_join(enum xdp_mode mode, const struct object *o, size_t index, uint32_t ifindex,
	     struct xdp_attachment *ret, struct error *e);

/*
 * What @fd, of a link or of a map in a dispatcher, holds at the interface @ifindex, which is of
 * this network namespace; the descriptor is *ret's then. -ENOENT when it is not there, or is no
 * such thing.
 */
int xdp_adopt(int fd, uint32_t ifindex, struct xdp_attachment *ret);

/* -EBUSY, in the words of xdp_attach(), where a program is at the interface @ifindex, called
 * something that is not in @own; 0 where there is room. */
int xdp_check_room(uint32_t ifindex, const struct strv *own, struct error *e);

/* Why a driver refused native mode with @code, in words. */
const char *xdp_native_reason(int code);

/* Put program @index of @o in its place, without a packet passing unseen. */
int xdp_replace(const struct xdp_attachment *a, const struct object *o, size_t index,
		struct error *e);

/* Takes it off its place, whoever has a descriptor or pin of it; that of @a stays. */
int xdp_take_off(const struct xdp_attachment *a, struct error *e);

/* Closes what is held of it: a link without a pin goes with that. */
void xdp_detach(struct xdp_attachment *a);
