/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The flow table.
 *
 * A set-associative array instead of a hash map, for three reasons. A flow that is evicted hands
 * over what it counted *exactly*, also while other CPUs go on counting, which nobody can do for an
 * entry that is deleted from a map (who had looked it up before adds to what is no longer there).
 * The memory is bounded, and never full: the newest flow has a place always. And a packet of a
 * known flow costs a hash, one cache line of tags, a comparison and two additions, no helper.
 *
 * Why nothing gets lost: a place in the table is never freed, it changes hands. Counters are added
 * to atomically, without the lock; whoever evicts reads what a counter holds, adds that to `other`
 * and *subtracts* it from the counter. What another CPU adds in between stays in the counter. So
 * the sum over the table and `other` is right; the one thing that such a race may do is to count a
 * packet for the flow that came instead of the one that went.
 */
#pragma once

#include <bpf/bpf_core_read.h>

#include "kernel_types.bpf.h"
#include "maps.bpf.h"
#include "sender.bpf.h"
#include "stage.bpf.h"

#include "flows.h"

enum {
	/* How many packets of a flow are looked at to find its process: those that no process sends
	 * (answers of the kernel) are not looked at for ever. */
	FLOWS_TRIES_MAX = 64,
	/* Resolution of times where the kernel has no coarse clock: 2^22 ns, about a tick. */
	FLOWS_TICK_BITS = 22,
	/* Indices of the words of a key that the addresses begin in. */
	FLOWS_LOCAL = 0,
	FLOWS_REMOTE = 2,
	FLOWS_VLAN_MASK = 0xfff, /* of a TCI: the rest is priority */
	/* Unit of flows_set.seen: 2^20 ns; it is compared by difference and wraps in 52 days. */
	FLOWS_SEEN_BITS = 20,
};

const volatile bool flows_processes = true;

struct flows_set {
	struct bpf_spin_lock lock; /* who comes into the set; not the counters */
	__u32 padding;
	__u32 tags[FLOWS_WAYS]; /* 32 bits of the flow's hash, no two alike; 0: empty */
	__u32 seen[FLOWS_WAYS]; /* last_ns, here so that the oldest is found in one cache line */
	struct flows_flow flows[FLOWS_WAYS];
};

_Static_assert(__builtin_offsetof(struct flows_set, flows) == FLOWS_ROWS_OFFSET,
	       "flows.yaml: where the rows begin");

/* 32,768 flows, 4 MB. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2048);
	__type(key, __u32);
	__type(value, struct flows_set);
} flows_table SEC(".maps");

/* How many flows that is, for the hash. */
const volatile __u32 flows_size = 32768;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, struct flows_other_key);
	__type(value, struct flows_other);
} flows_other SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct flows_other);
} flows_no_room SEC(".maps");

static const struct flows_other flows_other_zero;

/* Random, so that nobody can choose addresses that share a set. Set by the first packet. */
__u64 flows_seeds[2];

/* A packet on its way into the table. */
struct flows_packet {
	union {
		struct flows_key key;
		__u64 words[sizeof(struct flows_key) / 8];
	};
	__u32 set; /* index into flows_table */
	__u32 tag;
	__u64 now;
};

/* ---- time ---- */

static __always_inline __u64 flows_now(void)
{
	/* From 5.11; a fifth of the price of the exact clock. */
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_ktime_get_coarse_ns))
		return bpf_ktime_get_coarse_ns();
	return bpf_ktime_get_ns() >> FLOWS_TICK_BITS << FLOWS_TICK_BITS;
}

/* ---- keys ---- */

/*
 * A field of a key, in the word that it is in. A key is put together in registers, word by word: to
 * write its fields and read words would have the CPU wait for each of them (no store forwarding
 * from several small stores to a larger load), which was half of what a known flow cost.
 */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define FLOWS_FIELD(value, member)                                                                 \
	((__u64)(value) << 8 * (__builtin_offsetof(struct flows_key, member) % 8))
