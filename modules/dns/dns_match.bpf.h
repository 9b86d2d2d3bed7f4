/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Queries and their responses: what waits, what came, what did not. Each query that is seen ends up
 * in exactly one of: answered, timed out, retransmitted (the first one goes on waiting), untracked,
 * or still waiting.
 *
 * A query waits under the addresses, the ports and its id. What is above or below one another (a
 * bridge and its ports, a VLAN and its device) shows one packet several times: a query that waits
 * already and was seen at another interface first is that packet, and no second query.
 */
#pragma once

#include <stdbool.h>

#include "events.bpf.h"
#include "histogram.bpf.h"
#include "interface.bpf.h"
#include "kernel_types.bpf.h"
#include "maps.bpf.h"
#include "packet.bpf.h"
#include "sender.bpf.h"

#include "dns.h"

#define DNS_NS_PER_MS 1000000ULL

const volatile __u32 dns_timeout_ms = 5000;

struct dns_pending {
	__u64 sent_ns;   /* CLOCK_MONOTONIC */
	__u32 interface; /* where it was seen first */
	__u16 type;      /* as in struct dns_name_key */
	__u16 followed;  /* whether it is in dns_followed */
};

/* Not preallocated, like all here: what is used is small, what an attacker may fill is not. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct dns_query_key);
	__type(value, struct dns_pending);
} dns_pending SEC(".maps");

/* What will be told of queries that wait, of those that came while somebody looked. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, struct dns_query_key);
	__type(value, struct dns_record);
} dns_followed SEC(".maps");

RECORDS(dns_queries, 256 * 1024);

/* Of answered queries the last ones: a response that is seen at a second interface is told by them
 * from one that nobody asked for. */
struct dns_answered {
	__u64 query; /* hash of its struct dns_query_key */
	__u32 interface;
	__u32 zero;
};

enum { DNS_ANSWERED_BITS = 10 };

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1 << DNS_ANSWERED_BITS);
	__type(key, __u32);
	__type(value, struct dns_answered);
} dns_answered SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 8192);
	__type(key, struct dns_name_key);
	__type(value, __u64);
} dns_names SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16 * DNS_ROLES); /* all that there are */
	__type(key, struct dns_rcode_key);
	__type(value, __u64);
} dns_responses SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, struct dns_latency_key);
	__type(value, struct dns_latency);
} dns_latency SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, struct dns_server_key);
	__type(value, __u64);
} dns_timeouts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1024);
	__type(key, char[DNS_COMMAND_LEN]);
	__type(value, __u64);
} dns_processes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, DNS_ROLES);
	__type(key, __u32);
	__type(value, struct dns_strays);
} dns_strays SEC(".maps");

static const struct dns_latency dns_latency_zero;

#define DNS_COUNT_STRAY(role_, member)                                                             \
	do {                                                                                       \
		__u32 key_ = (role_);                                                              \
		struct dns_strays *strays_ = bpf_map_lookup_elem(&dns_strays, &key_);              \
                                                                                                   \
		if (strays_)                                                                       \
			strays_->member++;                                                         \
	} while (0)

/* The server of an overflow: an address that no packet has. */
static __always_inline void dns_set_other_server(__u8 *server)
{
	__builtin_memset(server, 0xff, 16);
}

/*
 * The value at @key or, when there is no room for it, at @other, which stands for all of them: its
 * place is taken before any other key gets one.
 */
static __always_inline void *dns_find_or_other(void *map, const void *key, const void *other,
					       const void *zero)
{
	void *value = bpf_map_lookup_elem(map, key);

	if (value)
		return value;
	map_find_or_add(map, other, zero);
	value = map_find_or_add(map, key, zero);
	return value ? value : bpf_map_lookup_elem(map, other);
}

static __always_inline void dns_count_timeout(const __u8 *server, __u8 role)
{
	struct dns_server_key key = {.role = role}, other = {.role = role};
	const __u64 zero = 0;
	__u64 *count;

	__builtin_memcpy(key.server, server, sizeof(key.server));
	dns_set_other_server(other.server);
	count = dns_find_or_other(&dns_timeouts, &key, &other, &zero);
	if (count)
		__sync_fetch_and_add(count, 1);
}

