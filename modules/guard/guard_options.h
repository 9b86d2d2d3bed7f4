/* SPDX-License-Identifier: MIT */
/* The options of guard.yaml as numbers. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/strv.h"
#include "engine/plan.h"
#include "guard.h"
#include "guard_books.h"
#include "guard_detect.h"

struct guard_declared_limit {
	struct guard_target target;
	struct guard_amount amount;
};

/* Lists point into the module, which outlives it. */
struct guard_options {
	uint8_t mode;        /* enum guard_mode */
	uint8_t on_silence;  /* enum guard_on_silence */
	uint8_t syn_cookies; /* enum guard_syn_cookies */
	uint8_t source_prefix;
	bool simple;
	bool strict;
	uint64_t silence_ns;
	uint64_t ban_ns; /* of automatic bans, and of those by command where nothing is said */
	uint32_t automatic_bans; /* at most */
	uint32_t samples;        /* a second and CPU */
	uint32_t new_sources;    /* likewise, that are remembered */
	uint32_t syn_threshold;  /* profile: simple; of a source a second */
	struct guard_detect_options detect;
	const char *log_file;
	size_t log_size;
	const struct strv *lists[GUARD_LISTS]; /* networks */
	const struct strv *files[GUARD_LISTS];
	const struct strv *protect;
	const struct strv *ssh_ports;
	struct guard_declared_limit *limits;
	size_t n_limits;
};

/* -EINVAL with a sentence that names the option; guard_options_free() in any case. */
int guard_options_read(const struct module *m, struct guard_options *ret, struct error *e);
void guard_options_free(struct guard_options *o);

/* What of @o is in the kernel's settings. */
void guard_options_apply(const struct guard_options *o, struct guard_settings *settings);
