// SPDX-License-Identifier: MIT
#include "kernel/xdp_dispatcher.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/macro.h"
#include "kernel/libbpf_log.h"
#include "kernel/libxdp.h"
#include "kernel/xdp_entry.h"

enum {
	RUN_PRIORITY = 10, /* a filter's: that of xdp-filter(8); libxdp's default is 50 */
	PROGRAMS_MAX = 10, /* MAX_DISPATCHER_ACTIONS of <xdp/prog_dispatcher.h> */
};

static const uint32_t slot; /* of the map, which has one */

/* ---- what is there ---- */

struct dispatcher {
	const struct libxdp *lib;
	struct xdp_multiprog *programs;
	uint32_t ifindex;
	int mode; /* enum libxdp_mode */
};

static int open_dispatcher(uint32_t ifindex, struct dispatcher *ret, struct error *e)
{
	const struct libxdp *lib = libxdp_load(e);
	struct xdp_multiprog *programs;
	int err;

	if (!lib)
		return -EOPNOTSUPP;
	libxdp_forget();
	programs = lib->dispatcher_of((int)ifindex);
	err = programs ? (int)lib->get_error(programs) : -ENOENT;
	if (err) {
		libxdp_error(err, e);
		return err;
	}
	*ret = (struct dispatcher){.lib = lib,
				   .programs = programs,
				   .ifindex = ifindex,
				   .mode = lib->dispatcher_mode(programs)};
	return 0;
}

static void close_dispatcher(struct dispatcher *d)
{
	if (d->programs)
		d->lib->close_dispatcher(d->programs);
}

#define _cleanup_dispatcher_ _cleanup_(close_dispatcher)

/* The id of the map of the program of @fd, if that is ours; else 0. */
static uint32_t map_of_entry(int fd)
{
	uint32_t map_id = 0, size = sizeof(struct bpf_prog_info);
	struct bpf_prog_info info = {.nr_map_ids = 1, .map_ids = (uintptr_t)&map_id};

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size))
		return 0;
	return STREQ(info.name, XDP_ENTRY_PROGRAM) ? map_id : 0;
}

/* 0: it is none of ours, or a link. */
static uint32_t id_of_map(int fd)
{
	struct bpf_map_info info = {};
	uint32_t size = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &size))
		return 0;
	if (info.type != BPF_MAP_TYPE_PROG_ARRAY || !STREQ(info.name, XDP_ENTRY_MAP))
		return 0;
	return info.id;
}

bool xdp_dispatcher_is_map(int fd)
{
	return id_of_map(fd);
}

/* The program that has the map @id; it goes with the dispatcher. */
static struct xdp_program *find_entry(const struct dispatcher *d, uint32_t id)
{
	struct xdp_program *p = NULL;

	while ((p = d->lib->next_program(p, d->programs))) {
		if (id && map_of_entry(d->lib->program_fd(p)) == id)
			return p;
	}
	return NULL;
}

static int remove_entry(const struct dispatcher *d, struct xdp_program *p, struct error *e)
{
	int err;

	libxdp_forget();
	err = d->lib->detach(p, (int)d->ifindex, d->mode, 0);
	if (err)
		libxdp_error(err, e);
	return err;
}

static enum xdp_mode mode_of(const struct dispatcher *d)
{
	return d->mode == LIBXDP_GENERIC ? XDP_GENERIC : XDP_NATIVE;
}

int xdp_dispatcher_find(uint32_t ifindex, int map_fd, enum xdp_mode *ret)
{
	_cleanup_dispatcher_ struct dispatcher d = {0};
	struct error ignored;
	int err = open_dispatcher(ifindex, &d, &ignored);

	if (err)
		return err;
	*ret = mode_of(&d);
	return find_entry(&d, id_of_map(map_fd)) ? 0 : -ENOENT;
}

/* ---- going ---- */

