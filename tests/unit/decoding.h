/* SPDX-License-Identifier: MIT */
/* For tests of decoders: chains as rows, run over bytes. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "config_text.h"
#include "decode/decoder.h"

#define UINT     "{name: uint}"
#define BYTES(s) s, sizeof(s) - 1
#define TEXT(s)  "[{name: string}, " s "]"

struct decoding {
	const char *decoders; /* YAML flow sequence */
	const char *in;
	uint32_t size;
	int result; /* enum decode_result, or a negative errno */
	const char *out;
};

/* Gives the config of one label with these decoders. */
static inline struct config *decoding_config(uint32_t size, const char *decoders)
{
	_cleanup_buf_ struct buf yaml = {0};

	buf_printf(&yaml,
		   "metrics:\n  counters:\n    - name: m\n      help: h\n      labels:\n"
		   "        - {name: l, size: %u, decoders: %s}\n",
		   size, decoders);
	return config_from_text(buf_str(&yaml));
}

static inline void check_decoding(const struct decode_env *env, const struct decoding *row)
{
	struct config *c = decoding_config(row->size, row->decoders);
	const struct label_config *label = &c->metrics.items[0].labels.items[0];
	_cleanup_report_ struct report report = {0};
	struct decode_scratch scratch = {0};
	struct decoded got = {0};
	struct label_decoder d;
	int result;

	if (label_decoder_build(&d, label, env, &c->source, &report))
		fail_msg("%s: %s", row->decoders, buf_str(&report.text));
	result = label_decoder_run(&d, env, row->in, &scratch, &got);
	if (result != row->result)
		fail_msg("%s: result %d, not %d ('%.*s')", row->decoders, result, row->result,
			 (int)got.len, got.text ? got.text : "");
	if (row->out &&
	    (got.len != strlen(row->out) || (got.len && memcmp(got.text, row->out, got.len) != 0)))
		fail_msg("%s: '%.*s', not '%s'", row->decoders, (int)got.len, got.text, row->out);
	decode_scratch_free(&scratch);
	label_decoder_free(&d);
	config_free(c);
}

#define CHECK_DECODINGS(env, rows)                                                                 \
	for (size_t decoding_ = 0; decoding_ < ARRAY_SIZE(rows); decoding_++)                      \
	check_decoding(env, &(rows)[decoding_])

/* @path, "…XXXXXX", becomes the path of a new file with the text @text. */
static inline bool decoding_make_file(char *path, const char *text)
{
	_cleanup_close_ int fd = mkstemp(path);

	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

struct refusal {
	uint32_t size;
	const char *decoders;
	const char *says;
};

/* What is told about a label that must not be taken has @row->says in it. */
static inline void check_refusal(const struct decode_env *env, const struct refusal *row)
{
	struct config *c = decoding_config(row->size, row->decoders);
	const struct label_config *label = &c->metrics.items[0].labels.items[0];
	_cleanup_report_ struct report report = {0};
	struct label_decoder d;

	if (label_decoder_build(&d, label, env, &c->source, &report) != -EINVAL)
		fail_msg("%s was taken", row->decoders);
	if (!strstr(buf_str(&report.text), row->says))
		fail_msg("%s\nsays not: %s", buf_str(&report.text), row->says);
	config_free(c);
}

#define CHECK_REFUSALS(env, rows)                                                                  \
	for (size_t refusal_ = 0; refusal_ < ARRAY_SIZE(rows); refusal_++)                         \
	check_refusal(env, &(rows)[refusal_])
