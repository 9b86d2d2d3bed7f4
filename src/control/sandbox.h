/* SPDX-License-Identifier: MIT */
/*
 * What of the host's files the daemon may reach, once it is confined: what it reads of the system,
 * and what its command line and configuration name. A configuration that is read again can name
 * nothing else.
 */
#pragma once

#include "base/landlock.h"
#include "engine/needs.h"

struct sandbox_options {
	const char *web_config;     /* NULL */
	const char *btf_path;       /* NULL */
	const char *control_socket; /* "" */
	const struct plan_options *plan;
};

struct sandbox {
	struct sandbox_options options; /* must outlive it */
	struct landlock_paths paths;
	struct needs needs;
	int abi;             /* 0: it is off */
	const char *why_off; /* a sentence; NULL while it is on */
};

/* Finds out what is needed; sandbox_free() in any case. -ENOMEM. */
int sandbox_init(struct sandbox *s, const struct sandbox_options *options);
void sandbox_free(struct sandbox *s);

/* Confines this process, before it has other threads. */
int sandbox_enter(struct sandbox *s, struct error *e);

/* While it is on: -EINVAL, with a sentence, when the configuration as it is now names what is out
 * of reach. */
int sandbox_check(const struct sandbox *s, struct error *e);
