// SPDX-License-Identifier: MIT
#include "config/key_types.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/suggest.h"
#include "config/config.h"

/* What all lists in the structs are: items, count. */
struct list {
	void *items;
	size_t count;
};

static void *list_extend(void *list, size_t more, size_t size)
{
	struct list *l = list;
	char *items;

	if (more == 0)
		return l->items;
	items = reallocarray(l->items, l->count + more, size);
	if (!items)
		return NULL;
	memset(items + l->count * size, 0, more * size);
	l->items = items;
	return items;
}

const char *const node_kind_names[] = {
	[NODE_SCALAR] = "a single value",
	[NODE_LIST] = "a list",
	[NODE_MAPPING] = "a mapping",
};

static void describe_node(struct buf *b, const struct node *n)
{
	if (n->kind == NODE_LIST && n->count == 0)
		buf_add_str(b, "an empty one");
	else if (n->kind != NODE_SCALAR)
		buf_add_str(b, node_kind_names[n->kind]);
	else if (node_is_empty(n))
		buf_add_str(b, "nothing");
	else if (n->plain)
		buf_printf(b, "'%s'", shown(n->text).text);
	else
		buf_printf(b, "the string \"%s\"", shown(n->text).text);
}

int key_report_unexpected(const struct binding *at, const char *key, const struct node *n,
			  const char *expected, const char *hint)
{
	_cleanup_buf_ struct buf found = {0};

	describe_node(&found, n);
	binding_error(at, n->place, "'%s': expected %s, found %s%s", key, expected, buf_str(&found),
		      hint);
	return 0;
}

/* For what looks like the number or boolean that was expected. */
static const char *hint_at_spelling(const struct node *n)
{
	uint64_t number;
	bool truth;

	if (n->kind != NODE_SCALAR)
		return "";
	if (!n->plain && (number_parse(n->text, &number) || bool_parse(n->text, &truth)))
		return ": leave out the quotes";
	if (n->plain && n->text[0] == '0' && n->len > 1 && strspn(n->text, "01234567") == n->len)
		return ": with a zero in front it is octal to some readers and decimal to others";
	return "";
}

static int report_unlike(const struct binding *at, const struct key *key, const struct node *n)
{
	_cleanup_buf_ struct buf expected = {0};

	key_types[key->type].describe(&expected, key);
	return key_report_unexpected(at, key->name, n, buf_str(&expected), hint_at_spelling(n));
}

int binding_copy_text(const struct binding *at, const char *key, const struct node *n, char **ret)
{
	if (n->kind != NODE_SCALAR) {
		key_report_unexpected(at, key, n, "a string", "");
		return -EINVAL;
	}
	if (strlen(n->text) != n->len)
		return binding_error(at, n->place, "'%s': a NUL byte in the text", key);
	*ret = strdup(n->text);
	return *ret ? 0 : -ENOMEM;
}

/* What is wrong was reported; only what must end the walk goes up. */
static int go_on(int err)
{
	return err == -EINVAL ? 0 : err;
}

static void describe_text(struct buf *b, const struct key *key)
{
	(void)key;
	buf_add_str(b, "a string");
}

static int bind_text(struct binding *at, const struct key *key, const struct node *n, void *to)
{
	struct text *t = to;

	t->place = n->place;
	return go_on(binding_copy_text(at, key->name, n, &t->text));
}

static void release_text(const struct key *key, void *from)
{
	(void)key;
	free(((struct text *)from)->text);
}

static void describe_bool(struct buf *b, const struct key *key)
{
	(void)key;
	buf_add_str(b, "true or false");
}

static int bind_bool(struct binding *at, const struct key *key, const struct node *n, void *to)
{
	if (n->kind != NODE_SCALAR || !n->plain || !bool_parse(n->text, to))
		return report_unlike(at, key, n);
	return 0;
}

static int bind_bool_not(struct binding *at, const struct key *key, const struct node *n, void *to)
{
	bool truth = true;
	int err = bind_bool(at, key, n, &truth);

	*(bool *)to = !truth;
	return err;
}

static void describe_u32(struct buf *b, const struct key *key)
{
	buf_printf(b, "a whole number from %u to %u", key->min, key->max);
}

