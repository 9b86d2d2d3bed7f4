/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * How long packets take in this host's stack. The way in is measured from the receive timestamp,
 * which travels in the packet, the way out from TCP's transmit timestamp: so most of it needs no
 * state. See README.md for what each probe sees, and latency.h for the maps.
 *
 * In each of these files, where one program notes what another looks for, the other stands first:
 * it is attached first and detached last, so that nothing that was noted is missed.
 */
#include "latency_netfilter.bpf.h"
#include "latency_qdisc.bpf.h"
#include "latency_softirq.bpf.h"
#include "latency_stack.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";
