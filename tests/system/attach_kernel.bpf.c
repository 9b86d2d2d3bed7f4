/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Programs at functions of the kernel: each counts how often processes of one name get there. None
 * is loaded unless a row asks for it.
 */
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>

enum program {
	KPROBE,
	KRETPROBE,
	KPROBE_MULTI,
	KRETPROBE_MULTI,
	KSYSCALL,
	KRETSYSCALL,
	FENTRY,
	FEXIT,
	FMOD_RET,
	LSM,
	PROGRAMS
};

const volatile char comm[16] = "";

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PROGRAMS);
	__type(key, __u32);
	__type(value, __u64);
} runs_total SEC(".maps");

static __always_inline int count_mine(__u32 program)
{
	__u64 *runs = bpf_map_lookup_elem(&runs_total, &program);
	char name[16] = {};

	bpf_get_current_comm(name, sizeof(name));
	for (int i = 0; i < 16; i++) {
		if (name[i] != comm[i])
			return 0;
		if (!name[i])
			break;
	}
	if (runs)
		__sync_fetch_and_add(runs, 1);
	return 0; /* fmod_ret and LSM: allowed */
}

#define PROGRAM(section, name, number)                                                             \
	SEC("?" section) int name(void *ctx)                                                       \
	{                                                                                          \
		(void)ctx;                                                                         \
		return count_mine(number);                                                         \
	}

PROGRAM("kprobe/tcp_connect", on_kprobe, KPROBE)
PROGRAM("kretprobe/tcp_connect", on_kretprobe, KRETPROBE)
PROGRAM("kprobe.multi/tcp_connec?", on_kprobe_multi, KPROBE_MULTI)
PROGRAM("kretprobe.multi/tcp_connec?", on_kretprobe_multi, KRETPROBE_MULTI)
PROGRAM("ksyscall/getppid", on_ksyscall, KSYSCALL)
PROGRAM("kretsyscall/getppid", on_kretsyscall, KRETSYSCALL)
PROGRAM("fentry/tcp_connect", on_fentry, FENTRY)
PROGRAM("fexit/tcp_connect", on_fexit, FEXIT)
PROGRAM("fmod_ret/security_socket_connect", on_fmod_ret, FMOD_RET)
PROGRAM("lsm/socket_connect", on_lsm, LSM)

/* In Debian's kernels compilers made "ip_rcv_finish_core.isra.0" of it, or ".constprop.0". */
PROGRAM("kprobe/ip_rcv_finish_core", on_changed_kprobe, KPROBE)
PROGRAM("fentry/ip_rcv_finish_core", on_changed_fentry, FENTRY)

/* Each kernel takes this one, so that the config runs without the others. */
SEC("raw_tp/sys_exit")
int sound(void *ctx)
{
	(void)ctx;
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