static int bind_u32(struct binding *at, const struct key *key, const struct node *n, void *to)
{
	uint64_t number;

	if (n->kind != NODE_SCALAR || !n->plain || !number_parse(n->text, &number) ||
	    number < key->min || number > key->max)
		return report_unlike(at, key, n);
	*(uint32_t *)to = (uint32_t)number;
	return 0;
}

static void describe_s32(struct buf *b, const struct key *key)
{
	(void)key;
	buf_printf(b, "a whole number from %d to %d", INT32_MIN, INT32_MAX);
}

static int bind_s32(struct binding *at, const struct key *key, const struct node *n, void *to)
{
	bool negative = n->kind == NODE_SCALAR && n->text[0] == '-';
	uint64_t number;

	if (n->kind != NODE_SCALAR || !n->plain || !number_parse(n->text + negative, &number) ||
	    number > (uint64_t)INT32_MAX + negative)
		return report_unlike(at, key, n);
	*(int32_t *)to = (int32_t)(negative ? -(int64_t)number : (int64_t)number);
	return 0;
}

static void describe_factor(struct buf *b, const struct key *key)
{
	(void)key;
	buf_add_str(b, "a number that is not negative");
}

static int bind_factor(struct binding *at, const struct key *key, const struct node *n, void *to)
{
	if (n->kind != NODE_SCALAR || !n->plain || !factor_parse(n->text, to))
		return report_unlike(at, key, n);
	return 0;
}

static void describe_duration(struct buf *b, const struct key *key)
{
	(void)key;
	buf_add_str(b, "a duration, such as 90s, 1h30m or 500ms");
}

static int bind_duration(struct binding *at, const struct key *key, const struct node *n, void *to)
{
	if (n->kind != NODE_SCALAR || !duration_parse(n->text, to))
		return report_unlike(at, key, n);
	return 0;
}

/* "a, b or c" */
void key_names_add(struct buf *b, const char *const *names, size_t count, const char *word)
{
	size_t left = 0;

	for (size_t i = 0; i < count; i++)
		left += names[i] != NULL;
	for (size_t i = 0; i < count; i++) {
		if (!names[i])
			continue;
		left--;
		buf_add_str(b, names[i]);
		if (left == 1)
			buf_printf(b, " %s ", word);
		else if (left > 1)
			buf_add_str(b, ", ");
	}
}

static void describe_enum(struct buf *b, const struct key *key)
{
	key_names_add(b, key->names, key->n_names, "or");
}

/* Of the item that has an enum at @to. */
static struct text *option_text(const struct key *key, void *to)
{
	return (struct text *)(void *)((char *)to - key->offset + key->option);
}

static void release_enum(const struct key *key, void *from)
{
	if (key->option)
		release_text(key, option_text(key, from));
}

static int bind_enum(struct binding *at, const struct key *key, const struct node *n, void *to)
{
	_cleanup_buf_ struct buf expected = {0}, hint = {0};
	const char *nearest;

	if (n->kind != NODE_SCALAR)
		return report_unlike(at, key, n);
	if (key->option && n->text[0] == '$')
		return bind_text(at, key, n, option_text(key, to));
	for (unsigned i = 0; i < key->n_names; i++) {
		if (key->names[i] && STREQ(key->names[i], n->text)) {
			*(unsigned *)to = i;
			return 0;
		}
	}
	if (key->later && STREQ(key->later, n->text)) {
		binding_error(at, n->place, "'%s: %s' is not supported by this version yet",
			      key->name, n->text);
		return 0;
	}
	nearest = suggest_nearest(n->text, key->names, key->n_names);
	if (nearest)
		buf_printf(&hint, ", did you mean '%s'?", nearest);
	describe_enum(&expected, key);
	return key_report_unexpected(at, key->name, n, buf_str(&expected), buf_str(&hint));
}

/* A list with as many items as the key takes. */
static bool is_list(const struct key *key, const struct node *n)
{
	return n->kind == NODE_LIST && n->count >= key->min && (!key->max || n->count <= key->max);
}

static void describe_list(struct buf *b, const struct key *key, const char *items)
{
	if (key->max)
		buf_printf(b, "a list of at most %u %s", key->max, items);
	else
		buf_printf(b, "a list of %s", items);
}

static void describe_texts(struct buf *b, const struct key *key)
{
	describe_list(b, key, "strings");
}

