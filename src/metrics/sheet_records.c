// SPDX-License-Identifier: MIT
/* Records one by one, shown as the entries of a map are. */
#include <errno.h>

#include "metrics/sheet_state.h"

int sheet_answer_records(struct sheet *s, const struct sheet_question *q, size_t count,
			 struct sheet_record (*at)(const void *ctx, size_t index), const void *ctx,
			 struct buf *out, struct error *e)
{
	_cleanup_(reading_free) struct reading r = {.sheet = s};
	struct sheet_query query;
	bool any = false;
	int err = sheet_query_build(s, q, &query, e);

	if (err)
		return err;
	r.query = &query;
	if (!buf_reserve(&r.texts, 1))
		return error_set(e, -ENOMEM, "no memory");
	sheet_write_columns(out, s, &query);
	buf_add_str(out, ",\"rows\":[");
	for (size_t i = 0; i < count; i++) {
		struct sheet_record record = at(ctx, i);

		if (!reading_decode(&r, NULL, record.data) ||
		    !sheet_query_fits(s, &query, r.columns))
			continue;
		if (any)
			buf_add_char(out, ',');
		sheet_write_record(out, &r, record.data, record.time);
		any = true;
	}
	buf_printf(out, "],\"undecodable\":%llu", (unsigned long long)r.errors);
	return buf_ok(out) && buf_ok(&r.texts) ? 0 : error_set(e, -ENOMEM, "no memory");
}
