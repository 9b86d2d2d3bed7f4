// SPDX-License-Identifier: MIT
#include "config/bind.h"

#include <errno.h>
#include <stdlib.h>

#include "base/suggest.h"
#include "config/config.h"
#include "config/key_types.h"
#include "config/source.h"

/* How long a list of known keys may be to be shown in a sentence, and how deep '<<' may nest. */
enum { MOST_KEYS_SHOWN = 13, DEEPEST_MERGE = 8 };

int binding_visit(const struct binding *at, const struct node *n)
{
	if (at->report->errors - at->errors_before > REPORT_MOST_SHOWN)
		return -E2BIG;
	if ((*at->visits)++ < MOST_NODES)
		return 0;
	binding_error(at, n->place,
		      "with its aliases written out, the file has more than %d values", MOST_NODES);
	return -E2BIG;
}

static size_t find_row(const struct schema *schema, const char *name)
{
	size_t i = 0;

	while (i < schema->n_keys && !STREQ(schema->keys[i].name, name))
		i++;
	return i;
}

bool binding_has(const struct binding *at, const char *key)
{
	return at->values[find_row(at->schema, key)] != NULL;
}

bool binding_is_missing(const struct binding *at, const char *key)
{
	size_t row = find_row(at->schema, key);

	return !at->values[row] && !at->wrong[row];
}

bool binding_is_right(const struct binding *at, const char *key)
{
	size_t row = find_row(at->schema, key);

	return at->values[row] && !at->wrong[row];
}

struct place binding_place(const struct binding *at, const char *key)
{
	const struct node *value = at->values[find_row(at->schema, key)];

	return value ? value->place : at->place;
}

static void report_unknown_key(struct binding *at, const struct node *key)
{
	const struct schema *schema = at->schema;
	_cleanup_buf_ struct buf hint = {0};
	const char *names[MOST_KEYS], *nearest;

	for (size_t i = 0; i < schema->n_keys; i++)
		names[i] = schema->keys[i].type == KEY_LATER ? NULL : schema->keys[i].name;
	nearest = suggest_nearest(key->text, names, schema->n_keys);
	if (nearest) {
		buf_printf(&hint, ", did you mean '%s'?", nearest);
	} else if (schema->n_keys <= MOST_KEYS_SHOWN) {
		buf_add_str(&hint, "; its keys are ");
		key_names_add(&hint, names, schema->n_keys, "and");
	}
	/* The key that was meant is not missing as well: one slip, one error. */
	if (report_lenient(at->report, at->source, key->place, "unknown key '%s' in %s%s",
			   shown(key->text).text, schema->one, buf_str(&hint)) &&
	    nearest)
		at->wrong[find_row(schema, nearest)] = true;
}

static int bind_value(struct binding *at, size_t row, const struct node *n)
{
	const struct key *key = &at->schema->keys[row];
	unsigned errors = at->report->errors;
	char *item = at->item;
	int err;

	if (key->has)
		*(bool *)(item + key->has) = true;
	if (key->place)
		*(struct place *)(item + key->place) = n->place;
	err = key_types[key->type].bind(at, key, n, item + key->offset);
	at->wrong[row] = at->report->errors > errors;
	return err;
}

/* One pair of a mapping. A key with nothing behind it is as good as absent, as for Go's reader. */
static int bind_key(struct binding *at, const struct node *key, const struct node *value,
		    bool merged)
{
	size_t row;

	if (key->kind != NODE_SCALAR) {
		binding_error(at, key->place, "a key in %s must be a word, not %s", at->schema->one,
			      node_kind_names[key->kind]);
		return 0;
	}
	row = find_row(at->schema, key->text);
	if (row == at->schema->n_keys) {
		report_unknown_key(at, key);
		return 0;
	}
	if (at->keys[row]) {
		if (!merged)
			binding_error(at, key->place,
				      "key '%s' a second time in %s, first in line %u", key->text,
				      at->schema->one, at->keys[row]->place.line);
		return 0;
	}
	at->keys[row] = key;
	if (node_is_empty(value))
		return 0;
	at->values[row] = value;
	return bind_value(at, row, value);
}

static bool is_merge(const struct node *key)
{
	return key->kind == NODE_SCALAR && key->plain && STREQ(key->text, "<<");
}

static int bind_merged(struct binding *at, const struct node *n, unsigned depth);

/* The pairs of mapping @n, then those of what it merges in by '<<', which cannot replace them. */
static int bind_pairs_of(struct binding *at, const struct node *n, unsigned depth)
{
	int err = 0;

	for (const struct node *key = n->first; key && !err; key = key->next->next) {
		err = binding_visit(at, key);
		if (!err && !is_merge(key))
			err = bind_key(at, node_resolve(key), node_resolve(key->next), depth > 0);
	}
	for (const struct node *key = n->first; key && !err; key = key->next->next) {
		if (is_merge(key))
			err = bind_merged(at, node_resolve(key->next), depth + 1);
	}
	return err;
}

static int bind_merged(struct binding *at, const struct node *n, unsigned depth)
{
	int err = 0;

	if (depth > DEEPEST_MERGE) {
		binding_error(at, n->place, "'<<' inside '<<' more than %d levels deep",
			      DEEPEST_MERGE);
		return -E2BIG;
	}
	if (n->kind == NODE_MAPPING)
		return bind_pairs_of(at, n, depth);
	if (n->kind != NODE_LIST)
		return key_report_unexpected(at, "<<", n, "the alias of a mapping", "");
	for (const struct node *i = n->first; i && !err; i = i->next) {
		err = binding_visit(at, i);
		if (!err)
			err = bind_merged(at, node_resolve(i), depth + 1);
	}
	return err;
}

