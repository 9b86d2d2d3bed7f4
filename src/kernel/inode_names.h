/* SPDX-License-Identifier: MIT */
/* What namespaces are called, by their inode numbers: a list that is made anew and compared. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct inode_name {
	uint64_t inode;
	char *text;
};

struct inode_names {
	struct inode_name *items;
	size_t count;
};

/* Appends @text, which is taken over in any case; NULL, or without memory: it is not known. */
void inode_names_add(struct inode_names *l, uint64_t inode, char *text);

/* The first of that number, or NULL. */
const char *inode_names_find(const struct inode_names *l, uint64_t inode);

/* @fresh, taken over, in the place of *@l. Whether they differed. */
bool inode_names_renew(struct inode_names *l, struct inode_names *fresh);

void inode_names_free(struct inode_names *l);
