// SPDX-License-Identifier: MIT
#include <xxhash.h>

#include "config/yaml.h"

/* What an alias stands for comes before it in the text: its meaning is known, or it is inside of
 * itself, which binding refuses. */
void node_take_meaning(struct node *n)
{
	const uint32_t form[] = {n->kind, n->plain};
	XXH3_state_t state;
	XXH128_hash_t hash;

	XXH3_128bits_reset(&state);
	XXH3_128bits_update(&state, form, sizeof(form));
	if (n->kind == NODE_SCALAR)
		XXH3_128bits_update(&state, n->text, n->len);
	if (n->kind == NODE_ALIAS)
		XXH3_128bits_update(&state, n->target->meaning, sizeof(n->target->meaning));
	for (struct node *child = n->first; child; child = child->next) {
		node_take_meaning(child);
		XXH3_128bits_update(&state, child->meaning, sizeof(child->meaning));
	}
	hash = XXH3_128bits_digest(&state);
	n->meaning[0] = hash.low64;
	n->meaning[1] = hash.high64;
}
