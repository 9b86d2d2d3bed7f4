/* SPDX-License-Identifier: MIT */
/* Findings: what was found out about this host, one thing each. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/macro.h"
#include "base/strv.h"

enum finding_group {
	FINDING_KERNEL,
	FINDING_PRIVILEGES,
	FINDING_FILE_SYSTEMS,
	FINDING_NETWORKING,
	FINDING_INTERFACES,
	FINDING_MODULES,
	FINDING_GROUPS
};

enum finding_state {
	FINDING_OK,       /* tried, and it works */
	FINDING_DEGRADED, /* it works, and something is lost: the text says what */
	FINDING_MISSING,  /* tried, and it does not work */
	FINDING_UNTRIED,  /* whoever asks may not even try */
	FINDING_STATES
};

struct finding {
	enum finding_group group;
	enum finding_state state;
	char *id;          /* for programs, and the same for ever: "program.kprobe" */
	char *family;      /* those of one are told in one line while they are well; NULL */
	char *name;        /* for people */
	char *text;        /* what was found; never NULL */
	char *advice;      /* what to do, often a command; NULL */
	bool needed;       /* what is to run here cannot do without */
	struct strv users; /* modules that would use it */
	unsigned rank;     /* within its group, lower first */
};

struct findings {
	struct finding **items;
	size_t count;
	bool failed; /* no memory: they are not all there */
};

/* A new finding, FINDING_OK until something else is said of it; never NULL: without memory it is
 * one that is thrown away, and f->failed. */
struct finding *findings_add(struct findings *f, enum finding_group group, const char *id,
			     const char *name);
void findings_free(struct findings *f);

/* By group and rank; those that are alike stay in their order. */
void findings_sort(struct findings *f);

/* How it stands, and what was found. */
void finding_set(struct finding *f, enum finding_state state, const char *fmt, ...)
	PRINTF_LIKE(3, 4);
void finding_advise(struct finding *f, const char *fmt, ...) PRINTF_LIKE(2, 3);
void finding_set_family(struct finding *f, const char *family);

/* "kernel", "privileges", "file systems" …; "ok", "degraded", "missing", "not tried" */
const char *finding_group_name(enum finding_group group);
const char *finding_state_name(enum finding_state state);