/* Who sent a query; the command is empty where that is not known. */
static __always_inline void dns_count_process(const char *command)
{
	static const char other[DNS_COMMAND_LEN] = DNS_COMMAND_OTHER;
	const __u64 zero = 0;
	__u64 *count = dns_find_or_other(&dns_processes, command, other, &zero);

	if (count)
		__sync_fetch_and_add(count, 1);
}

static __always_inline bool dns_is_late(__u64 ns)
{
	return ns > dns_timeout_ms * DNS_NS_PER_MS;
}

/* ---- those that somebody looks at ---- */

/* False: nobody looks, or there is no room, which is counted. */
static __always_inline bool dns_follow(const struct dns_record *record)
{
	if (!records_wanted(dns_queries))
		return false;
	if (bpf_map_update_elem(&dns_followed, &record->query, record, BPF_ANY) == 0)
		return true;
	events_lose(dns_queries);
	return false;
}

/* A server is who sends the response. */
static __always_inline void dns_set_answerer(struct __sk_buff *skb, struct dns_record *record)
{
	struct sender sender = {};

	if (!sender_find(skb, &sender))
		return;
	record->pid = sender.pid;
	__builtin_memcpy(record->command, sender.command, sizeof(record->command));
}

/* What has become of a query; @response is NULL if none came. For who took the query out of
 * dns_pending, and so is alone with it. */
static __always_inline void dns_tell(struct __sk_buff *response, const struct dns_query_key *key,
				     __u32 rcode, __u64 ns)
{
	struct dns_record *record = bpf_map_lookup_elem(&dns_followed, key);

	if (!record)
		return;
	record->rcode = rcode;
	record->latency_ns = ns;
	if (response && key->role == DNS_SERVER)
		dns_set_answerer(response, record);
	if (records_wanted(dns_queries))
		records_send(dns_queries, record);
	bpf_map_delete_elem(&dns_followed, key);
}

/* ---- queries ---- */

/* False: another CPU, or the iterator, was faster, and counts it. */
static __always_inline bool dns_time_out(const struct dns_query_key *key, __u64 ns, bool followed)
{
	if (bpf_map_delete_elem(&dns_pending, key))
		return false;
	dns_count_timeout(key->server, key->role);
	if (followed)
		dns_tell(NULL, key, DNS_RCODE_TIMEOUT, ns);
	return true;
}

static __always_inline void dns_add_pending(const struct dns_record *record)
{
	const struct dns_query_key *key = &record->query;
	struct dns_pending pending = {
		.sent_ns = bpf_ktime_get_ns(),
		.interface = record->interface,
		.type = record->name.type,
		.followed = dns_follow(record),
	};

	if (bpf_map_update_elem(&dns_pending, key, &pending, BPF_NOEXIST) == 0)
		return;
	DNS_COUNT_STRAY(key->role, untracked);
	if (pending.followed)
		bpf_map_delete_elem(&dns_followed, key);
}

/* A query was seen; false when it was counted at another interface before. */
static __always_inline bool dns_match_query(const struct dns_record *record)
{
	const struct dns_query_key *key = &record->query;
	const struct dns_pending *pending = bpf_map_lookup_elem(&dns_pending, key);
	__u64 ns = pending ? bpf_ktime_get_ns() - pending->sent_ns : 0;

	if (pending && !dns_is_late(ns)) {
		if (pending->interface != record->interface)
			return false;
		DNS_COUNT_STRAY(key->role, retransmitted);
		return true;
	}
	if (pending)
		dns_time_out(key, ns, pending->followed);
	dns_add_pending(record);
	return true;
}

/* FNV-1a, by words of 8 bytes. */
static __always_inline __u64 dns_hash(const struct dns_query_key *key)
{
	const __u64 *words = (const __u64 *)key;
	__u64 hash = 0xcbf29ce484222325;

	for (int i = 0; i < (int)(sizeof(*key) / sizeof(*words)); i++)
		hash = (hash ^ words[i]) * 0x100000001b3;
	return hash ^ hash >> 32;
}

static __always_inline struct dns_answered *dns_find_answered(__u64 hash)
{
	__u32 index = hash & ((1 << DNS_ANSWERED_BITS) - 1);

	return bpf_map_lookup_elem(&dns_answered, &index);
}

