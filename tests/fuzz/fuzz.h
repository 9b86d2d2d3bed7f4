/* SPDX-License-Identifier: MIT */
/*
 * A fuzz target is one file, fuzz_<name>.c here or in modules/<module>/, with this one function,
 * and what it starts from: tests/fuzz/corpus/<name>/. `make fuzz` links it to libFuzzer; `make
 * test` to replay.c, which gives it each file of the corpus.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Does with @data what a stranger could do; a sanitizer or an assert() tells of a bug. Keeps
 * nothing from one call to the next. Gives back 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
