/* SPDX-License-Identifier: MIT */
/*
 * A program at an interface's TC hook, by the best mechanism that the kernel has:
 *
 * - TCX (6.6+): a BPF link, first on the hook's list of programs, so that nobody's verdict before
 *   it hides packets. It goes away with its descriptor, so nothing is left after kill -9.
 * - clsact: a bpf filter in direct-action mode, with a priority and handle of our own, under the
 *   clsact qdisc, which is made where it is missing. It outlives the process: tc_cleanup() finds
 *   and removes what a killed one left. It is known for ours by priority, handle and its name
 *   (TCA_BPF_NAME): "wiregauge:" and the program's.
 *
 * Several programs of ours can be at one hook. With clsact each has a handle of its own:
 *
 *	TC_HANDLE | slot << 1 | whether we made the qdisc
 *
 * All of ours at an interface agree on the last bit, so no state file is needed to delete the qdisc
 * only where we made it, with the last of our filters, and only when nobody else has filters in it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum tc_direction { TC_INGRESS, TC_EGRESS };
enum tc_mechanism { TC_AUTO, TC_TCX, TC_CLSACT };

enum {
	TC_PRIORITY = 0x7767,    /* "wg": of our clsact filters */
	TC_HANDLE = 0x77670000,  /* the first of theirs */
	TC_HANDLE_OWN_QDISC = 1, /* added to it: under a qdisc that we made */
	TC_SLOTS = 64,           /* filters of ours at one hook */
};

struct tc_attachment {
	enum tc_mechanism mechanism; /* TC_TCX or TC_CLSACT */
	enum tc_direction direction;
	uint32_t ifindex;
	int link_fd;     /* TCX; else -1 */
	uint32_t handle; /* clsact: the filter's */
};

/* TC_TCX where the kernel can, else TC_CLSACT: found by trying, in one system call. */
enum tc_mechanism tc_probe_mechanism(void);

/*
 * @mechanism: TC_AUTO, or one that the user insists on. -ENODEV when the interface is gone, which
 * is no fault of anybody. TCX programs should return TC_ACT_UNSPEC (TCX_NEXT) to let others go on.
 */
int tc_attach(enum tc_mechanism mechanism, int prog_fd, uint32_t ifindex,
	      enum tc_direction direction, struct tc_attachment *ret, struct error *e);

/* Put another program in its place, without a packet passing unseen. */
int tc_replace(struct tc_attachment *a, int prog_fd, struct error *e);

/* Takes it away, with the qdisc if we made it and nobody else uses it. An interface that is gone is
 * no error. @a is empty afterwards. */
int tc_detach(struct tc_attachment *a, struct error *e);

/*
 * Claims the clsact filters of this network namespace for the process, until *ret_fd is closed (an
 * abstract unix socket: its name belongs to the namespace and goes with the process). -EADDRINUSE
 * while another daemon has them: what is found is that one's, and no leftover.
 */
int tc_claim(int *ret_fd, struct error *e);

/* Removes every clsact filter in this namespace that is ours by priority, handle and name, and
 * the qdiscs that we made. *ret_removed: how many filters. Used at start and by `wiregauge
 * cleanup`. */
int tc_cleanup(unsigned *ret_removed, struct error *e);
