/* SPDX-License-Identifier: MIT */
/*
 * How the labels of a metric lie in the key of its map.
 *
 *	key as the kernel has it        │ added by us for per-CPU maps with a label `cpu`
 *	label 0 │ pad │ label 1 │ bucket │ cpu (u16)
 */
#pragma once

#include "decode/decoder.h"
#include "kernel/object.h"

struct key_label {
	struct label_decoder decoder;
	uint32_t offset; /* into the extended key */
	bool off;        /* its `when` is: neither decoded nor exported */
};

struct layout {
	struct key_label *labels; /* in the order of the config, without the bucket */
	size_t n_labels;
	bool has_bucket;
	struct key_label bucket; /* of a histogram whose map has a key for each bucket */
	bool by_cpu;             /* one entry for each CPU instead of their sum */
	bool only_zero;          /* no label is in the key, 4 bytes: only entry 0 is shown */
	uint32_t key_size;       /* the map's */
	uint32_t extended_key_size;
};

/* Whether a bool option of the config is on; without `on` all are. */
struct label_switch {
	bool (*on)(const void *ctx, const char *option);
	const void *ctx;
};

/* Works out and checks the layout of @metric over @map; what is wrong goes to @report at its
 * place. Labels that are off follow no names, but are checked. */
int layout_build(struct layout *l, const struct metric_config *metric, const struct map_info *map,
		 const struct decode_env *env, const struct label_switch *labels,
		 const struct source *source, struct report *report);
void layout_free(struct layout *l);

/* The sources of names (enum name_source) that the labels' texts change with. */
unsigned layout_follows(const struct layout *l);
