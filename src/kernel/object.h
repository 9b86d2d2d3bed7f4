/* SPDX-License-Identifier: MIT */
/*
 * A BPF object file, from bytes to attached programs:
 *
 *	object_open → object_set_…, object_set_autoload → object_load → object_attach → object_close
 *
 * libbpf is behind this and nothing above sees it. Its messages go to the log at debug level; those
 * of a failure go into the error as well, the verifier's last lines among them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct object; /* opaque */

/* The state of one program of an object; strings live as long as the object. */
struct program_info {
	const char *name;
	const char *section;  /* as in SEC(), without the '?' */
	uint32_t type;        /* enum bpf_prog_type */
	uint32_t attach_type; /* enum bpf_attach_type that it is loaded for */
	bool on_request;      /* SEC("?…"): not loaded unless asked for */
	int fd;               /* -1 before load, and where it was not loaded */
	uint32_t id;          /* the kernel's, after load */
	char tag[17];         /* hex of the kernel's 8 bytes */
	bool loaded;
};

/* Where a map's value is many entries: which they are, and what the map itself has. */
struct map_rows {
	uint32_t count; /* in a value; 0: an entry of the map is one */
	uint32_t offset;
	uint32_t map_key_size;
	uint32_t map_value_size;
	uint32_t map_max_entries;
};

struct map_info {
	const char *name;
	int fd;
	uint32_t type; /* enum bpf_map_type */
	uint32_t key_size;
	uint32_t value_size;
	uint32_t max_entries;
	bool per_cpu;
	struct map_rows rows; /* with a count, the sizes above are of a row, whose first bytes are
				 its key */
};

/* Run counters of a program (kernel.bpf_stats_enabled), summed over CPUs. */
struct program_stats {
	uint64_t run_time_ns;
	uint64_t run_count;
};

/*
 * @data need not outlive the call. @btf_path: kernel BTF to use instead of /sys/kernel/btf/vmlinux,
 * or NULL. Errors name what the host lacks (BTF), or what about the object cannot be read.
 */
int object_open(const char *name, const void *data, size_t size, const char *btf_path,
		struct object **ret, struct error *e);
void object_close(struct object *o);

/*
 * Before load: set the `const volatile` variable @variable. -ENOENT when the object has none of
 * that name; -ERANGE when @value does not fit its size.
 */
int object_set_rodata_uint(struct object *o, const char *variable, uint64_t value, struct error *e);
int object_set_rodata_string(struct object *o, const char *variable, const char *value,
			     struct error *e);
int object_set_rodata_uints(struct object *o, const char *variable, const uint64_t *values,
			    size_t count, struct error *e);

/* Before load: whether @program is loaded. -ENOENT when there is none of that name. */
int object_set_autoload(struct object *o, const char *program, bool load);

/* Before load: the maps are those of @of, which is loaded and of the same file, with what is in
 * them. They live on with either of the two. */
int object_share_maps(struct object *o, const struct object *of, struct error *e);

/* How a map that is there already suits one of an object that is not loaded yet. */
enum map_fit {
	MAP_FITS,       /* it can be that map */
	MAP_OTHER_SIZE, /* the same entries, room for more or fewer, or stored otherwise */
	MAP_OTHER_KIND, /* of another type, or its keys or values are not as long */
};

/* Before load: how the map of descriptor @fd suits the one called @name, and what it is. -ENOENT
 * when there is no map of that name; another negative errno when @fd is no map. */
int object_compare_map(const struct object *o, const char *name, int fd, struct map_info *ret_info,
		       enum map_fit *ret);

/* Before load: the map @name is that of @fd, with what is in it. @fd stays the caller's. */
int object_reuse_map(struct object *o, const char *name, int fd, struct error *e);

/* True, with the reason in @e, for a program that no kernel could load as it is. */
bool object_refuses(const struct object *o, size_t index, struct error *e);

/* After a failure the object can only be closed. */
int object_load(struct object *o, struct error *e);

/* The program that made object_load() fail; -1 when it was not one of them. */
int object_failed_program(const struct object *o);

size_t object_program_count(const struct object *o);
/* 0 … count - 1, in the order of the file. */
void object_program(const struct object *o, size_t index, struct program_info *ret);

/* -ENOENT when there is none of that name. */
int object_find_program(const struct object *o, const char *name, struct program_info *ret);

/* Which of the kernel's helpers the code of program @index calls, before load: bit n of *ret is
 * BPF_FUNC_… n. What it calls in functions of its own that are not inlined is not among them. */
#define OBJECT_HELPERS_MAX 256
struct object_helpers {
	uint64_t bits[OBJECT_HELPERS_MAX / 64];
};
void object_program_helpers(const struct object *o, size_t index, struct object_helpers *ret);

/* True for a SEC() that says where its program goes (tp_btf/…, kprobe/…), so that object_attach()
 * can, unless object_refuses() it; false for those that need an interface or a manifest's `attach:`
 * (tc, xdp, cgroup …). */
bool object_section_says_where(const char *section);

/* Attach program @index where its SEC() says, until object_detach() or object_close(). */
int object_attach(struct object *o, size_t index, struct error *e);
void object_detach(struct object *o, size_t index);

/*
 * After load: loads the code of program @index once more, with @flags (BPF_F_…) and for
 * @attach_type, where a place asks for others than it has. A descriptor, or a negative errno.
 */
int object_load_copy(const struct object *o, size_t index, uint32_t flags, uint32_t attach_type);

/* -ENOENT when there is no map of that name. */
int object_find_map(const struct object *o, const char *name, struct map_info *ret);

/* Before load: makes room for @entries in the map @name. -ENOENT when the object has none. */
int object_set_max_entries(struct object *o, const char *name, uint32_t entries, struct error *e);

/* All maps but libbpf's own (.rodata, .bss …); index from 0; false past the end. */
bool object_map(const struct object *o, size_t index, struct map_info *ret);

int program_stats_read(int prog_fd, struct program_stats *ret);

/* Send libbpf's own messages to the log: debug level shows them all. Once, at the start. */
void object_log_setup(void);
