/* SPDX-License-Identifier: MIT */
/* Arguments that are filters of a table or of records. */
#pragma once

#include "control/arguments.h"
#include "metrics/sheet.h"

/* Every argument that has no other meaning, into @to, which has room for ARGUMENTS_MAX; how many
 * there are. "where.port": a column by its name. */
size_t filters_take(const struct arguments *a, struct sheet_filter *to);
