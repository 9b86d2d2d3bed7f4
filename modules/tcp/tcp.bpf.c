/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What becomes of TCP connections. Nothing here runs for each packet, but tcp_probe() where that is
 * asked for: connections are followed by their changes of state, and what the kernel counts for
 * each socket is taken over when metrics are read and when the connection ends.
 *
 *	SYN sent ──► tcp_open: when, who ──► established: latency ──► … ──► closed: all the rest
 *	                ▲
 *	iter/tcp ───────┘ at each scrape: what is new since the last, also of sockets that are older
 *	                  than this program
 *
 * Each socket's numbers are added as differences to what was counted of it before, which tcp_open
 * remembers; so the counters only grow, and nothing counts twice.
 */
#include "tcp_changes.bpf.h"
#include "tcp_overflow.bpf.h"
#include "tcp_resets.bpf.h"
#include "tcp_sockets.bpf.h"

/* Packets that arrive: only where asked for. */
SEC("tp_btf/tcp_probe")
int BPF_PROG(tcp_sample_rtt, const struct sock *sk)
{
	const struct tcp_sock *tp = bpf_skc_to_tcp_sock((void *)sk);
	struct tcp_rtt_totals *totals;
	struct tcp_key key;

	if (!tp || !tp->srtt_us)
		return 0;
	key = key_of(sk, 0, 0);
	totals = map_find_or_add(&tcp_rtt, &key, &no_rtt_totals);
	if (totals)
		observe_latency(totals->rtt, &totals->sum, (__u64)(tp->srtt_us >> 3) * 1000);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