#else
#define FLOWS_FIELD(value, member)                                                                 \
	((__u64)(value) << 8 * (8 - __builtin_offsetof(struct flows_key, member) % 8 -             \
				sizeof(((struct flows_key *)0)->member)))
#endif

/* An IPv4 address, @address as it is in the packet, as the second word of ::ffff:a.b.c.d. */
static __always_inline __u64 flows_mapped(__be32 address)
{
	struct {
		__be32 prefix, address;
	} words = {bpf_htonl(0xffff), address};

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return words.prefix | (__u64)words.address << 32;
#else
	return (__u64)words.prefix << 32 | words.address;
#endif
}

/* @from and @to: indices of the first word of where source and destination go. */
static __always_inline void flows_set_ipv4(const struct packet *p, __u64 *words, __u32 from,
					   __u32 to)
{
	const __u32 offset = __builtin_offsetof(struct iphdr, saddr);
	__be32 copy[2];
	const __be32 *ip = packet_bytes(p->skb, p->network_offset + offset, copy, sizeof(copy));

	if (!ip)
		return;
	words[from + 1] = flows_mapped(ip[0]);
	words[to + 1] = flows_mapped(ip[1]);
}

static __always_inline void flows_set_ipv6(const struct packet *p, __u64 *words, __u32 from,
					   __u32 to)
{
	const __u32 offset = __builtin_offsetof(struct ipv6hdr, saddr);
	__u64 copy[4];
	const __u64 *ip = packet_bytes(p->skb, p->network_offset + offset, copy, sizeof(copy));

	if (!ip)
		return;
	words[from] = ip[0];
	words[from + 1] = ip[1];
	words[to] = ip[2];
	words[to + 1] = ip[3];
}

static __always_inline __u16 flows_protocol(const struct packet *p)
{
	if (p->ip_version)
		return p->protocol;
	return p->ethertype < ETH_P_802_3_MIN ? FLOWS_PROTOCOL_LLC : p->ethertype;
}

static __always_inline void flows_set_key(const struct packet *p, struct flows_packet *f)
{
	bool in = p->direction == PACKET_INGRESS;
	__u16 local_port = in ? p->destination_port : p->source_port;
	__u16 remote_port = in ? p->source_port : p->destination_port;
	__u32 from = in ? FLOWS_REMOTE : FLOWS_LOCAL, to = in ? FLOWS_LOCAL : FLOWS_REMOTE;

	f->words[0] = f->words[1] = f->words[2] = f->words[3] = 0;
	if (p->ip_version == 4)
		flows_set_ipv4(p, f->words, from, to);
	else if (p->ip_version == 6)
		flows_set_ipv6(p, f->words, from, to);
	f->words[4] = FLOWS_FIELD(p->interface, interface) | FLOWS_FIELD(local_port, local_port) |
		      FLOWS_FIELD(remote_port, remote_port);
	f->words[5] = FLOWS_FIELD(flows_protocol(p), protocol) |
		      FLOWS_FIELD(p->vlan & FLOWS_VLAN_MASK, vlan) |
		      FLOWS_FIELD(p->inner_vlan & FLOWS_VLAN_MASK, inner_vlan) |
		      FLOWS_FIELD(p->direction, direction) | FLOWS_FIELD(p->ip_version, ip_version);
}

/* Six words, compared without a branch each. */
static __always_inline bool flows_key_is(const struct flows_key *key, const __u64 *words)
{
	const __u64 *x = (const __u64 *)key;

	return !((x[0] ^ words[0]) | (x[1] ^ words[1]) | (x[2] ^ words[2]) | (x[3] ^ words[3]) |
		 (x[4] ^ words[4]) | (x[5] ^ words[5]));
}

static __always_inline __u64 flows_random(void)
{
	return (__u64)bpf_get_prandom_u32() << 32 | bpf_get_prandom_u32();
}

