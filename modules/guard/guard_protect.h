/* SPDX-License-Identifier: MIT */
/*
 * Whom a rule must not cut off unless somebody insists: the peers of SSH sessions, default
 * gateways, servers of DNS and time, loopback, and what the option `protect` names. Looked up anew
 * whenever a rule is checked: all of it comes and goes.
 *
 * A file for each place to look: guard_peers.c asks the kernel, guard_servers.c reads what the host
 * is configured with.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/strv.h"
#include "guard_prefix.h"

enum guard_protected_kind {
	GUARD_PROTECTED_LOOPBACK,
	GUARD_PROTECTED_SSH,
	GUARD_PROTECTED_GATEWAY,
	GUARD_PROTECTED_DNS,
	GUARD_PROTECTED_NTP,
	GUARD_PROTECTED_OPTION,
	GUARD_PROTECTED_KINDS,
};

/* "the peer of an SSH session" */
const char *guard_protected_words(enum guard_protected_kind kind);

/* "ssh" */
const char *guard_protected_name(enum guard_protected_kind kind);

struct guard_protected {
	struct guard_prefix prefix;
	enum guard_protected_kind kind;
};

struct guard_protected_set {
	struct guard_protected *items;
	size_t count;
	size_t cap;
	struct buf failures; /* lines: what could not be looked up, and why */
};

void guard_protected_free(struct guard_protected_set *s);
#define _cleanup_guard_protected_ _cleanup_(guard_protected_free)

/* Adds it unless it is there; -ENOMEM. */
int guard_protected_add(struct guard_protected_set *s, const struct guard_prefix *p,
			enum guard_protected_kind kind);

/* What is configured. All of it is read, never written. */
struct guard_protect_options {
	const struct strv *networks;  /* `protect`; valid networks */
	const struct strv *ssh_ports; /* `ssh_ports`; empty: those of sshd_config, else 22 */
	const char *root;             /* of the files that are read: "" but in tests */
};

/* All that is protected now. What cannot be looked up is in ret->failures. -ENOMEM. */
int guard_protect_gather(const struct guard_protect_options *o, struct guard_protected_set *ret);

/* The parts of that; each adds to @s. */
int guard_peers_add_sessions(const uint16_t *ports, size_t count, struct guard_protected_set *s);
int guard_peers_add_time(struct guard_protected_set *s);
int guard_peers_add_gateways(struct guard_protected_set *s);
int guard_servers_add_dns(const char *root, struct guard_protected_set *s);
int guard_servers_add_time(const char *root, struct guard_protected_set *s);

enum { GUARD_SSH_PORTS = 16 };

/* The ports that sshd is configured to listen at, at most GUARD_SSH_PORTS: 22 where none is. */
size_t guard_servers_ssh_ports(const char *root, uint16_t ports[GUARD_SSH_PORTS]);

/*
 * The first of @s, from index *at on, that a rule for @rule would cut off; *at goes behind it. NULL
 * when there is no more.
 */
const struct guard_protected *guard_protected_next(const struct guard_protected_set *s,
						   const struct guard_prefix *rule, size_t *at);

/* Appends whom a rule for @rule would cut off, "10.0.0.1 (a default gateway) and 2 more"; how many
 * there are. */
size_t guard_protected_explain(const struct guard_protected_set *s, const struct guard_prefix *rule,
			       struct buf *text);
