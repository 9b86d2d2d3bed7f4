/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The iterator over all sockets, which runs when metrics are read. */
#pragma once

#include "tcp_connection.bpf.h"
#include "tcp_listener.bpf.h"

static __always_inline struct states *counting(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&tcp_counting, &zero);
}

static __always_inline void count_state(const struct sock_common *skc, __u32 state)
{
	__u32 version = tcp_by_ip_version && ip_version(skc) == 6;
	struct states *states = counting();

	if (state == TCP_NEW_SYN_RECV) /* what is to become a socket; ss says the same */
		state = TCP_SYN_RECV;
	barrier_var(state); /* the verifier has to see the number checked that is used */
	if (states && state < TCP_STATES)
		states->count[state][version]++;
}

static __always_inline void observe_windows(const struct sock *sk, const struct tcp_sock *tp)
{
	struct tcp_key key = key_of(sk, 0, 0);
	struct tcp_window_totals *totals = map_find_or_add(&tcp_windows, &key, &no_window_totals);
	__u32 ssthresh = tp->snd_ssthresh;

	if (!totals)
		return;
	observe_segments(totals->cwnd, &totals->cwnd_sum, tp->snd_cwnd);
	if (ssthresh < TCP_INFINITE_SSTHRESH)
		observe_segments(totals->ssthresh, &totals->ssthresh_sum, ssthresh);
}

static __always_inline void look_at(const struct sock *sk, const struct tcp_sock *tp, __u8 state)
{
	struct tcp_connection *c = find(sk);

	if (state == TCP_SYN_SENT)
		return;
	if (!c)
		c = follow_older(sk, tp);
	else
		account(sk, tp, c);
	if (c)
		copy_condition(c, tp, state);
	if (state == TCP_ESTABLISHED || state == TCP_CLOSE_WAIT) /* it may send */
		observe_windows(sk, tp);
}

static __always_inline void publish_state(struct states *states, __u32 state, __u32 netns)
{
	__u64 number = states->count[state][0];
	struct tcp_key key = {.netns = netns, .kind = (__u8)state};

	if (tcp_by_ip_version) {
		key.ip_version = 6;
		bpf_map_update_elem(&tcp_connections, &key, &states->count[state][1], BPF_ANY);
		key.ip_version = 4;
	}
	bpf_map_update_elem(&tcp_connections, &key, &number, BPF_ANY);
	states->count[state][0] = states->count[state][1] = 0;
}

static __always_inline void publish_states(void)
{
	/* The reader's, whose sockets these are. */
	struct task_struct *task = (void *)bpf_get_current_task();
	__u32 netns = tcp_by_netns ? BPF_CORE_READ(task, nsproxy, net_ns, ns.inum) : 0;
	struct states *states = counting();

	if (!states)
		return;
	for (__u32 state = TCP_ESTABLISHED; state < TCP_NEW_SYN_RECV; state++) {
		if (state != TCP_CLOSE) /* in no table of the kernel's */
			publish_state(states, state, netns);
	}
}

/* A connection without a socket: its handshake is not done, or it waits for its end. */
static __always_inline void count_minisocket(struct sock_common *skc)
{
	const struct tcp_timewait_sock *tw = (const void *)bpf_skc_to_tcp_timewait_sock(skc);

	count_state(skc, tw ? tw->tw_sk.tw_substate : skc->skc_state);
}

static __always_inline int visit(struct sock_common *skc)
{
	const struct tcp_sock *tp;
	__u8 state;

	if (!skc) {
		publish_states();
		settle_overflows();
		return 0;
	}
	tp = bpf_skc_to_tcp_sock(skc);
	if (!tp) {
		count_minisocket(skc);
		return 0;
	}
	state = skc->skc_state;
	count_state(skc, state);
	if (state == TCP_LISTEN)
		account_listener((const struct sock *)tp);
	else
		look_at((const struct sock *)tp, tp, state);
	return 0;
}

SEC("iter/tcp")
int tcp_sockets(struct bpf_iter__tcp *ctx)
{
	return visit(ctx->sk_common);
}

/* The same where overflows of listening sockets have no event. */
SEC("iter/tcp")
int tcp_sockets_share(struct bpf_iter__tcp *ctx)
{
	__u32 zero = 0;
	struct tcp_told *told = bpf_map_lookup_elem(&tcp_told, &zero);

	if (told)
		told->by_share = 1;
	return visit(ctx->sk_common);
}
