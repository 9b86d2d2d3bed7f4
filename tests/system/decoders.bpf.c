/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Keys that only the kernel can tell: cgroup and network namespace of who executes a program. */
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

struct ns_common {
	unsigned int inum;
} __attribute__((preserve_access_index));

struct net {
	struct ns_common ns;
} __attribute__((preserve_access_index));

struct nsproxy {
	struct net *net_ns;
} __attribute__((preserve_access_index));

struct task_struct {
	struct nsproxy *nsproxy;
} __attribute__((preserve_access_index));

#define MAP(name, key_type)                                                                        \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_HASH);                                                   \
		__uint(max_entries, 1024);                                                         \
		__type(key, key_type);                                                             \
		__type(value, __u64);                                                              \
	} name SEC(".maps")

MAP(execs_total, __u64);
MAP(namespace_execs_total, __u32);
MAP(number_total, __u32); /* a test writes into it */

static __always_inline void count(void *map, const void *key)
{
	__u64 one = 1, *present = bpf_map_lookup_elem(map, key);

	if (present)
		__sync_fetch_and_add(present, 1);
	else
		bpf_map_update_elem(map, key, &one, BPF_NOEXIST);
}

SEC("raw_tp/sched_process_exec")
int count_exec(void *ctx)
{
	const struct task_struct *task = (void *)bpf_get_current_task();
	__u32 namespace = BPF_CORE_READ(task, nsproxy, net_ns, ns.inum);
	__u64 group = bpf_get_current_cgroup_id();

	(void)ctx;
	count(&execs_total, &group);
	count(&namespace_execs_total, &namespace);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