/* Once, also where two CPUs have their first packet at the same time: a flow is in one set only. */
static __noinline int flows_sow(void)
{
	__u64 a = flows_random() | 1, b = flows_random();
	__u32 first = 0;
	struct flows_set *set = bpf_map_lookup_elem(&flows_table, &first);

	if (!set)
		return 0;
	bpf_spin_lock(&set->lock);
	if (!flows_seeds[0]) {
		flows_seeds[1] = b;
		flows_seeds[0] = a;
	}
	bpf_spin_unlock(&set->lock);
	return 0;
}

/*
 * Where a flow belongs. Products of words that a random number was added to, as the multilinear
 * hashes do (Lemire and Kaser, "Strongly universal string hashing is fast"), as they do not wait
 * for each other; then all bits are spread upwards and down once.
 */
static __always_inline void flows_place(struct flows_packet *f)
{
	const __u64 *word = f->words;
	__u64 hash, a, b;

	if (!flows_seeds[0])
		flows_sow();
	a = flows_seeds[0];
	b = flows_seeds[1];
	hash = ((word[0] ^ a) | 1) * (word[1] + b);
	hash += ((word[2] ^ b) | 1) * (word[3] + a);
	hash += ((word[5] ^ a) | 1) * (word[4] ^ b);
	hash ^= hash >> 32;
	hash *= 0x9e3779b97f4a7c15; /* 2^64 divided by the golden ratio, odd */
	hash ^= hash >> 29;
	f->set = (hash >> 32) * (flows_size / FLOWS_WAYS) >> 32;
	f->tag = (__u32)hash ? (__u32)hash : 1;
}

/* ---- the table ---- */

/* 1 if @number is negative, else 0. Behind the compiler's back: what it would make of that, a mask
 * that is all ones or zeros, newer verifiers follow both ways. */
static __always_inline __u64 flows_is_negative(__s64 number)
{
	__u64 sign = (__u64)number >> 63;

	asm volatile("" : "+r"(sign));
	return sign;
}

/*
 * The place that has this tag, of which there is one at most; 0 if there is none. As sixteen
 * comparisons without a branch, which costs no more than a loop that ends somewhere (eight steps
 * and a branch that is not foreseen), and leaves the verifier one path instead of sixteen.
 */
static __always_inline __u32 flows_match(const struct flows_set *set, __u32 tag)
{
	__u32 found = 0;

	for (__u32 way = 0; way < FLOWS_WAYS; way++) {
		__s64 difference = set->tags[way] ^ tag;

		found += way * flows_is_negative(difference - 1);
	}
	return found & (FLOWS_WAYS - 1);
}

/* Where a flow would like to be in its set, as most of them are: that is looked at first. */
static __always_inline __u32 flows_first_choice(const struct flows_packet *f)
{
	return f->tag & (FLOWS_WAYS - 1);
}

static __always_inline bool flows_find(const struct flows_set *set, const struct flows_packet *f,
				       __u32 *ret_way)
{
	*ret_way = flows_first_choice(f);
	if (set->tags[*ret_way] != f->tag)
		*ret_way = flows_match(set, f->tag);
	return flows_key_is(&set->flows[*ret_way].key, f->words);
}

/* An empty place, or the one that was quiet for longest: the largest of (quiet, way), by the sign
 * of differences, without branches as above. */
static __always_inline __u32 flows_choose(const struct flows_set *set, __u32 now)
{
	__u64 most = 0;

	for (__u32 way = 0; way < FLOWS_WAYS; way++) {
		__u64 is_empty = flows_is_negative((__s64)set->tags[way] - 1);
		__u64 quiet = (__u32)(now - set->seen[way]) | is_empty << 32;
		__u64 candidate = quiet << 4 | way;

		most += (candidate - most) * flows_is_negative(most - candidate);
	}
	return most & (FLOWS_WAYS - 1);
}

/* Where a flow that is not there goes; @alike is the place that flows_find() found for it. Two tags
 * that are alike, which one in 2^32 flows has, do not go together. */
