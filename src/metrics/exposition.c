// SPDX-License-Identifier: MIT
#include "metrics/exposition.h"

void exposition_render(const struct exposition *x, const struct family *const *families,
		       size_t count, struct buf *out)
{
	for (size_t i = 0; i < count; i++) {
		x->begin_family(out, families[i]);
		families[i]->samples(families[i], x, out);
	}
	x->end(out);
}
