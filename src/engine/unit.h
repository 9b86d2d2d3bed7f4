/* SPDX-License-Identifier: MIT */
/*
 * A unit: one plan in the kernel. Its object is loaded, its programs are attached, its maps have
 * collectors.
 *
 *	unit_load → unit_start → unit_take_over → unit_link_event … → unit_free
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "base/error.h"
#include "decode/decoder.h"
#include "engine/events.h"
#include "engine/hook.h"
#include "engine/plan.h"
#include "kernel/cgroups.h"
#include "kernel/links.h"
#include "kernel/object.h"
#include "kernel/tc.h"
#include "metrics/collector.h"

struct netspaces;
struct pins;

/* What a unit needs of the one who runs it; outlives all units. */
struct unit_env {
	struct links *links;
	struct netspaces *spaces;
	struct decode_env decode;
	const char *btf_path;           /* NULL: the running kernel's */
	enum tc_mechanism tc_mechanism; /* TC_AUTO, or what the user insists on */
	struct pins *pins;              /* what outlives the daemon is in it; NULL: nothing does */
	char *pins_error;               /* why that is so, where something should */
	int parts_fd;                   /* parts_open() */
	bool strict;                    /* one program that cannot run fails its unit */
	bool defer;                     /* programs may be loaded later: privileges stay */
	bool bpf_takes_capability;      /* bpf(2), whatever it is about: before Linux 5.19 */
	bool tc_uses_filters;           /* clsact, not TCX */
	bool tryout;                    /* units end at once: nothing but their programs runs */
};

struct unit_program {
	struct program_info info;
	struct probe *probe; /* that has it in one of its ways; NULL */
	bool has_row;        /* of `attach:`, also when that is switched off */
	bool deferred;       /* loaded with the first device without a link layer; deferred.h */
	char *error;         /* why it could not be loaded, or goes nowhere; NULL */
};

/* A program and where it goes: a row of `attach:`, or what SEC() says. */
struct placement {
	struct attach_config row; /* its texts are the config's or, out of SEC(), `argument` */
	char *argument;
	size_t program;         /* index into unit->programs */
	struct strv interfaces; /* globs, options put in */
	struct strv netns;      /* likewise, of network namespaces, and files of such */
	struct attachment *attachments;
	size_t n_attachments;
	uint64_t ran_ns; /* iterators: when, CLOCK_MONOTONIC */
	bool marked;     /* a probe of post_attach_mark() that has run */
	bool in_slices;  /* of a sampled probe: what is attached is for slices.c alone to know */
	unsigned failed; /* places where it could not be attached */
	char *error;     /* the last of these failures; NULL */
};

/* Of a unit that outlives the daemon: persistence.h. */
struct persistence {
	struct former_map *former; /* maps from before that still have to be copied */
	size_t n_former;
	struct strv held; /* pins of links that the unit did not get, and leaves */
	bool adopted;     /* what was learnt before is in the maps */
	bool pinned;
	char *error; /* why it, or one of its maps, cannot be pinned; NULL */
};

struct unit {
	struct plan *plan; /* owned */
	const struct unit_env *env;
	const struct unit *predecessor; /* that runs while this one is made; else NULL */
	struct persistence persistence;
	struct object *object;
	struct unit_program *programs;
	size_t n_programs;
	struct probe *probes; /* probe.h */
	size_t n_probes;
	struct slices *slices; /* slices.h; NULL before the start */
	uint64_t attached_ns;  /* since when all probes are attached that are not sampled */
	struct placement *placements;
	size_t n_placements;
	int interface_ids_fd;           /* interface_ids.h; -1 */
	uint64_t interface_ids_logged;  /* log_due() */
	struct cgroup_map *cgroup_maps; /* cgroup_map.h */
	size_t n_cgroup_maps;
	struct collector **collectors;
	size_t n_collectors;
	struct record_stream *streams; /* records.h */
	size_t n_streams;
	struct unit_sheet *sheets; /* sheets.h */
	size_t n_sheets;
	struct events *events;      /* NULL without metrics that come as events */
	struct running_part *parts; /* part.h */
	_Atomic uint64_t decode_errors;
	_Atomic uint64_t read_errors;
	uint64_t read_error_logged; /* log_due() */
};