static __always_inline __u32 flows_make_room(const struct flows_set *set,
					     const struct flows_packet *f, __u32 alike)
{
	__u32 first = flows_first_choice(f);

	if (set->tags[alike] == f->tag)
		return alike;
	return set->tags[first] ? flows_choose(set, f->now >> FLOWS_SEEN_BITS) : first;
}

static __always_inline struct flows_other *flows_find_other(const struct flows_key *flow)
{
	struct flows_other_key key = {.interface = flow->interface, .direction = flow->direction};
	struct flows_other *other = map_find_or_add(&flows_other, &key, &flows_other_zero);
	__u32 zero = 0;

	return other ? other : bpf_map_lookup_elem(&flows_no_room, &zero);
}

static __always_inline void flows_count(const struct flows_key *came, const struct flows_flow *went)
{
	struct flows_other *other = flows_find_other(came);

	if (other)
		other->started++;
	if (!went->key.interface)
		return;
	if (went->key.interface != came->interface || went->key.direction != came->direction)
		other = flows_find_other(&went->key);
	if (!other)
		return;
	other->packets += went->packets;
	other->bytes += went->bytes;
	other->evicted++;
}

/* Takes away what the place has counted: see the top. No value is read and cleared. */
static __always_inline void flows_take(struct flows_flow *flow, struct flows_flow *went)
{
	went->key = flow->key;
	went->packets = flow->packets;
	went->bytes = flow->bytes;
	__sync_fetch_and_add(&flow->packets, -went->packets);
	__sync_fetch_and_add(&flow->bytes, -went->bytes);
}

static __always_inline void flows_begin(struct flows_flow *flow, const struct flows_packet *f)
{
	flow->key = f->key;
	flow->last_ns = f->now;
	flow->first_ns = f->now;
	flow->tcp_flags = 0;
	flow->tries = 0;
	flow->port =
		f->key.local_port < f->key.remote_port ? f->key.local_port : f->key.remote_port;
	flow->pid = 0;
	flow->cgroup = 0;
	__builtin_memset(flow->command, 0, sizeof(flow->command));
	flow->flows = 1;
}

/* A place for a flow that has none. Under the lock there is no call, and all of it is short. */
static __noinline __u32 flows_add(struct flows_set *set, struct flows_packet *f)
{
	struct flows_flow went = {};
	__u32 way;

	bpf_spin_lock(&set->lock);
	if (flows_find(set, f, &way)) { /* another CPU has just added it */
		bpf_spin_unlock(&set->lock);
		return way;
	}
	way = flows_make_room(set, f, way);
	set->tags[way] = 0;
	flows_take(&set->flows[way], &went);
	flows_begin(&set->flows[way], f);
	set->seen[way] = f->now >> FLOWS_SEEN_BITS;
	set->tags[way] = f->tag;
	bpf_spin_unlock(&set->lock);
	flows_count(&f->key, &went);
	return way;
}

/* ---- the process ---- */

struct flows_process {
	__u64 cgroup;
	struct sender sender;
};

static __always_inline bool flows_find_process(struct packet *p, struct flows_process *process)
{
	if (!sender_find(p->skb, &process->sender))
		return false;
	process->cgroup = bpf_skb_cgroup_id(p->skb);
	return true;
}

static __always_inline void flows_set_process(struct flows_flow *flow,
					      const struct flows_process *process)
{
	flow->tries = FLOWS_TRIES_MAX;
	flow->pid = process->sender.pid;
	flow->cgroup = process->cgroup;
	__builtin_memcpy(flow->command, process->sender.command, sizeof(flow->command));
}

/* Puts down the process of @f's flow, if it is in the table. */
static __always_inline void flows_tell_process(const struct flows_packet *f,
					       const struct flows_process *process)
{
	struct flows_set *set = bpf_map_lookup_elem(&flows_table, &f->set);
	__u32 way;

	if (!set)
		return;
	bpf_spin_lock(&set->lock);
	if (flows_find(set, f, &way))
		flows_set_process(&set->flows[way], process);
	bpf_spin_unlock(&set->lock);
}

