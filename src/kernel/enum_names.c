// SPDX-License-Identifier: MIT
#include "kernel/enum_names.h"

#include <bpf/btf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/suggest.h"

struct value {
	uint64_t number; /* cut to the bits of the enum */
	uint32_t order;  /* in the enum: of several names, the first is taken */
	const char *name;
};

struct enum_names {
	struct value *values; /* by number */
	size_t count;
	uint32_t size; /* bytes of the enum */
	char *names;   /* one behind the other */
};

static void free_btf(struct btf **btf)
{
	btf__free(*btf);
}

static uint64_t cut(uint64_t number, uint32_t size)
{
	return size < sizeof(number) ? number & ((UINT64_C(1) << (8 * size)) - 1) : number;
}

static int compare(const void *a, const void *b)
{
	const struct value *x = a, *y = b;

	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

static bool is_whole_enum(const struct btf_type *t)
{
	return btf_is_any_enum(t) && btf_vlen(t) > 0 && t->name_off;
}

static const struct btf_type *find_enum(const struct btf *btf, const char *name)
{
	for (uint32_t id = 1; id < btf__type_cnt(btf); id++) {
		const struct btf_type *t = btf__type_by_id(btf, id);

		if (is_whole_enum(t) && STREQ(btf__name_by_offset(btf, t->name_off), name))
			return t;
	}
	return NULL;
}

static int report_unknown(const struct btf *btf, const char *name, struct error *e)
{
	uint32_t n_types = btf__type_cnt(btf);
	_cleanup_free_ const char **names = calloc(n_types, sizeof(*names));
	const char *nearest = NULL;
	size_t n = 0;

	for (uint32_t id = 1; names && id < n_types; id++) {
		const struct btf_type *t = btf__type_by_id(btf, id);

		if (is_whole_enum(t))
			names[n++] = btf__name_by_offset(btf, t->name_off);
	}
	if (names)
		nearest = suggest_nearest(name, names, n);
	return error_set_usage(e, "this kernel has no enum '%s'%s%s%s", name,
			       nearest ? ", did you mean '" : "", nearest ? nearest : "",
			       nearest ? "'?"
				       : "; see: bpftool btf dump file "
					 "/sys/kernel/btf/vmlinux format c");
}

static uint64_t value_at(const struct btf_type *t, uint32_t index)
{
	if (btf_is_enum64(t))
		return btf_enum64_value(btf_enum64(t) + index);
	return (uint64_t)(int64_t)btf_enum(t)[index].val;
}

static const char *name_at(const struct btf *btf, const struct btf_type *t, uint32_t index)
{
	return btf__name_by_offset(btf, btf_is_enum64(t) ? btf_enum64(t)[index].name_off
							 : btf_enum(t)[index].name_off);
}

/* The names are copied, so that the BTF, some megabytes, need not stay. */
static int copy_values(struct enum_names *e, const struct btf *btf, const struct btf_type *t)
{
	uint32_t count = btf_vlen(t);
	size_t size = 0;
	char *to;

	for (uint32_t i = 0; i < count; i++)
		size += strlen(name_at(btf, t, i)) + 1;
	e->names = to = malloc(size);
	e->values = calloc(count, sizeof(*e->values));
	if (!e->names || !e->values)
		return -ENOMEM;
	e->count = count;
	e->size = t->size;
	for (uint32_t i = 0; i < count; i++) {
		e->values[i] = (struct value){cut(value_at(t, i), t->size), i, to};
		to = stpcpy(to, name_at(btf, t, i)) + 1;
	}
	qsort(e->values, count, sizeof(*e->values), compare);
	return 0;
}

static int read_names(const struct btf *btf, const char *name, struct enum_names **ret,
		      struct error *e)
{
	const struct btf_type *t = find_enum(btf, name);
	struct enum_names *found;
	int err;

	if (!t)
		return report_unknown(btf, name, e);
	found = calloc(1, sizeof(*found));
	err = found ? copy_values(found, btf, t) : -ENOMEM;
	if (err) {
		enum_names_free(found);
		return error_set(e, err, "no memory for the names of enum '%s'", name);
	}
	*ret = found;
	return 0;
}

static int read_held(struct kernel_btf *k, const char *module, const char *name,
		     struct enum_names **ret, struct error *e)
{
	struct btf *base = kernel_btf_get(k);
	const char *path = kernel_btf_path(k);
	_cleanup_(free_btf) struct btf *own = NULL;

	if (!base)
		return error_set_lacks(e, -errno, "cannot read the kernel's BTF%s%s: %s",
				       path ? " from " : "", path ? path : "", strerror(errno));
	if (module && !path)
		own = btf__load_module_btf(module, base);
	return read_names(own ? own : base, name, ret, e);
}

int enum_names_read_module(struct kernel_btf *k, const char *module, const char *name,
			   struct enum_names **ret, struct error *e)
{
	int err;

	kernel_btf_hold(k);
	err = read_held(k, module, name, ret, e);
	kernel_btf_release(k);
	return err;
}

int enum_names_read(struct kernel_btf *k, const char *name, struct enum_names **ret,
		    struct error *e)
{
	return enum_names_read_module(k, NULL, name, ret, e);
}

void enum_names_free(struct enum_names *e)
{
	if (!e)
		return;
	free(e->values);
	free(e->names);
	free(e);
}

const char *enum_names_find(const struct enum_names *e, uint64_t number)
{
	size_t low = 0, high = e->count;
	uint64_t wanted = cut(number, e->size);

	/* What has more bits than the enum is another number, but for a sign. */
	if (wanted != number && (int64_t)number >= 0)
		return NULL;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (e->values[middle].number < wanted)
			low = middle + 1;
		else
			high = middle;
	}
	return low < e->count && e->values[low].number == wanted ? e->values[low].name : NULL;
}
