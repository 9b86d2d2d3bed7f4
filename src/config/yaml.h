/* SPDX-License-Identifier: MIT */
/*
 * A YAML text as a tree of nodes that know their places. Only this room sees it, and only yaml.c
 * sees the YAML library.
 */
#pragma once

#include "config/report.h"

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAPPING, NODE_ALIAS };

struct node {
	enum node_kind kind;
	bool plain; /* scalar without quotes: may be a number, a boolean, nothing */
	struct place place;
	uint32_t count; /* children; a mapping has key, value, key, value … */
	char *text;     /* scalar; NUL-terminated */
	size_t len;
	const struct node *target; /* alias */
	struct node *first;
	struct node *next;
	uint64_t meaning[2]; /* of all below it: see node_take_meaning() */
};

/* Values of one file, written out or by aliases. Bounds time and memory, whatever the file says. */
enum { MOST_NODES = 200000 };

struct yaml;

/*
 * Parse @s, which must outlive the tree. -EINVAL with the error in @r (bytes that are no text,
 * syntax, a second document, nested too deep), or -ENOMEM.
 */
int yaml_parse(const struct source *s, struct report *r, struct yaml **ret);
void yaml_free(struct yaml *y);

/*
 * Sets the meaning of @n and of all below it: the same for two texts that say the same, whatever
 * their comments, blanks and layout.
 */
void node_take_meaning(struct node *n);

/* NULL for a file that says nothing. */
const struct node *yaml_root(const struct yaml *y);

/* The node that an alias stands for; any other is itself. */
const struct node *node_resolve(const struct node *n);

/* Nothing was written, or the null of YAML. */
bool node_is_empty(const struct node *n);

DEFINE_CLEANUP(struct yaml *, yaml_free)
#define _cleanup_yaml_ _cleanup_(yaml_free_p)
