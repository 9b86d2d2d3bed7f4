/* SPDX-License-Identifier: MIT */
/* Arguments that are filters of a table or of records. */
#pragma once

#include "control/operation.h"
#include "metrics/sheet.h"

/* What they are, for struct operation. */
#define FILTERS_TAKE                                                                               \
	"filters: address, port, process, interface, or where.COLUMN, each with a text as on the " \
	"command line"

/* Those of @c that its row does not name, into @to, which has room for ARGUMENTS_MAX; how many
 * there are. "where.port": a column by its name. */
size_t filters_take(const struct operation_call *c, struct sheet_filter *to);
