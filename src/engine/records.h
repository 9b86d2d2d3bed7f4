/* SPDX-License-Identifier: MIT */
/*
 * Records that people look at as they come: `records:` of a config.
 *
 *	program ──► ring buffer ──► the last few thousand, numbered ──► whoever asks for what came
 *	   ▲                                                            after the one they saw last
 *	   └── MAP_wanted: 1 while somebody asks
 *
 * Nothing is read, and the programs send nothing, while nobody has asked for a few seconds. While
 * somebody asks, iterators of the same object run every second, as they may have records to send.
 */
#pragma once

#include "engine/agent.h"
#include "metrics/sheet.h"

struct record_stream; /* opaque */

/* Makes those of @u that are on, when its object is loaded. What is wrong goes to @report. */
int records_build(struct unit *u, struct report *report);
void records_free(struct unit *u);

/* The same against the object of a config that is only checked. */
int records_check(const struct config *c, const struct object *o, struct report *report);

/*
 * Writes one JSON object to @out: `next`, to be @after the next time (0: the first time, which
 * begins with what comes from now on), `lost`: how many found the buffer full since the start of
 * the programs, `skipped`: how many were forgotten before this question came; columns, and as rows
 * the records that fit the filters of @q. q->end: nobody will ask soon. Any thread, one at a time.
 */
int records_answer(struct agent *a, const char *module, const char *name, uint64_t after,
		   const struct sheet_question *q, struct buf *out, struct error *e);

/* A descriptor that is readable while records are wanted, now and then: records_tick() then. */
int records_timer_open(void);
void records_tick(struct agent *a);
