// SPDX-License-Identifier: MIT
#include "kernel/rodata.h"

#include <bpf/btf.h>
#include <errno.h>
#include <string.h>

#include "base/macro.h"

#define SECTION ".rodata"

/* One variable in the memory from which its map will be filled. */
struct variable {
	const struct btf *btf;
	const struct btf_type *type; /* without const, volatile and typedefs */
	uint8_t *data;
	size_t size;
};

/* Never NULL, whatever the object says. */
static const char *name_at(const struct btf *btf, uint32_t offset)
{
	const char *name = btf__name_by_offset(btf, offset);

	return name ? name : "";
}

static bool is_rodata(const char *section)
{
	size_t len = strlen(SECTION);

	return strncmp(section, SECTION, len) == 0 && (section[len] == '\0' || section[len] == '.');
}

/* 1 when found. -EINVAL when what BTF says of its place is not within the section's data. */
static int find_in_section(struct bpf_object *o, const struct btf_type *section, const char *name,
			   struct variable *ret)
{
	const struct btf *btf = bpf_object__btf(o);
	const struct btf_var_secinfo *info = btf_var_secinfos(section);
	const char *section_name = name_at(btf, section->name_off);

	for (unsigned i = 0; i < btf_vlen(section); i++, info++) {
		const struct btf_type *var = btf__type_by_id(btf, info->type);
		const struct bpf_map *map;
		size_t size = 0;
		uint8_t *data;
		int id;

		if (!var || !btf_is_var(var) || !STREQ(name_at(btf, var->name_off), name))
			continue;
		map = bpf_object__find_map_by_name(o, section_name);
		data = map ? (uint8_t *)bpf_map__initial_value((struct bpf_map *)map, &size) : NULL;
		id = btf__resolve_type(btf, var->type);
		if (!data || id < 0 || info->offset > size || info->size > size - info->offset)
			return -EINVAL;
		*ret = (struct variable){btf, btf__type_by_id(btf, (uint32_t)id),
					 data + info->offset, info->size};
		return 1;
	}
	return 0;
}

static int find(struct bpf_object *o, const char *name, struct variable *ret, struct error *e)
{
	const struct btf *btf = bpf_object__btf(o);
	uint32_t count = btf ? btf__type_cnt(btf) : 0;

	for (uint32_t id = 1; id < count; id++) {
		const struct btf_type *type = btf__type_by_id(btf, id);
		int r = 0;

		if (btf_is_datasec(type) && is_rodata(name_at(btf, type->name_off)))
			r = find_in_section(o, type, name, ret);
		if (r < 0)
			return error_set(e, r, "the object's BTF is wrong about variable \"%s\"",
					 name);
		if (r > 0)
			return 0;
	}
	return error_set(e, -ENOENT, "the object has no `const volatile` variable \"%s\"%s", name,
			 btf ? "" : ", nor BTF that would tell (compile it with -g)");
}

static bool is_integer(const struct btf_type *type)
{
	return btf_is_int(type) || btf_is_any_enum(type);
}

static bool is_signed(const struct btf_type *type)
{
	return btf_is_int(type) ? btf_int_encoding(type) & BTF_INT_SIGNED : btf_kflag(type);
}

static uint64_t greatest(const struct btf_type *type, size_t size)
{
	if (btf_is_int(type) && btf_int_encoding(type) & BTF_INT_BOOL)
		return 1;
	return UINT64_MAX >> (64 - size * 8 + (is_signed(type) ? 1 : 0));
}

/* Writes @value, of type @type in @size bytes, to @to: a part of @variable. */
static int write_uint(uint8_t *to, const struct btf_type *type, size_t size, const char *variable,
		      uint64_t value, struct error *e)
{
	if (value > greatest(type, size))
		return error_set(e, -ERANGE, "%llu is too large for variable \"%s\" (at most %llu)",
				 (unsigned long long)value, variable,
				 (unsigned long long)greatest(type, size));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	value <<= 64 - size * 8;
#endif
	memcpy(to, &value, size);
	return 0;
}

int rodata_set_uint(struct bpf_object *o, const char *variable, uint64_t value, struct error *e)
{
	struct variable v;
	int r = find(o, variable, &v, e);

	if (r < 0)
		return r;
	if (!is_integer(v.type) || v.size == 0 || v.size > sizeof(value))
		return error_set(e, -EINVAL, "variable \"%s\" is not an integer", variable);
	return write_uint(v.data, v.type, v.size, variable, value, e);
}

/* What the array @v is made of; NULL where it is none. */
static const struct btf_type *element_of(const struct variable *v)
{
	int id = btf_is_array(v->type) ? btf__resolve_type(v->btf, btf_array(v->type)->type) : -1;

	return id > 0 ? btf__type_by_id(v->btf, (uint32_t)id) : NULL;
}

int rodata_set_uints(struct bpf_object *o, const char *variable, const uint64_t *values,
		     size_t count, struct error *e)
{
	const struct btf_type *element;
	struct variable v;
	int r = find(o, variable, &v, e);

	if (r < 0)
		return r;
	element = element_of(&v);
	if (!element || !is_integer(element) || element->size == 0 ||
	    element->size > sizeof(*values))
		return error_set(e, -EINVAL, "variable \"%s\" is not an array of integers",
				 variable);
	if (count > v.size / element->size)
		return error_set(e, -ERANGE, "%zu are too many for variable \"%s\" (at most %zu)",
				 count, variable, v.size / element->size);
	memset(v.data, 0, v.size);
	for (size_t i = 0; i < count && !r; i++)
		r = write_uint(v.data + i * element->size, element, element->size, variable,
			       values[i], e);
	return r;
}

int rodata_set_string(struct bpf_object *o, const char *variable, const char *value,
		      struct error *e)
{
	const struct btf_type *element;
	size_t len = strlen(value);
	struct variable v;
	int r = find(o, variable, &v, e);

	if (r < 0)
		return r;
	element = element_of(&v);
	if (!element || !btf_is_int(element) || element->size != 1)
		return error_set(e, -EINVAL, "variable \"%s\" is not an array of char", variable);
	if (len >= v.size)
		return error_set(e, -ERANGE,
				 "\"%s\" is too long for variable \"%s\" (at most %zu bytes)",
				 value, variable, v.size ? v.size - 1 : 0);
	memset(v.data, 0, v.size);
	memcpy(v.data, value, len);
	return 0;
}
