/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A program for each SEC() that says by itself where its program goes, as far as kernels without
 * kprobes have them; each counts how often it ran. None is loaded unless a row asks for it.
 * What many processes do is counted for those of one name only.
 */
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <linux/types.h>

#include <stdbool.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/usdt.bpf.h>

enum program {
	TRACEPOINT,
	RAW_TRACEPOINT,
	BTF_TRACEPOINT,
	UPROBE,
	URETPROBE,
	USDT,
	PERF_EVENT,
	ITER_TASK,
	ITER_TCP,
	ITER_UDP,
	XDP,
	MARK,
	PROGRAMS
};

const volatile char comm[16] = "";
const volatile __u32 port = 0;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PROGRAMS);
	__type(key, __u32);
	__type(value, __u64);
} runs_total SEC(".maps");

static __always_inline void add(__u32 program, __u64 amount)
{
	__u64 *runs = bpf_map_lookup_elem(&runs_total, &program);

	if (runs)
		__sync_fetch_and_add(runs, amount);
}

static __always_inline int is_comm(const char *name)
{
	for (int i = 0; i < 16; i++) {
		if (name[i] != comm[i])
			return 0;
		if (!name[i])
			break;
	}
	return 1;
}

/* Counts the process that it runs in. */
static __always_inline int count_mine(__u32 program)
{
	char name[16] = {};

	bpf_get_current_comm(name, sizeof(name));
	if (is_comm(name))
		add(program, 1);
	return 0;
}

SEC("?tp/sched/sched_process_exec")
int on_tracepoint(void *ctx)
{
	(void)ctx;
	return count_mine(TRACEPOINT);
}

SEC("?raw_tp/sched_process_exec")
int on_raw_tracepoint(void *ctx)
{
	(void)ctx;
	return count_mine(RAW_TRACEPOINT);
}

SEC("?tp_btf/sched_process_exec")
int on_btf_tracepoint(void *ctx)
{
	(void)ctx;
	return count_mine(BTF_TRACEPOINT);
}

SEC("?uprobe/./target:probed")
int on_uprobe(struct pt_regs *ctx)
{
	add(UPROBE, PT_REGS_PARM1(ctx));
	return 0;
}

SEC("?uretprobe/./target:probed")
int on_uretprobe(struct pt_regs *ctx)
{
	add(URETPROBE, PT_REGS_RC(ctx));
	return 0;
}

SEC("?usdt/./target:wiregauge:hit")
int on_usdt(struct pt_regs *ctx)
{
	long number = 0;

	bpf_usdt_arg(ctx, 0, &number);
	add(USDT, number);
	return 0;
}

SEC("?perf_event/type=1,config=0,frequency=100")
int on_perf_event(void *ctx)
{
	(void)ctx;
	add(PERF_EVENT, 1);
	return 0;
}

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct task_struct {
	char comm[16];
};

struct bpf_iter__task {
	struct task_struct *task;
};

struct sock_common {
	__u16 skc_num;
};

struct bpf_iter__tcp {
	struct sock_common *sk_common;
};

struct sock {
	struct sock_common __sk_common;
};

struct bpf_iter__udp {
	struct sock *udp_sk; /* a struct udp_sock, which begins with it in each version */
};

#pragma clang attribute pop

SEC("?iter/task")
int on_iter_task(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	char name[16] = {};

	if (!task)
		return 0;
	bpf_core_read(name, sizeof(name), &task->comm);
	if (is_comm(name))
		add(ITER_TASK, 1);
	return 0;
}

SEC("?iter/tcp")
int on_iter_tcp(struct bpf_iter__tcp *ctx)
{
	struct sock_common *sock = ctx->sk_common;

	if (sock && sock->skc_num == port)
		add(ITER_TCP, 1);
	return 0;
}

SEC("?iter/udp")
int on_iter_udp(struct bpf_iter__udp *ctx)
{
	struct sock *sock = ctx->udp_sk;
	__u16 number;

	if (!sock)
		return 0;
	bpf_core_read(&number, sizeof(number), &sock->__sk_common.skc_num);
	if (number == port)
		add(ITER_UDP, 1);
	return 0;
}

SEC("?xdp/wire")
int on_xdp(struct xdp_md *xdp)
{
	(void)xdp;
	add(XDP, 1);
	return XDP_PASS;
}

SEC("?uprobe//proc/self/exe:post_attach_mark")
int on_mark(void *ctx)
{
	(void)ctx;
	add(MARK, 1);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
