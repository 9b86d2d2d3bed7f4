/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The configs in this folder are written as people write them for ebpf_exporter: objects and
 * manifests of their own, with none of our headers and none of our keys.
 *
 * A test needs exact numbers: where all processes would be seen, these look only at the threads
 * that the test calls OURS.
 */
#pragma once

#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define OURS "dropin-test"

static __always_inline int is_ours(void)
{
	char comm[16] = {0};

	bpf_get_current_comm(comm, sizeof(comm));
	for (int i = 0; i < (int)sizeof(OURS); i++) {
		if (comm[i] != OURS[i])
			return 0;
	}
	return 1;
}

/* As ebpf_exporter's examples have it, in maps.bpf.h. */
static __attribute__((noinline, unused)) int increment_map(void *map, const void *key,
							   __u64 increment)
{
	__u64 zero = 0, *count = bpf_map_lookup_elem(map, key);

	if (!count) {
		bpf_map_update_elem(map, key, &zero, BPF_NOEXIST);
		count = bpf_map_lookup_elem(map, key);
		if (!count)
			return 0;
	}
	__sync_fetch_and_add(count, increment);
	return 1;
}

/* Rounded up, as `le` includes its bound. */
static __attribute__((noinline, unused)) __u64 log2l_up(__u64 v)
{
	__u64 log = 1;

	if (v <= 1)
		return 0;
	v--; /* no __builtin_clzll(): clang 14 has none for BPF, and crashes */
	for (int shift = 32; shift; shift /= 2) {
		if (v >> shift) {
			v >>= shift;
			log += shift;
		}
	}
	return log;
}

char LICENSE[] SEC("license") = "GPL";
