// SPDX-License-Identifier: MIT
/* Files of lists, which others make. */
#include "fuzz.h"

#include <assert.h>
#include <string.h>

/* A module exports nothing to test it by. NOLINTBEGIN(bugprone-suspicious-include) */
#include "guard_lists.c"
#include "guard_prefix.c"
/* NOLINTEND(bugprone-suspicious-include) */

/* What was read, written in the usual way, is read as the same; and is what its entry says. */
static void check_item(const struct guard_item *item)
{
	const struct guard_entry entry = guard_item_entry(item);
	uint8_t by[GUARD_LISTS];
	char text[GUARD_PREFIX_TEXT];
	struct guard_prefix again;

	guard_prefix_print(&item->prefix, text);
	assert(guard_prefix_parse(text, &again));
	assert(memcmp(&again, &item->prefix, sizeof(again)) == 0);
	guard_item_of_entry(&entry, by);
	assert(memcmp(by, item->by, sizeof(by)) == 0);
	assert(guard_entry_length(&entry) == item->prefix.prefixlen);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_guard_items_ struct guard_items items = {0};
	_cleanup_buf_ struct buf text = {0};
	struct guard_mistakes mistakes = {0};
	struct error error;

	buf_add(&text, data, size);
	assert(!guard_list_read_text(&items, &text, "list", GUARD_BLOCK_LIST, &mistakes, &error));
	guard_list_settle(&items);
	for (size_t i = 0; i < items.count; i++) {
		check_item(&items.items[i]);
		assert(i == 0 || compare(&items.items[i - 1], &items.items[i]) < 0);
		assert(guard_list_find(&items, &items.items[i].prefix) == &items.items[i]);
	}
	assert(utf8_is_valid(buf_str(&mistakes.lines), mistakes.lines.len));
	buf_free(&mistakes.lines);
	return 0;
}