static int bind_texts(struct binding *at, const struct key *key, const struct node *n, void *to)
{
	struct text_list *list = to;
	int err = 0;

	if (!is_list(key, n))
		return report_unlike(at, key, n);
	if (n->count && !list_extend(list, n->count, sizeof(*list->items)))
		return -ENOMEM;
	for (const struct node *i = n->first; i && !err; i = i->next) {
		err = binding_visit(at, i);
		if (!err)
			err = bind_text(at, key, node_resolve(i), &list->items[list->count++]);
	}
	return err;
}

static void release_texts(const struct key *key, void *from)
{
	struct text_list *list = from;

	for (size_t i = 0; i < list->count; i++)
		release_text(key, &list->items[i]);
	free(list->items);
}

static void describe_one_or_more(struct buf *b, const struct key *key)
{
	(void)key;
	buf_add_str(b, "a string or a list of strings");
}

static int bind_one_or_more(struct binding *at, const struct key *key, const struct node *n,
			    void *to)
{
	struct text_list *list = to;

	if (n->kind == NODE_LIST)
		return bind_texts(at, key, n, to);
	if (n->kind != NODE_SCALAR)
		return report_unlike(at, key, n);
	if (!list_extend(list, 1, sizeof(*list->items)))
		return -ENOMEM;
	return bind_text(at, key, n, &list->items[list->count++]);
}

static void describe_numbers(struct buf *b, const struct key *key)
{
	describe_list(b, key, "whole numbers");
}

static int bind_numbers(struct binding *at, const struct key *key, const struct node *n, void *to)
{
	struct list *list = to;
	uint64_t *items;
	int err = 0;

	if (!is_list(key, n))
		return report_unlike(at, key, n);
	items = list_extend(list, n->count, sizeof(*items));
	if (n->count && !items)
		return -ENOMEM;
	for (const struct node *i = n->first; i && !err; i = i->next) {
		const struct node *number = node_resolve(i);

		err = binding_visit(at, i);
		if (number->kind != NODE_SCALAR || !number->plain ||
		    !number_parse(number->text, &items[list->count++]))
			key_report_unexpected(at, key->name, number, "a whole number", "");
	}
	return err;
}

static void release_numbers(const struct key *key, void *from)
{
	(void)key;
	free(((struct list *)from)->items);
}

static void describe_pairs(struct buf *b, const struct key *key)
{
	(void)key;
	buf_add_str(b, "a mapping of strings to strings");
}

static int bind_pair(struct binding *at, const struct key *key, const struct node *from,
		     const struct node *to, struct mapping_row *row)
{
	int err = binding_visit(at, to);

	row->place = from->place;
	if (!err)
		err = go_on(binding_copy_text(at, key->name, from, &row->from));
	if (!err)
		err = go_on(binding_copy_text(at, key->name, to, &row->to));
	return err;
}

static int bind_pairs(struct binding *at, const struct key *key, const struct node *n, void *to)
{
	_cleanup_free_ struct named_place *names = NULL;
	size_t n_pairs = n->count / 2;
	struct list *list = to;
	struct mapping_row *rows;
	int err = 0;

	if (n->kind != NODE_MAPPING)
		return report_unlike(at, key, n);
	if (n_pairs == 0)
		return 0;
	rows = list_extend(list, n_pairs, sizeof(*rows));
	names = calloc(n_pairs, sizeof(*names));
	if (!rows || !names)
		return -ENOMEM;
	for (const struct node *k = n->first; k && !err; k = k->next->next) {
		struct mapping_row *row = &rows[list->count++];

		err = bind_pair(at, key, node_resolve(k), node_resolve(k->next), row);
		names[list->count - 1] = (struct named_place){row->from, row->place};
	}
	binding_check_unique(at, "key", names, list->count);
	return err;
}

static void release_pairs(const struct key *key, void *from)
{
	struct list *list = from;
	struct mapping_row *rows = list->items;

	(void)key;
	for (size_t i = 0; i < list->count; i++) {
		free(rows[i].from);
		free(rows[i].to);
	}
	free(rows);
}

static void describe_mapping(struct buf *b, const struct key *key)
{
	(void)key;
	buf_add_str(b, "a mapping");
}

static int bind_sub(struct binding *at, const struct key *key, const struct node *n, void *to)
{
	if (n->kind != NODE_MAPPING)
		return report_unlike(at, key, n);
	return bind_mapping(at, key->sub, n, to);
}

