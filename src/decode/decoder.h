/* SPDX-License-Identifier: MIT */
/*
 * Decoders: bytes of a map key → the text of a label, one step of a chain.
 *
 * Each is one file that ends in DECODER(…); nothing else names it. A label's chain is built from
 * its config once (label_decoder_build) and run once for each new key, not at each scrape.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "config/config.h"

struct links;
struct ksyms;

/* What decoders may ask about this host. Both are thread-safe; either may be NULL where a decoder
 * that needs it is not used. */
struct decode_env {
	const struct links *links;
	struct ksyms *ksyms;
};

/* What a step made of its input, besides a negative errno: the entry cannot be decoded. */
enum decode_result {
	DECODE_OK = 0,
	DECODE_UNKNOWN = 1, /* text was made, but what it names is not known (yet, or any more) */
	DECODE_DROP = 2,    /* the config asks not to export this entry: no error */
};

/* The parameters that a decoder may take in the config. */
enum decoder_parameter {
	DECODER_PARAM_STATIC_MAP = 1 << 0,
	DECODER_PARAM_REGEXPS = 1 << 1,
};

struct decoder {
	const char *name;
	const char *doc;     /* input → output, one line */
	unsigned parameters; /* enum decoder_parameter that it takes; all are required */
	uint32_t sizes;      /* it takes as the first of a chain: bit n = n bytes; 0 = any */
	bool follows_links;  /* its answers change with the interfaces' names */
	/* Appends the text for @in to @out (empty at the call). */
	int (*decode)(const struct decode_env *env, const struct decoder_config *config,
		      const void *in, size_t len, struct buf *out);
};

/* A set of sizes for struct decoder's `sizes`. */
#define DECODER_SIZE(n) (UINT32_C(1) << (n))

#define DECODER(ident, ...)                                                                        \
	static const struct decoder ident##_decoder = {__VA_ARGS__};                               \
	static const struct decoder *const ident##_decoder_row                                     \
		__attribute__((used, section("wiregauge_decoders"))) = &ident##_decoder

/* The decoder of that name, or NULL. */
const struct decoder *decoder_find(const char *name);

/* All of them, by name; index from 0, NULL past the end. */
const struct decoder *decoder_at(size_t index);

/* A label's chain. It refers to the config, which must outlive it. */
struct label_decoder {
	const struct label_config *config;
	const struct decoder **chain;
	bool follows_links;
};

/*
 * Looks up each decoder that @label names and checks its parameters and the label's size. What is
 * wrong goes into @report at its place in @source; -EINVAL then, -ENOMEM without memory.
 */
int label_decoder_build(struct label_decoder *d, const struct label_config *label,
			const struct source *source, struct report *report);
void label_decoder_free(struct label_decoder *d);

/*
 * Runs the chain over @in (the label's `size` bytes). *@text is where the result is then: valid
 * until the next run with the same @scratch. enum decode_result, or a negative errno.
 */
struct decode_scratch {
	struct buf bufs[2];
};

struct decoded {
	const char *text;
	size_t len;
};

int label_decoder_run(const struct label_decoder *d, const struct decode_env *env, const void *in,
		      struct decode_scratch *scratch, struct decoded *ret);
void decode_scratch_free(struct decode_scratch *s);

/* For decoders whose input is a decimal number as text (after `uint`): -EINVAL for all else. */
int decode_parse_decimal(const void *in, size_t len, uint64_t *ret);

/* For decoders with a table of names: the row with @number, or NULL. */
struct number_name {
	uint32_t number;
	const char *name;
};

const char *number_name_find(const struct number_name *rows, size_t count, uint64_t number);