static __always_inline void dns_note_answered(const struct dns_query_key *key, __u32 interface)
{
	__u64 hash = dns_hash(key);
	struct dns_answered *answered = dns_find_answered(hash);

	if (!answered)
		return;
	answered->query = hash;
	answered->interface = interface;
}

/* A response that no query waits for. */
static __always_inline void dns_count_unmatched(const struct dns_query_key *key, __u32 interface)
{
	__u64 hash = dns_hash(key);
	const struct dns_answered *answered = dns_find_answered(hash);

	if (answered && answered->query == hash && answered->interface != interface)
		return;
	DNS_COUNT_STRAY(key->role, unmatched);
}

static __always_inline void dns_count_latency(const struct dns_query_key *query, __u16 type,
					      __u8 rcode, __u64 ns)
{
	struct dns_latency_key key = {.type = type, .rcode = rcode, .role = query->role};
	struct dns_latency_key other = {.type = DNS_TYPE_OTHER,
					.rcode = rcode,
					.role = query->role};
	__u64 units = histogram_scale_ns(ns);
	__u32 bucket = histogram_native_bucket(units, DNS_LATENCY_SCHEMA, DNS_LATENCY_BUCKET_MIN,
					       DNS_LATENCY_BUCKET_MAX) -
		       DNS_LATENCY_BUCKET_MIN;
	struct dns_latency *latency;

	__builtin_memcpy(key.server, query->server, sizeof(key.server));
	dns_set_other_server(other.server);
	latency = dns_find_or_other(&dns_latency, &key, &other, &dns_latency_zero);
	if (!latency || bucket >= DNS_LATENCY_BUCKETS) {
		DNS_COUNT_STRAY(query->role, uncounted);
		return;
	}
	__sync_fetch_and_add(&latency->buckets[bucket], 1);
	__sync_fetch_and_add(&latency->sum, units);
}

/* The response to the query @key was seen. */
static __always_inline void dns_match_response(struct __sk_buff *skb,
					       const struct dns_query_key *key, __u8 rcode)
{
	struct dns_rcode_key rcode_key = {.rcode = rcode, .role = key->role};
	const struct dns_pending *pending = bpf_map_lookup_elem(&dns_pending, key);
	struct dns_pending copy;
	__u64 ns;

	if (!pending) {
		dns_count_unmatched(key, interface_id(skb));
		return;
	}
	copy = *pending; /* once it is deleted its memory may be another's */
	ns = bpf_ktime_get_ns() - copy.sent_ns;
	if (dns_is_late(ns)) {
		dns_time_out(key, ns, copy.followed);
		DNS_COUNT_STRAY(key->role, unmatched);
		return;
	}
	if (bpf_map_delete_elem(&dns_pending, key))
		return;
	dns_note_answered(key, interface_id(skb));
	map_add_percpu(&dns_responses, &rcode_key, 1);
	dns_count_latency(key, copy.type, rcode, ns);
	if (copy.followed)
		dns_tell(skb, key, rcode, ns);
}

/* A query that may have waited for too long. */
static __always_inline void dns_expire_one(const struct dns_query_key *key,
					   const struct dns_pending *pending)
{
	struct dns_query_key copy;
	__u64 ns = bpf_ktime_get_ns() - pending->sent_ns;

	if (!dns_is_late(ns))
		return;
	copy = *key;
	dns_time_out(&copy, ns, pending->followed);
}

/* Before the maps are read, and while somebody looks: all that wait. */
SEC("?iter/bpf_map_elem")
int dns_expire(struct bpf_iter__bpf_map_elem *ctx)
{
	const struct dns_pending *pending = ctx->value;
	const struct dns_query_key *key = ctx->key;

	if (key && pending)
		dns_expire_one(key, pending);
	return 0;
}

static long dns_expire_in_turn(const struct bpf_map *map, const struct dns_query_key *key,
			       const struct dns_pending *pending, const void *ctx)
{
	(void)map;
	(void)ctx;
	dns_expire_one(key, pending);
	return 0;
}

/* The same where the kernel goes through maps but not through what is in them: once, at the end. */
SEC("?iter/bpf_map")
int dns_expire_each(struct bpf_iter__bpf_map *ctx)
{
	if (!ctx->map)
		bpf_for_each_map_elem(&dns_pending, dns_expire_in_turn, NULL, 0);
	return 0;
}