static void release_sub(const struct key *key, void *from)
{
	schema_free(key->sub, from);
}

static void describe_rows(struct buf *b, const struct key *key)
{
	describe_list(b, key, key->sub->many);
}

static int bind_rows(struct binding *at, const struct key *key, const struct node *n, void *to)
{
	const struct schema *sub = key->sub;
	struct list *list = to;
	int err = 0;

	if (!is_list(key, n))
		return report_unlike(at, key, n);
	if (n->count && !list_extend(list, n->count, sub->size))
		return -ENOMEM;
	for (const struct node *i = n->first; i && !err; i = i->next) {
		const struct node *row = node_resolve(i);

		err = binding_visit(at, i);
		if (err)
			return err;
		if (row->kind != NODE_MAPPING)
			key_report_unexpected(at, key->name, row, sub->one, "");
		else
			err = bind_mapping(at, sub, row,
					   (char *)list->items + sub->size * list->count++);
	}
	return err;
}

static void release_rows(const struct key *key, void *from)
{
	struct list *list = from;

	for (size_t i = 0; i < list->count; i++)
		schema_free(key->sub, (char *)list->items + key->sub->size * i);
	free(list->items);
}

static int bind_named(struct binding *at, const struct key *key, const struct node *n, void *to)
{
	_cleanup_free_ struct named_place *names = NULL;
	size_t count = 0;
	int err = 0;

	(void)to;
	if (n->kind != NODE_MAPPING)
		return report_unlike(at, key, n);
	names = calloc(n->count / 2 + 1, sizeof(*names));
	if (!names)
		return -ENOMEM;
	for (const struct node *k = n->first; k && !err; k = k->next->next) {
		const struct node *name = node_resolve(k);

		err = binding_visit(at, k);
		if (!err && name->kind != NODE_SCALAR)
			key_report_unexpected(at, key->name, name, "a name", "");
		else if (!err)
			err = key->named(at, name, node_resolve(k->next));
		if (!err && name->kind == NODE_SCALAR)
			names[count++] = (struct named_place){name->text, name->place};
	}
	binding_check_unique(at, "key", names, count);
	return err;
}

static void describe_later(struct buf *b, const struct key *key)
{
	(void)key;
	buf_add_str(b, "not supported yet");
}

/* Written out as off it changes nothing. */
static int bind_later(struct binding *at, const struct key *key, const struct node *n, void *to)
{
	size_t row = (size_t)(key - at->schema->keys);
	bool on = true;

	(void)n, (void)to;
	if (n->kind != NODE_SCALAR || !bool_parse(n->text, &on) || on)
		binding_error(
			at, at->keys[row]->place,
			"'%s' is a key of ebpf_exporter that this version does not support yet",
			key->name);
	return 0;
}

static void release_nothing(const struct key *key, void *from)
{
	(void)key, (void)from;
}

const struct key_type_ops key_types[] = {
	[KEY_TEXT] = {describe_text, bind_text, release_text},
	[KEY_BOOL] = {describe_bool, bind_bool, release_nothing},
	[KEY_BOOL_NOT] = {describe_bool, bind_bool_not, release_nothing},
	[KEY_U32] = {describe_u32, bind_u32, release_nothing},
	[KEY_S32] = {describe_s32, bind_s32, release_nothing},
	[KEY_FACTOR] = {describe_factor, bind_factor, release_nothing},
	[KEY_DURATION] = {describe_duration, bind_duration, release_nothing},
	[KEY_ENUM] = {describe_enum, bind_enum, release_enum},
	[KEY_TEXTS] = {describe_texts, bind_texts, release_texts},
	[KEY_ONE_OR_MORE] = {describe_one_or_more, bind_one_or_more, release_texts},
	[KEY_NUMBERS] = {describe_numbers, bind_numbers, release_numbers},
	[KEY_PAIRS] = {describe_pairs, bind_pairs, release_pairs},
	[KEY_MAPPING] = {describe_mapping, bind_sub, release_sub},
	[KEY_ROWS] = {describe_rows, bind_rows, release_rows},
	[KEY_NAMED] = {describe_mapping, bind_named, release_nothing},
	[KEY_LATER] = {describe_later, bind_later, release_nothing},
};
