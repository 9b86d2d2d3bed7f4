/* SPDX-License-Identifier: MIT */
/* Kernel symbols by address, from /proc/kallsyms; read at the first question, not before. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct ksyms; /* opaque */

int ksyms_new(struct ksyms **ret);
void ksyms_free(struct ksyms *k);

/*
 * The symbol at exactly @address, which lives as long as @k; NULL where there is none, and where
 * kallsyms cannot be read or hides addresses (kernel.kptr_restrict). Thread-safe. Symbols of
 * modules that were loaded after the first question are found too: an unknown address reads the
 * file again, once in 10 s at most.
 */
const char *ksyms_name(struct ksyms *k, uint64_t address);

/* The same for the symbol at or nearest before @address: NULL also where that is so far that the
 * address cannot be in its code. Where a module was loaded since, the file is read again first. */
const char *ksyms_nearest(struct ksyms *k, uint64_t address);

/* The address of @symbol: -ENOENT where there is none, -EPERM where addresses are hidden. */
int ksyms_address(struct ksyms *k, const char *symbol, uint64_t *ret, struct error *e);
