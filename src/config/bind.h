/* SPDX-License-Identifier: MIT */
/*
 * The languages of this room as tables: a schema is one kind of mapping, with a row for each key:
 * its name, its type, where in the struct it goes, one line of doc. One binder walks YAML nodes and
 * tables together and fills the structs, another walk describes them, a third frees them. A new key
 * of a language is one row.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/report.h"
#include "config/yaml.h"

enum key_type {
	KEY_TEXT,        /* struct text */
	KEY_BOOL,        /* bool */
	KEY_BOOL_NOT,    /* bool that is true where the file says false */
	KEY_U32,         /* uint32_t from min to max */
	KEY_S32,         /* int32_t */
	KEY_FACTOR,      /* double, not negative; 2^-30 is one too */
	KEY_DURATION,    /* uint64_t, nanoseconds */
	KEY_ENUM,        /* an enum: the index in names */
	KEY_TEXTS,       /* struct text_list, from a list */
	KEY_ONE_OR_MORE, /* struct text_list, from a list or one scalar */
	KEY_NUMBERS,     /* items of uint64_t, count */
	KEY_PAIRS,       /* items of struct mapping_row, count, from a mapping */
	KEY_MAPPING,     /* what sub says */
	KEY_ROWS,        /* items of what sub says, count, from a list of mappings */
	KEY_NAMED,       /* a mapping whose keys are names: `named` is called with each pair */
	KEY_LATER,       /* a key of ebpf_exporter that this version cannot do */
};

struct schema;
struct binding;
struct key_doc;

struct key {
	const char *name;
	enum key_type type;
	bool required;
	size_t offset;            /* in the schema's struct */
	size_t has;               /* offset of a bool that says it was there; 0 = none */
	size_t place;             /* offset of a struct place for the value; 0 = none */
	uint32_t min, max;        /* KEY_U32: the number; lists: how many, max 0 = any */
	const char *const *names; /* entries may be NULL */
	size_t n_names;
	size_t option; /* KEY_ENUM: offset of a struct text that gets "$name" instead; 0 = none */
	const char *later; /* a name that this version cannot do yet */
	const struct schema *sub;
	int (*named)(struct binding *at, const struct node *name, const struct node *value);
	const char *doc;
};

struct schema {
	const char *one;  /* "a label" */
	const char *many; /* "labels" */
	size_t size;      /* of its struct */
	bool placed;      /* the struct begins with its struct place */
	const struct key *keys;
	size_t n_keys;
	void (*init)(void *item); /* defaults that are not zero; may be NULL */
	/* What the rows cannot say. Errors go to the report; 0 or -ENOMEM. May be NULL. */
	int (*check)(struct binding *at, void *item);
};

#define KEYS(table)  .keys = (table), .n_keys = ARRAY_SIZE(table)
#define NAMES(table) .names = (table), .n_names = ARRAY_SIZE(table)

enum { MOST_KEYS = 24 };

/* One mapping being put into one struct. */
struct binding {
	const struct source *source;
	struct report *report;
	uint32_t *visits;
	unsigned errors_before;
	const struct schema *schema;
	struct place place;
	void *item;
	const struct node *keys[MOST_KEYS]; /* by row of the schema; NULL = absent */
	const struct node *values[MOST_KEYS];
	bool wrong[MOST_KEYS]; /* present, and something was wrong with it */
};

#define binding_error(at, where, ...) report_error((at)->report, (at)->source, where, __VA_ARGS__)

/*
 * Put the file @s into @item, which is all zero. The caller frees it by schema_free() in any case.
 * 0, -EINVAL with errors in @r, or -ENOMEM. A file without content leaves *ret_empty true. Sets
 * @s->meaning.
 */
int bind_source(const struct schema *schema, struct source *s, struct report *r, void *item,
		bool *ret_empty);

void schema_free(const struct schema *schema, void *item);
void schema_describe(const struct schema *schema, void (*row)(void *ctx, const struct key_doc *key),
		     void *ctx);

/* Whether the file at @path has a key of @schema; false also when it cannot be read. */
bool schema_is_likely(const struct schema *schema, const char *path);

/* For checks: whether the key was given, whether it was and is right so far, and the place of its
 * value (of the mapping without it). */
bool binding_has(const struct binding *at, const char *key);
bool binding_is_missing(const struct binding *at, const char *key); /* and was not misspelt */
bool binding_is_right(const struct binding *at, const char *key);
struct place binding_place(const struct binding *at, const char *key);

/* A name somewhere in the file, and what it names there. */
struct named_place {
	const char *name; /* NULL is skipped */
	struct place place;
};

/* An error for each name that was there before. @names gets sorted, those that are NULL left out;
 * gives back how many are left. */
size_t binding_check_unique(const struct binding *at, const char *what, struct named_place *names,
			    size_t count);

/*
 * To be called for each node that is bound: aliases of lists of aliases cannot make a small file
 * grow without bound. Not 0 ends the walk.
 */
int binding_visit(const struct binding *at, const struct node *n);

/* A scalar's text, at @key in messages. 0 or an error in the report and -EINVAL, or -ENOMEM. */
int binding_copy_text(const struct binding *at, const char *key, const struct node *n, char **ret);

/* A text of the file, shortened so that a sentence can hold it. */
struct shown {
	char text[72];
};
struct shown shown(const char *text);

/* Decimal, 0x, 0o or 0b, digits apart by '_', or a decimal fraction that is whole. */
bool number_parse(const char *text, uint64_t *ret);

/* A decimal number that is not negative, or a power of two written as one: 2^10, 2^-30. */
bool factor_parse(const char *text, double *ret);

/* Go's durations, which are not negative here, in nanoseconds: 1h30m, 1.5s, 500ms, 0. */
bool duration_parse(const char *text, uint64_t *ret);

/* The booleans of YAML 1.1: true, yes, on, y and their opposites. */
bool bool_parse(const char *text, bool *ret);