/*
 * Takes over @plan in any case. @predecessor: the unit of that name which runs, or NULL. What is
 * wrong with the configs for this object goes to @report at its place, and e->text says so in a
 * sentence; all else is in @e alone. A program that the kernel does not take is left out, logged
 * and shown, unless env->strict or it is the last.
 */
int unit_load(struct plan *plan, const struct unit_env *env, const struct unit *predecessor,
	      struct report *report, struct unit **ret, struct error *e);

/*
 * Attaches what is at no interface. A program that cannot be attached is logged and shown; only
 * with env->strict does it fail the unit. The interfaces come after that, by unit_link_event().
 */
int unit_start(struct unit *u, struct error *e);

/* Where @predecessor has a program of the same name at an interface that @u wants as well, the
 * program of @u replaces it there and the attachment is @u's: no packet passes unseen between the
 * two. */
void unit_take_over(struct unit *u, struct unit *predecessor);

/* Whether programs wait for post_attach_mark() to be called; and after it was: they run once, so
 * they are detached. Another daemon's call would run them too. */
bool unit_waits_for_mark(const struct unit *u);
void unit_was_marked(struct unit *u);

/* Detaches what others could not be attached beside. For a unit that was taken over and will be
 * freed, before its successors attach. */
void unit_make_room(struct unit *u);

/* Detaches and unloads. */
void unit_free(struct unit *u);

/* Whether a program of @u is sent to interfaces in the network namespace of @inode, whose name is
 * @name. */
bool unit_wants_netns(const struct unit *u, uint64_t inode, const char *name);

/* An interface came, went or was renamed: attach or detach what follows it. */
void unit_link_event(struct unit *u, enum link_event event, const struct link_info *link);

/* Whether @u has programs for interfaces, and none of those that are there is chosen: appends what
 * was to choose them, "kind:physical, !eth9". */
bool unit_is_nowhere(const struct unit *u, struct buf *choice);

/* Calls @fn for each interface that a program of @u is at. */
void unit_each_place(const struct unit *u, void (*fn)(void *ctx, const struct attachment *at),
		     void *ctx);

/* A cgroup came or went: the maps that tell programs of it follow. */
void unit_cgroup_event(struct unit *u, enum cgroup_event event, const struct cgroup_info *group);

/* Reads all maps. A map that cannot be read is counted, logged now and then, and shows nothing. */
void unit_read(struct unit *u);

/* Counts that something could not be read, and logs it now and then. */
void unit_note_read_error(struct unit *u, const struct error *e);

/* Why a program could not be attached somewhere, the last such time; NULL when all is well. */
const char *unit_attach_error(const struct unit *u);

/* Whether program @index is where it should be: 1; nowhere though it should be: 0; there is nothing
 * to attach it to: -1. */
int unit_program_attached(const struct unit *u, size_t index);

/* What of the object @option sets, NULL for none; and setting it: @values, which fit @option, go
 * into its variable and its map's size. @option is one of @c; before the object is loaded. */
const struct text *unit_option_target(const struct option_config *option);
int unit_set_option(struct object *o, const struct config *c, const struct option_config *option,
		    const struct strv *values, struct error *e);

/* Tells that the object @o has no map @name, and which it has. Gives back -EINVAL. */
int unit_report_missing_map(const struct object *o, const struct config *config,
			    const struct text *name, struct report *report);

/* Check all configs of @p against their object, without the kernel; as unit_check_file(). */
int unit_check_plan(const struct plan *p, struct report *report);

/*
 * Check the config file @path without the kernel: its language, its decoders and, where its object
 * lies beside it, the maps and programs that it names. What is wrong goes to @report: -EINVAL then.
 */
int unit_check_file(const char *path, struct report *report);
