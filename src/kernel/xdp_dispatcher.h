/* SPDX-License-Identifier: MIT */
/*
 * libxdp's dispatcher, by which several programs are at one interface's XDP hook: a program that
 * calls up to ten others in turn, each in the place of a function of its own (freplace, Linux 5.10
 * for more than one). For each that comes or goes libxdp makes another dispatcher, and puts it in
 * the place of the one before in one step.
 *
 * What is put into it here is a small program (bpf/xdp_entry.bpf.c) that goes on to the one in its
 * map, where that can be swapped at any time; in a dispatcher it could not. That map is what the
 * callers hold: with its last descriptor and pin it is empty, and packets pass. Linux before 6.1
 * takes what is in a dispatcher for a program of another kind than XDP, and does not go on.
 *
 * All in the network namespace of the caller; for CAP_SYS_ADMIN, since libxdp finds programs by
 * their ids, and for whoever may write to libxdp's directory of the bpffs, who is root.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "kernel/object.h"
#include "kernel/xdp.h"

/* What libxdp calls its own. */
#define XDP_DISPATCHER_NAME "xdp_dispatcher"

/*
 * Puts program @index of @o, which is loaded, into the dispatcher at @ifindex, before all that have
 * a higher priority than 10. @mode: how the dispatcher is to be attached, XDP_AUTO for any;
 * *ret_mode: how it is. *ret_map: the caller's.
 */
int xdp_dispatcher_join(uint32_t ifindex, const struct object *o, size_t index, enum xdp_mode mode,
			int *ret_map, enum xdp_mode *ret_mode, struct error *e);

/* Whether @fd is of such a map. */
bool xdp_dispatcher_is_map(int fd);

/* How the dispatcher at @ifindex that has the map of @map_fd is attached, into *ret; -ENOENT where
 * none has it. */
int xdp_dispatcher_find(uint32_t ifindex, int map_fd, enum xdp_mode *ret);

/* Puts another program in the place of the one of @map_fd, for the next packet. -EINVAL where the
 * kernel lets it not be gone on to. */
int xdp_dispatcher_swap(int map_fd, const struct object *o, size_t index);

/* Takes what has the map of @map_fd out of the dispatcher at @ifindex; that none has it is no
 * error. */
int xdp_dispatcher_leave(uint32_t ifindex, int map_fd, struct error *e);

/* Lets nothing be gone on to from the map of @map_fd, so that packets pass; false when it is none
 * of these. By itself it would come to that a moment after its last pin is gone. */
bool xdp_dispatcher_empty(int map_fd);

/* Takes out of all dispatchers what a process left there that was killed: ours, with an empty map;
 * adds how many to *removed. */
int xdp_dispatcher_sweep(unsigned *removed, struct error *e);
