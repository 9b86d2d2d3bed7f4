// SPDX-License-Identifier: MIT
/* The head of a request and its body, as they arrive in pieces. */
#include "fuzz.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/macro.h"
#include "http/body.h"

/* What is found must not depend on how the bytes were cut. */
static unsigned find_end(const char *data, size_t size, size_t step, size_t *ret)
{
	size_t scanned = 0, have = 0;
	unsigned status;

	do {
		have = MIN(have + step, size);
		status = head_find_end(data, have, &scanned, ret);
	} while (!status && *ret == 0 && have < size);
	return status;
}

static void check_fields(const struct head *h, size_t len)
{
	assert(h->method && h->path);
	for (size_t i = 0; i < h->n_fields; i++) {
		const char *name = h->text + h->fields[i].name;
		const char *value = h->text + h->fields[i].value;

		assert(*name && value + strlen(value) <= h->text + len);
		assert(!strpbrk(value, "\r\n"));
		assert(head_find(h, name));
	}
}

static void read_body(const struct head *h, const char *data, size_t size, size_t step)
{
	size_t at = 0, used, content, kept = 0;
	struct body b;

	if (body_begin(&b, h))
		return;
	while (at < size && b.state != BODY_DONE) {
		if (body_take(&b, data + at, MIN(step, size - at), &used, &content))
			return;
		assert(used && used <= MIN(step, size - at) && content <= used);
		at += used;
		kept += content;
	}
	assert(kept == b.content && kept <= BODY_MAX);
	assert(!h->has_length || kept <= h->content_length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const size_t step = size ? data[0] % 7 + 1 : 1;
	_cleanup_free_ char *text = malloc(size + 1);
	size_t len, len_at_once;
	struct head head;
	unsigned status;

	memcpy(text, data, size);
	status = find_end(text, size, step, &len);
	assert(status == find_end(text, size, MAX(size, (size_t)1), &len_at_once));
	assert(len == len_at_once && len <= MIN(size, (size_t)HEAD_MAX));
	if (status || len == 0 || head_parse(text, len, &head))
		return 0;
	check_fields(&head, len);
	read_body(&head, text + len, size - len, step);
	return 0;
}
