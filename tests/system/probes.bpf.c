/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Ways to see a process connect, and ways that no kernel has. Each program counts how often it saw
 * processes of one name do it; only ways that are used are loaded.
 */
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

enum program {
	FENTRY,
	KPROBE,
	TP_BTF,
	NO_FUNCTION,
	NO_TRACEPOINT,
	NOT_ATTACHED,
	NO_SUCH_FIELD,
	REFUSED,
	NETFILTER,
	AS_LAST,
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
	return 0;
}

SEC("fentry/tcp_connect")
int by_fentry(void *ctx)
{
	(void)ctx;
	return count_mine(FENTRY);
}

SEC("kprobe/tcp_connect")
int by_kprobe(void *ctx)
{
	(void)ctx;
	return count_mine(KPROBE);
}

enum { TCP_SYN_SENT = 2 };

/* (sk, oldstate, newstate), include/trace/events/sock.h */
SEC("tp_btf/inet_sock_set_state")
int by_tp_btf(__u64 *ctx)
{
	return ctx[2] == TCP_SYN_SENT ? count_mine(TP_BTF) : 0;
}

SEC("raw_tp/inet_sock_set_state")
int as_last(struct bpf_raw_tracepoint_args *ctx)
{
	return ctx->args[2] == TCP_SYN_SENT ? count_mine(AS_LAST) : 0;
}

SEC("fentry/no_such_function")
int no_function(void *ctx)
{
	(void)ctx;
	return count_mine(NO_FUNCTION);
}

SEC("tp_btf/no_such_tracepoint")
int no_tracepoint(void *ctx)
{
	(void)ctx;
	return count_mine(NO_TRACEPOINT);
}

/* It is loaded, and only then found not to be there. */
SEC("raw_tp/no_such_tracepoint")
int not_attached(void *ctx)
{
	(void)ctx;
	return count_mine(NOT_ATTACHED);
}

struct sock {
	int no_such_field;
} __attribute__((preserve_access_index));

SEC("tp_btf/inet_sock_set_state")
int no_such_field(__u64 *ctx)
{
	const struct sock *sk = (const void *)ctx[0];

	return sk->no_such_field ? count_mine(NO_SUCH_FIELD) : 0;
}

SEC("raw_tp/inet_sock_set_state")
int refused(struct bpf_raw_tracepoint_args *ctx)
{
	return *(volatile int *)ctx->args[0] ? count_mine(REFUSED) : 0;
}

/* Whose packet it is cannot be asked there in each kernel. */
SEC("netfilter")
int by_netfilter(void *ctx)
{
	__u32 program = NETFILTER;
	__u64 *runs = bpf_map_lookup_elem(&runs_total, &program);

	(void)ctx;
	if (runs)
		__sync_fetch_and_add(runs, 1);
	return 1; /* NF_ACCEPT */
}
