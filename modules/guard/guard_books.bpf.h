/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The maps of guard_books.h: user space's own, here so that they outlive it with the others. */
#pragma once

#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>

#include "guard_books.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, GUARD_LIMIT_BOOKS_MAX);
	__type(key, struct guard_target);
	__type(value, struct guard_limit_book);
} guard_limit_books SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, GUARD_PENDING_MAX);
	__type(key, __u32);
	__type(value, struct guard_pending);
} guard_pending SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct guard_memory);
} guard_memory SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct guard_gauges);
} guard_gauges SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, GUARD_LISTS *GUARD_ENTRY_KINDS);
	__type(key, __u32);
	__type(value, __u64);
} guard_entries SEC(".maps");

/* How long ago the heartbeat was when somebody asked, in seconds. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} guard_heartbeat SEC(".maps");
