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
struct cgroups;
struct hostnames;

/* What decoders may ask about this host. All is thread-safe; each may be NULL where no decoder that
 * needs it is used, and all are where a config is only checked. */
struct decode_env {
	const struct links *links;
	struct ksyms *ksyms;
	struct cgroups *cgroups;
	struct hostnames *host;
};

/* Where names come from that change while the daemon runs: texts of them are made anew then. */
enum name_source {
	FOLLOWS_LINKS = 1 << 0,
	FOLLOWS_CGROUPS = 1 << 1,
	FOLLOWS_NETNS = 1 << 2,
	FOLLOWS_CONTAINERS = 1 << 3,
};

/* A number that changes with every change in one of @sources, a set of enum name_source. */
uint64_t decode_generation(const struct decode_env *env, unsigned sources);

/* What a step made of its input, besides a negative errno: the entry cannot be decoded. */
enum decode_result {
	DECODE_OK = 0,
	DECODE_UNKNOWN = 1, /* text was made, but what it names is not known (yet, or any more) */
	DECODE_DROP = 2,    /* the config asks not to export this entry: no error */
};

/* What goes from step to step. */
enum decode_form {
	FORM_BYTES = 1 << 0,  /* of the map's key, as they lie there */
	FORM_NUMBER = 1 << 1, /* decimal */
	FORM_TEXT = 1 << 2,   /* may be anything, also a number */
	FORM_NAME = 1 << 3,   /* never a number: a name, an address, a path */
};

#define FORM_DECIMAL (FORM_NUMBER | FORM_TEXT)
#define FORM_ANY     (FORM_BYTES | FORM_NUMBER | FORM_TEXT | FORM_NAME)

/* The parameters that a decoder may take in the config. */
enum decoder_parameter {
	DECODER_PARAM_STATIC_MAP = 1 << 0,
	DECODER_PARAM_REGEXPS = 1 << 1,
	DECODER_PARAM_BTF_ENUM = 1 << 2,
	DECODER_PARAM_PREFIX = 1 << 3,
	DECODER_PARAM_PREFIX6 = 1 << 4,
	DECODER_PARAM_PROTOCOL = 1 << 5,
};

struct decoder;

/* One link of a label's chain. */
struct decode_step {
	const struct decoder *decoder;
	const struct decoder_config *config;
	void *state; /* what decoder->prepare() made, else NULL */
};

/* What prepare() gets, besides its step: where the config stands and what there is to ask. */
struct decoder_setup {
	const struct decode_env *env;
	const struct label_config *label;
	const struct source *source;
	struct report *report;
};

struct decoder {
	const char *name;
	const char *doc;        /* input → output, one line */
	unsigned parameters;    /* enum decoder_parameter that it takes */
	unsigned required;      /* … that it needs, of these */
	unsigned takes;         /* enum decode_form */
	enum decode_form gives; /* the one that all its texts have */
	/* Of the key's bytes, for the first of a chain: */
	uint32_t sizes;         /* bit n = n bytes; 0 = any */
	uint32_t size_multiple; /* any multiple of it; 0 = as `sizes` says */
	unsigned follows;       /* enum name_source that its answers change with */
	bool reads_symbols;     /* the addresses in /proc/kallsyms, which are not for everybody */
	/*
	 * Once, when the config is read: checks the parameters and makes step->state of them. What
	 * is wrong goes to setup->report at its place: -EINVAL; -ENOMEM. May be NULL.
	 */
	int (*prepare)(const struct decoder_setup *setup, struct decode_step *step);
	void (*release)(void *state); /* what prepare() made, also half of it; may be NULL */
	/* Appends the text for @in to @out (empty at the call). */
	int (*decode)(const struct decode_env *env, const struct decode_step *step, const void *in,
		      size_t len, struct buf *out);
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
	struct decode_step *chain;
	enum decode_form gives;
	unsigned follows; /* enum name_source */
};

/*
 * Looks up each decoder that @label names and checks its parameters, its place in the chain and the
 * label's size. What is wrong goes into @report at its place in @source; -EINVAL then, -ENOMEM
 * without memory.
 */
int label_decoder_build(struct label_decoder *d, const struct label_config *label,
			const struct decode_env *env, const struct source *source,
			struct report *report);
void label_decoder_free(struct label_decoder *d);

/*
 * Runs the chain over @in (the label's `size` bytes). *@ret is where the result is then, always
 * valid UTF-8: good until the next run with the same @scratch. enum decode_result, or a negative
 * errno.
 */
struct decode_scratch {
	struct buf bufs[2]; /* odd and even steps */
	struct buf valid;
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

/* prepare() of decoders of cgroups: from now on they are followed. */
int decode_prepare_cgroups(const struct decoder_setup *setup, struct decode_step *step);

/* For decoders with a table of names: the one with @number, or NULL. Rows ascend. */
struct number_name {
	uint32_t number;
	const char *name;
};

const char *number_name_find(const struct number_name *rows, size_t count, uint64_t number);

/* decode() by such a table: the name, or @unknown and the number. */
int number_name_decode(const struct number_name *rows, size_t count, const char *unknown,
		       const void *in, size_t len, struct buf *out);