int xdp_dispatcher_leave(uint32_t ifindex, int map_fd, struct error *e)
{
	_cleanup_dispatcher_ struct dispatcher d = {0};
	struct xdp_program *entry;
	int err = open_dispatcher(ifindex, &d, e);

	if (err)
		return err == -ENOENT || err == -ENODEV ? 0 : err;
	entry = find_entry(&d, id_of_map(map_fd));
	return entry ? remove_entry(&d, entry, e) : 0;
}

bool xdp_dispatcher_empty(int map_fd)
{
	if (!xdp_dispatcher_is_map(map_fd))
		return false;
	bpf_map_delete_elem(map_fd, &slot);
	return true;
}

static bool is_empty(uint32_t map_id)
{
	_cleanup_close_ int fd = map_id ? bpf_map_get_fd_by_id(map_id) : -1;
	uint32_t program;

	return fd >= 0 && bpf_map_lookup_elem(fd, &slot, &program) == -ENOENT;
}

static struct xdp_program *find_left(const struct dispatcher *d)
{
	struct xdp_program *p = NULL;

	while ((p = d->lib->next_program(p, d->programs))) {
		if (is_empty(map_of_entry(d->lib->program_fd(p))))
			return p;
	}
	return NULL;
}

/* One of those that were left at @ifindex; 1 when there was one. Where libxdp is not there, or does
 * not know the dispatcher, nothing of ours was put into it. */
static int sweep_one(uint32_t ifindex, struct error *e)
{
	_cleanup_dispatcher_ struct dispatcher d = {0};
	struct xdp_program *left;
	int err = open_dispatcher(ifindex, &d, e);

	if (err)
		return err == -ENOENT || err == -ENODEV || err == -EOPNOTSUPP ? 0 : err;
	left = find_left(&d);
	err = left ? remove_entry(&d, left, e) : 0;
	return err ? err : left != NULL;
}

static int sweep(uint32_t ifindex, unsigned *removed, struct error *e)
{
	int err = 1;

	for (unsigned i = 0; err > 0 && i < PROGRAMS_MAX; i++) {
		err = sweep_one(ifindex, e);
		*removed += err > 0;
	}
	return MIN(err, 0);
}

int xdp_dispatcher_sweep(unsigned *removed, struct error *e)
{
	struct if_nameindex *interfaces = if_nameindex();
	int err = 0;

	if (!interfaces)
		return error_set(e, -errno, "cannot list interfaces: %s", error_words(-errno));
	for (struct if_nameindex *i = interfaces; !err && i->if_index; i++) {
		if (xdp_has_dispatcher(i->if_index))
			err = sweep(i->if_index, removed, e);
		if (err)
			error_prefix(e, "%s: libxdp's dispatcher: ", i->if_name);
	}
	if_freenameindex(interfaces);
	return err;
}

/* ---- what is gone on to ---- */

static bool takes_frags(const struct object *o, size_t index)
{
	struct program_info info;

	object_program(o, index, &info);
	return strstr(info.section, ".frags");
}

/*
 * A map goes on to programs of one kind, that of the first that has it: libxdp loads our entry into
 * dispatchers of one buffer or of several, and for no attach type, as far as it can be known.
 */
static const struct kind {
	uint32_t flags;
	uint32_t attach_type;
} kinds[] = {
	{0, 0},
	{0, BPF_XDP},
	{BPF_F_XDP_HAS_FRAGS, 0},
	{BPF_F_XDP_HAS_FRAGS, BPF_XDP},
};

static int put_copy(int map_fd, const struct object *o, size_t index, const struct kind *kind)
{
	_cleanup_close_ int copy = object_load_copy(o, index, kind->flags, kind->attach_type);

	return copy < 0 ? copy : bpf_map_update_elem(map_fd, &slot, &copy, BPF_ANY);
}

/* One that takes packets of one buffer is never told to be more. */
int xdp_dispatcher_swap(int map_fd, const struct object *o, size_t index)
{
	bool frags = takes_frags(o, index);
	int err = -EINVAL;

	for (size_t i = 0; err == -EINVAL && i < ARRAY_SIZE(kinds); i++) {
		if (frags || !kinds[i].flags)
			err = put_copy(map_fd, o, index, &kinds[i]);
	}
	return err;
}

