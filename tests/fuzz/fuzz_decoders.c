// SPDX-License-Identifier: MIT
/*
 * A chain of decoders over the bytes of a key, which a program of anybody's may have written:
 *
 *	names of the decoders, with blanks between them; any other word stands for one of them
 *	a pattern, for those that take one
 *	the key, to the end
 */
#include "fuzz.h"

#include <assert.h>
#include <bpf/btf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "base/utf8.h"
#include "decode/decoder.h"
#include "decode/hostnames.h"
#include "kernel/cgroups.h"
#include "kernel/ksyms.h"
#include "kernel/links.h"

enum { MOST_STEPS = 4, MOST_KEY = 512 };

static struct mapping_row rows[] = {{.from = "0", .to = "zero"}, {.from = "a", .to = "\xff"}};

/* Enums of a kernel that has only these: reading a real one's takes too long here. */
static char *make_btf(void)
{
	struct btf *btf = btf__new_empty();
	int fd = memfd_create("btf", 0);
	const void *data;
	char *path = NULL;
	uint32_t size;

	btf__add_enum(btf, "fuzz", 4);
	btf__add_enum_value(btf, "FUZZ_ONE", 1);
	btf__add_enum_value(btf, "FUZZ_LESS", -1);
	data = btf__raw_data(btf, &size);
	if (write(fd, data, size) != (ssize_t)size || asprintf(&path, "/proc/self/fd/%d", fd) < 0)
		abort();
	btf__free(btf);
	return path;
}

/* This host, opened once: what a decoder says of it may be anything. */
static const struct decode_env *host(void)
{
	static struct decode_env env;
	static struct links *links;

	if (links)
		return &env;
	if (links_open(&links, NULL) || ksyms_new(&env.ksyms) || cgroups_new(&env.cgroups) ||
	    hostnames_new(make_btf(), &env.host))
		abort();
	env.links = links;
	return &env;
}

/* Takes a line off @data, terminated. */
static char *take_line(const uint8_t **data, size_t *size)
{
	const uint8_t *end = *size ? memchr(*data, '\n', *size) : NULL;
	size_t len = end ? (size_t)(end - *data) : *size;
	char *line = calloc(1, len + 1);

	if (len)
		memcpy(line, *data, len);
	*data += len + (end != NULL);
	*size -= len + (end != NULL);
	return line;
}

static const struct decoder *choose(const char *word)
{
	const struct decoder *d = decoder_find(word);
	size_t count = 0, sum = 0;

	while (decoder_at(count))
		count++;
	assert(count > 0);
	for (; *word; word++)
		sum = sum * 31 + (unsigned char)*word;
	return d ? d : decoder_at(sum % MAX(count, (size_t)1));
}

static void set_parameters(struct decoder_config *c, const struct decoder *d, struct text *pattern)
{
	size_t sum = strlen(pattern->text);

	c->name.text = (char *)d->name;
	if (d->parameters & DECODER_PARAM_STATIC_MAP) {
		c->has_static_map = true;
		c->static_map.items = rows;
		c->static_map.count = ARRAY_SIZE(rows);
		c->allow_unknown = sum % 2;
	}
	if (d->parameters & DECODER_PARAM_REGEXPS)
		c->regexps = (struct text_list){pattern, 1};
	if (d->parameters & DECODER_PARAM_BTF_ENUM)
		c->btf_enum.text = "fuzz";
	if (d->parameters & DECODER_PARAM_PREFIX) {
		c->has_prefix = c->has_prefix6 = true;
		c->prefix = sum % 33;
		c->prefix6 = sum % 129;
	}
	if (d->parameters & DECODER_PARAM_PROTOCOL) {
		c->has_protocol = true;
		c->protocol = sum % (PROTOCOL_DCCP + 1);
	}
}

/* Twice the same, and always text that Prometheus takes. */
static void run(const struct label_decoder *d, const void *key)
{
	struct decode_scratch scratch = {0}, again = {0};
	struct decoded text = {0}, other = {0};
	int result = label_decoder_run(d, host(), key, &scratch, &text);
	int repeated = label_decoder_run(d, host(), key, &again, &other);

	assert(result <= DECODE_DROP);
	assert(repeated == result);
	if (result == DECODE_OK || result == DECODE_UNKNOWN) {
		assert(utf8_is_valid(text.text, text.len));
		assert(text.len == other.len && memcmp(text.text, other.text, text.len) == 0);
	}
	decode_scratch_free(&scratch);
	decode_scratch_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *words = take_line(&data, &size);
	_cleanup_free_ char *line = take_line(&data, &size);
	_cleanup_report_ struct report report = {0};
	struct decoder_config steps[MOST_STEPS] = {0};
	struct text pattern = {.text = line};
	const struct source source = {.name = "fuzz", .text = line, .len = strlen(line)};
	struct label_config label = {.name.text = "l", .decoders.items = steps};
	struct label_decoder d;
	char *rest;

	if (size == 0 || size > MOST_KEY || !utf8_is_valid(line, strlen(line)))
		return 0;
	label.size = (uint32_t)size;
	for (char *word = strtok_r(words, " ", &rest); word && label.decoders.count < MOST_STEPS;
	     word = strtok_r(NULL, " ", &rest))
		set_parameters(&steps[label.decoders.count++], choose(word), &pattern);
	if (label.decoders.count == 0)
		return 0;
	if (label_decoder_build(&d, &label, host(), &source, &report) == 0) {
		run(&d, data);
		label_decoder_free(&d);
	} else {
		assert(report.errors > 0);
	}
	return 0;
}
