// SPDX-License-Identifier: MIT
#include "metrics/exposition.h"

const struct exposition *const expositions[EXPOSITION_FORMATS] = {
	[EXPOSITION_TEXT] = &exposition_text,
	[EXPOSITION_OPENMETRICS] = &exposition_openmetrics,
	[EXPOSITION_PROTOBUF] = &exposition_protobuf,
};

static void render_family(const struct exposition *x, const struct family_list *all, size_t index,
			  struct buf *out)
{
	const struct family *f = all->items[index];
	size_t begin = out->len, first_sample;

	x->begin_family(out, all, index);
	first_sample = out->len;
	f->samples(f, x, out);
	if (out->len == first_sample)
		out->len = begin;
	else if (x->end_family && buf_ok(out))
		x->end_family(out, begin);
}

void exposition_render(const struct exposition *x, struct family_list families, struct buf *out)
{
	for (size_t i = 0; i < families.count; i++)
		render_family(x, &families, i, out);
	if (x->end)
		x->end(out);
}
