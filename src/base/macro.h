/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>

#define ARRAY_SIZE(a)     (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)         ((a) < (b) ? (a) : (b))
#define MAX(a, b)         ((a) > (b) ? (a) : (b))
#define ROUND_UP(n, to)   (((n) + (to)-1) / (to) * (to))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define STREQ(a, b)       (strcmp(a, b) == 0)

/* The structure that holds @ptr as its @member. */
#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
