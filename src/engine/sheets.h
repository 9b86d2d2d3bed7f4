/* SPDX-License-Identifier: MIT */
/* What people are shown of the maps of the units: `tables:` of their configs. */
#pragma once

#include "engine/agent.h"
#include "metrics/sheet.h"

/* The table of a module. */
struct unit_sheet {
	const struct module *module;
	struct sheet *sheet;
};

/* Makes the tables of @u that are on, when its collectors are there. What is wrong goes to
 * @report. */
int sheets_build(struct unit *u, struct report *report);
void sheets_free(struct unit *u);

/* The same against the object of a config that is only checked. */
int sheets_check(const struct config *c, const struct object *o, struct report *report);

/*
 * Answers @q about table @table of module @module, NULL: its main one, into @out as sheet_answer()
 * does. Any thread, but one question at a time. A table that is not there is told with what to do.
 */
int sheets_answer(struct agent *a, const char *module, const char *table,
		  const struct sheet_question *q, struct buf *out, struct error *e);

/* At each scrape: forgets who has not come back. */
void sheets_expire(struct agent *a);