/* What is put down of @f's flow; a pid of 0 if that is nothing. */
static __always_inline void flows_ask_process(const struct flows_packet *f,
					      struct flows_process *process)
{
	struct flows_set *set = bpf_map_lookup_elem(&flows_table, &f->set);
	__u32 way;

	if (!set)
		return;
	/* Most have none: then there is nothing to lock. */
	if (set->tags[flows_match(set, f->tag)] != f->tag)
		return;
	bpf_spin_lock(&set->lock);
	if (flows_find(set, f, &way)) {
		process->sender.pid = set->flows[way].pid;
		process->cgroup = set->flows[way].cgroup;
		__builtin_memcpy(process->sender.command, set->flows[way].command,
				 sizeof(process->sender.command));
	}
	bpf_spin_unlock(&set->lock);
}

/* Who sends on a connection is who receives what comes back on it, and the other way round. */
static __always_inline void flows_turn(const struct flows_packet *f, struct flows_packet *ret_back)
{
	__builtin_memcpy(ret_back->words, f->words, sizeof(f->words));
	ret_back->words[5] ^= FLOWS_FIELD(PACKET_INGRESS ^ PACKET_EGRESS, direction);
	flows_place(ret_back);
}

/* A packet goes out of a local socket, and the process of its flow is not known. */
static __noinline int flows_note_sender(struct packet *p, struct flows_packet *f)
{
	struct flows_process process = {};
	struct flows_packet back = {};

	if (!flows_find_process(p, &process))
		return 0;
	flows_tell_process(f, &process);
	flows_turn(f, &back);
	flows_tell_process(&back, &process);
	return 0;
}

/* A flow that comes in is new. */
static __noinline int flows_note_receiver(struct flows_packet *f)
{
	struct flows_process process = {};
	struct flows_packet back = {};

	flows_turn(f, &back);
	flows_ask_process(&back, &process);
	if (process.sender.pid)
		flows_tell_process(f, &process);
	return 0;
}

/* ---- a packet ---- */

/* Under the lock, as two CPUs may have seen different ones; seldom, as each comes once. */
static __noinline int flows_add_tcp_flags(struct flows_set *set, __u32 way, __u32 flags)
{
	if (way >= FLOWS_WAYS)
		return 0;
	bpf_spin_lock(&set->lock);
	set->flows[way].tcp_flags |= flags;
	bpf_spin_unlock(&set->lock);
	return 0;
}

/* Of every packet; what seldom happens is elsewhere. */
static __always_inline void flows_update(struct flows_set *set, __u32 way, struct packet *p,
					 struct flows_packet *f)
{
	struct flows_flow *flow = &set->flows[way];
	struct packet_segments segments;

	packet_segments(p, &segments);
	__sync_fetch_and_add(&flow->packets, segments.count);
	__sync_fetch_and_add(&flow->bytes, segments.bytes);
	if (flow->last_ns != f->now) {
		flow->last_ns = f->now;
		set->seen[way] = f->now >> FLOWS_SEEN_BITS;
	}
	if (p->tcp_flags & ~flow->tcp_flags)
		flows_add_tcp_flags(set, way, p->tcp_flags);
	if (flows_processes && p->direction == PACKET_EGRESS && flow->tries < FLOWS_TRIES_MAX &&
	    p->skb->sk) {
		flow->tries++;
		flows_note_sender(p, f);
	}
}

static __always_inline int flows_stage(struct packet *p)
{
	struct flows_packet f = {.now = flows_now()};
	struct flows_set *set;
	__u32 way;

	flows_set_key(p, &f);
	flows_place(&f);
	set = bpf_map_lookup_elem(&flows_table, &f.set);
	if (!set)
		return STAGE_NEXT;
	if (!flows_find(set, &f, &way)) {
		way = flows_add(set, &f);
		if (flows_processes && p->direction == PACKET_INGRESS)
			flows_note_receiver(&f);
	}
	flows_update(set, way & (FLOWS_WAYS - 1), p, &f);
	return STAGE_NEXT;
}
