/* SPDX-License-Identifier: MIT */
/*
 * The types that a key's value can have, one row each: how it reads in a sentence, how a YAML node
 * becomes it, how it is freed. A new type is one row and its three functions.
 */
#pragma once

#include "config/bind.h"

struct key_type_ops {
	void (*describe)(struct buf *b, const struct key *key);
	int (*bind)(struct binding *at, const struct key *key, const struct node *n, void *to);
	void (*release)(const struct key *key, void *from);
};

extern const struct key_type_ops key_types[]; /* by enum key_type */

/* "a list": what a node is, by its kind. */
extern const char *const node_kind_names[];

/* Appends "a, b or c" with @word before the last; NULL entries are left out. */
void key_names_add(struct buf *b, const char *const *names, size_t count, const char *word);

/* "'size': expected …, found …". Gives back 0: the walk goes on to find what else is wrong. */
int key_report_unexpected(const struct binding *at, const char *key, const struct node *n,
			  const char *expected, const char *hint);

/* Puts the mapping @n into @item, a struct of @schema (bind.c). */
int bind_mapping(struct binding *outer, const struct schema *schema, const struct node *n,
		 void *item);
