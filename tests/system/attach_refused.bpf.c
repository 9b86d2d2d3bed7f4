/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Programs that this kernel or that one refuses, or that none can attach; and one that all take. */
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} sound_total SEC(".maps");

SEC("?raw_tp/sys_enter")
int sound(void *ctx)
{
	__u32 zero = 0;
	__u64 *n = bpf_map_lookup_elem(&sound_total, &zero);

	(void)ctx;
	if (n)
		__sync_fetch_and_add(n, 1);
	return 0;
}

/* No verifier takes a program that reads beyond its context. */
SEC("?raw_tp/sys_exit")
int unsound(void *ctx)
{
	return *((int *)ctx + (1 << 20));
}

#define PROGRAM(section, name)                                                                     \
	SEC("?" section) int name(void *ctx)                                                       \
	{                                                                                          \
		(void)ctx;                                                                         \
		return 0;                                                                          \
	}

PROGRAM("fentry/tcp_connect", on_fentry)
PROGRAM("fentry/wiregauge_no_such", on_fentry_missing)
PROGRAM("lsm/file_open", on_lsm)
PROGRAM("tp_btf/wiregauge_no_such", on_btf_missing)
PROGRAM("freplace/anything", on_freplace)
PROGRAM("kprobe/tcp_connect", on_kprobe)
PROGRAM("kprobe/wiregauge_no_such", on_kprobe_missing)
PROGRAM("kretprobe/wiregauge_no_such", on_kretprobe_missing)
PROGRAM("kprobe.multi/wiregauge_no_such*", on_kprobe_multi_missing)
PROGRAM("ksyscall/wiregauge_no_such", on_ksyscall_missing)
PROGRAM("tp/sched/sched_process_exec", on_tracepoint)
PROGRAM("tp/sched/wiregauge_no_such", on_tracepoint_missing)
PROGRAM("raw_tp/wiregauge_no_such", on_raw_missing)
PROGRAM("uprobe//nonexistent:f", on_uprobe_no_file)
PROGRAM("uprobe//proc/self/exe:wiregauge_no_such", on_uprobe_no_symbol)
PROGRAM("usdt//proc/self/exe:wiregauge:no_such", on_usdt_missing)
PROGRAM("xdp/wiregauge-none", on_xdp_missing)
PROGRAM("perf_event/type=1,config=0", on_perf_event_wrong)

char LICENSE[] SEC("license") = "Dual MIT/GPL";
