/* SPDX-License-Identifier: MIT */
/*
 * The modules and pipelines that are in the binary: a manifest and, but for packet stages, a BPF
 * object each, as they would be in two files. The build makes a row for each folder under modules/
 * and each pipeline/<name>.bpf.c (tools/embed-module); the linker gathers the rows, so that no list
 * is kept.
 */
#pragma once

#include <stddef.h>

struct builtin_module {
	const char *name;
	const char *manifest; /* YAML; a NUL follows it */
	size_t manifest_len;
	const void *object; /* ELF; NULL for a packet stage: its code is in its pipeline's object */
	size_t object_len;
	enum { BUILTIN_MODULE, BUILTIN_PIPELINE } kind;
};

/*
 * Defines a row: BUILTIN_MODULE_ROW(packets) = {.name = "packets", …}; The section holds pointers,
 * as a compiler may align structs further apart than their size.
 */
#define BUILTIN_MODULE_ROW(name_)                                                                  \
	static const struct builtin_module name_##_builtin;                                        \
	static const struct builtin_module *const name_##_builtin_row                              \
		__attribute__((used, section("builtin_modules"))) = &name_##_builtin;              \
	static const struct builtin_module name_##_builtin

/* In the order of names; from index 0, NULL past the end. */
const struct builtin_module *builtin_at(size_t index);

/* NULL when there is none of that name. */
const struct builtin_module *builtin_find(const char *name);

/* The objects are read when they are loaded and seldom again: their pages go out of this process,
 * and come from the binary's file when they are wanted. */
void builtin_page_out(void);

#define builtin_for_each(module)                                                                   \
	for (size_t builtin_index_ = 0; ((module) = builtin_at(builtin_index_)); builtin_index_++)
