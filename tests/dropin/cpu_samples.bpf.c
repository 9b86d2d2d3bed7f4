// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "dropin.h"
#include <linux/bpf_perf_event.h>

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} cpu_samples_total SEC(".maps");

struct kind_key {
	__u32 kernel;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 16);
	__type(key, struct kind_key);
	__type(value, __u64);
} cpu_mode_samples_total SEC(".maps");

/* PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK */
SEC("perf_event/type=1,config=0,frequency=499")
int sample(struct bpf_perf_event_data *ctx)
{
	struct kind_key kind = {.kernel = bpf_get_smp_processor_id() & 0};
	__u32 zero = 0;

	increment_map(&cpu_samples_total, &zero, 1);
	increment_map(&cpu_mode_samples_total, &kind, 1);
	return 0;
}