/* ---- coming ---- */

static const char *mode_name(enum xdp_mode mode)
{
	return mode == XDP_GENERIC ? "generic" : "native";
}

/* A dispatcher that libxdp does not know has no programs for it. */
static int check(const struct dispatcher *d, enum xdp_mode mode, struct error *e)
{
	if (!d->lib->next_program(NULL, d->programs))
		return error_set(e, -EOPNOTSUPP, "libxdp does not know what is in it");
	if (mode != XDP_AUTO && mode != mode_of(d))
		return error_set(e, -EBUSY, "it is attached in %s mode, and mode is %s",
				 mode_name(mode_of(d)), mode_name(mode));
	return 0;
}

/* libxdp opens files, with a libbpf that need not be ours. */
static int open_entry(const struct libxdp *lib, bool frags, struct xdp_program **ret,
		      struct error *e)
{
	_cleanup_close_ int fd = memfd_create("xdp_entry", MFD_CLOEXEC);
	char path[32];
	int err;

	if (fd < 0 ||
	    write(fd, xdp_entry_object, xdp_entry_object_size) != (ssize_t)xdp_entry_object_size)
		return error_set(e, -ENOMEM, "no memory for a file");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	*ret = lib->open_file(path, NULL, NULL);
	err = *ret ? (int)lib->get_error(*ret) : -ENOMEM;
	if (err) {
		libxdp_error(err, e);
		return err;
	}
	lib->set_run_prio(*ret, RUN_PRIORITY);
	if (lib->set_frags)
		lib->set_frags(*ret, frags);
	return 0;
}

static int fill_map(const struct dispatcher *d, struct xdp_program *entry, const struct object *o,
		    size_t index, int *ret_map, struct error *e)
{
	_cleanup_close_ int map = bpf_map_get_fd_by_id(map_of_entry(d->lib->program_fd(entry)));
	int err = map < 0 ? map : xdp_dispatcher_swap(map, o, index);

	if (err == -EINVAL)
		return error_set(e, -EOPNOTSUPP,
				 "this kernel lets no program in a dispatcher go on to another");
	if (err)
		return error_set(e, err, "cannot put the program into its map: %s",
				 error_words(err));
	*ret_map = TAKE_FD(map);
	return 0;
}

static int attach(const struct dispatcher *d, struct xdp_program *entry, struct error *e)
{
	_cleanup_libbpf_log_ struct libbpf_log log;
	int err;

	libbpf_log_begin(&log);
	libxdp_forget();
	err = d->lib->attach(entry, (int)d->ifindex, d->mode, 0);
	if (err && libbpf_log_has(&log, "changes packet data, while original does not"))
		return error_set(e, -EOPNOTSUPP,
				 "this kernel takes only a dispatcher of libxdp 1.5.5 or newer");
	if (err)
		libxdp_error(err, e);
	return err;
}

static int add_entry(const struct dispatcher *d, const struct object *o, size_t index, int *ret_map,
		     struct error *e)
{
	struct xdp_program *entry = NULL;
	struct error ignored;
	int err = open_entry(d->lib, takes_frags(o, index), &entry, e);

	if (err)
		return err;
	err = attach(d, entry, e);
	if (!err) {
		err = fill_map(d, entry, o, index, ret_map, e);
		if (err)
			remove_entry(d, entry, &ignored);
	}
	d->lib->close_program(entry);
	return err;
}

int xdp_dispatcher_join(uint32_t ifindex, const struct object *o, size_t index, enum xdp_mode mode,
			int *ret_map, enum xdp_mode *ret_mode, struct error *e)
{
	_cleanup_dispatcher_ struct dispatcher d = {0};
	unsigned removed = 0;
	int err = sweep(ifindex, &removed, e);

	if (!err)
		err = open_dispatcher(ifindex, &d, e);
	if (!err)
		err = check(&d, mode, e);
	if (!err)
		err = add_entry(&d, o, index, ret_map, e);
	if (!err)
		*ret_mode = mode_of(&d);
	return err;
}