static void check_required(const struct binding *at)
{
	for (size_t i = 0; i < at->schema->n_keys; i++) {
		if (at->schema->keys[i].required && !at->values[i] && !at->wrong[i])
			binding_error(at, at->place, "missing key '%s' in %s",
				      at->schema->keys[i].name, at->schema->one);
	}
}

int bind_mapping(struct binding *outer, const struct schema *schema, const struct node *n,
		 void *item)
{
	struct binding at = {
		.source = outer->source,
		.report = outer->report,
		.visits = outer->visits,
		.errors_before = outer->errors_before,
		.schema = schema,
		.place = n->place,
		.item = item,
	};
	int err;

	if (schema->placed)
		*(struct place *)item = n->place;
	if (schema->init)
		schema->init(item);
	err = bind_pairs_of(&at, n, 0);
	if (err)
		return err;
	check_required(&at);
	return schema->check ? schema->check(&at, item) : 0;
}

int bind_source(const struct schema *schema, struct source *s, struct report *r, void *item,
		bool *ret_empty)
{
	uint32_t visits = 0;
	struct binding outer = {
		.source = s,
		.report = r,
		.visits = &visits,
		.errors_before = r->errors,
		.schema = schema,
	};
	_cleanup_yaml_ struct yaml *y = NULL;
	const struct node *root;
	int err = yaml_parse(s, r, &y);

	if (err)
		return err;
	root = yaml_root(y);
	if (root)
		memcpy(s->meaning, root->meaning, sizeof(s->meaning));
	*ret_empty =
		!root || node_is_empty(root) || (root->kind == NODE_MAPPING && root->count == 0);
	if (*ret_empty)
		return 0;
	if (root->kind == NODE_MAPPING)
		err = bind_mapping(&outer, schema, root, item);
	else
		binding_error(&outer, root->place, "%s is a mapping ('key: value'), not %s",
			      schema->one, node_kind_names[root->kind]);
	if (err == -ENOMEM)
		return err;
	return err || r->errors > outer.errors_before ? -EINVAL : 0;
}

void schema_free(const struct schema *schema, void *item)
{
	for (size_t i = 0; i < schema->n_keys; i++) {
		const struct key *key = &schema->keys[i];

		key_types[key->type].release(key, (char *)item + key->offset);
	}
}

bool schema_is_likely(const struct schema *schema, const char *path)
{
	_cleanup_report_ struct report r = {0};
	_cleanup_yaml_ struct yaml *y = NULL;
	struct source s = {0};
	const struct node *root = NULL;
	bool likely = false;

	if (!source_read(path, &r, &s) && !yaml_parse(&s, &r, &y))
		root = yaml_root(y);
	for (const struct node *key = root && root->kind == NODE_MAPPING ? root->first : NULL; key;
	     key = key->next->next) {
		if (key->kind == NODE_SCALAR)
			likely |= find_row(schema, key->text) < schema->n_keys;
	}
	source_free(&s);
	return likely;
}

struct description {
	void (*row)(void *ctx, const struct key_doc *key);
	void *ctx;
	struct buf path;
	struct buf type;
};

static void describe_keys(struct description *d, const struct schema *schema)
{
	size_t len = d->path.len;

	for (size_t i = 0; i < schema->n_keys; i++) {
		const struct key *key = &schema->keys[i];

		if (key->type == KEY_LATER)
			continue;
		d->path.len = len;
		buf_printf(&d->path, "%s%s%s", len ? "." : "", key->name,
			   key->type == KEY_ROWS ? "[]" : "");
		buf_reset(&d->type);
		key_types[key->type].describe(&d->type, key);
		d->row(d->ctx, &(struct key_doc){
				       .path = buf_str(&d->path),
				       .group = schema->one,
				       .type = buf_str(&d->type),
				       .doc = key->doc,
				       .required = key->required,
			       });
		if (key->sub)
			describe_keys(d, key->sub);
	}
	d->path.len = len;
}

void schema_describe(const struct schema *schema, void (*row)(void *ctx, const struct key_doc *key),
		     void *ctx)
{
	struct description d = {.row = row, .ctx = ctx};

	describe_keys(&d, schema);
	buf_free(&d.path);
	buf_free(&d.type);
}

static int compare_named_places(const void *a, const void *b)
{
	const struct named_place *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	if (order == 0)
		order = (x->place.line > y->place.line) - (x->place.line < y->place.line);
	if (order == 0)
		order = (x->place.column > y->place.column) - (x->place.column < y->place.column);
	return order;
}

size_t binding_check_unique(const struct binding *at, const char *what, struct named_place *names,
			    size_t count)
{
	size_t n = 0, first = 0;

	for (size_t i = 0; i < count; i++) {
		if (names[i].name)
			names[n++] = names[i];
	}
	if (n > 1)
		qsort(names, n, sizeof(*names), compare_named_places);
	for (size_t i = 1; i < n; i++) {
		if (STREQ(names[i].name, names[first].name))
			binding_error(at, names[i].place, "%s '%s' a second time, first in line %u",
				      what, shown(names[i].name).text, names[first].place.line);
		else
			first = i;
	}
	return n;
}
