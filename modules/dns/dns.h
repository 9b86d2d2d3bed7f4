/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The contract between the dns stage and those who read its maps. Addresses are in network order,
 * IPv4 ones as IPv6 writes them (::ffff:192.0.2.1); all else is in the host's.
 *
 * dns_names: hash, an entry for each name × type × role; value: how many queries
 *
 *	 0                                         256    258    259
 *	| name as it is on the wire, zeros behind | type | role | 0 |
 *
 * dns_responses: per-CPU hash, rcode × role; value: how many responses
 * dns_latency: hash, an entry for each server × type × rcode × role
 *
 *	key	 0                16     18      19
 *		| server         | type | rcode | role |
 *
 *	value	 0       8                                  8 + 169 × 8
 *		| sum   | native buckets of 2^-30 s, schema 3 |
 *
 * dns_timeouts: hash, server × role; value: how many queries had no answer in time
 * dns_strays: per-CPU array, an entry for each role: struct dns_strays
 * dns_processes: hash, command of a process (16 bytes); value: how many queries it sent
 * dns_queries: ring buffer, struct dns_record for each query that was answered or given up while
 * somebody looked
 */
#pragma once

#include <linux/types.h>

/* A query that leaves through an interface is a client's, one that comes in a server's. */
enum dns_role { DNS_CLIENT, DNS_SERVER, DNS_ROLES };

enum {
	DNS_NAME_SIZE = 256,                 /* RFC 1035, 2.3.4: at most 255 */
	DNS_TYPE_OTHER = 0xffff,             /* reserved by RFC 6895, 3.1 */
	DNS_COMMAND_LEN = 16,                /* TASK_COMM_LEN */
	DNS_RCODE_TIMEOUT = 255,             /* instead of a code, of which there are 16 */
	DNS_LATENCY_SCHEMA = 3,              /* 8 buckets from one power of two to the next */
	DNS_LATENCY_BUCKET_MIN = 13 * 8 + 1, /* up to 2^13 units of 2^-30 s, 7.6 µs */
	DNS_LATENCY_BUCKET_MAX = 34 * 8 + 1, /* up to 2^34 of them, 16 s */
	DNS_LATENCY_BUCKETS = DNS_LATENCY_BUCKET_MAX - DNS_LATENCY_BUCKET_MIN + 1,
};

struct dns_name_key {
	__u8 name[DNS_NAME_SIZE];
	__u16 type; /* of the question, or DNS_TYPE_OTHER */
	__u8 role;  /* enum dns_role */
	__u8 zero;
};

struct dns_rcode_key {
	__u8 rcode;
	__u8 role;
	__u16 zero;
};

struct dns_latency_key {
	__u8 server[16];
	__u16 type;
	__u8 rcode;
	__u8 role;
};

struct dns_latency {
	__u64 sum; /* units of 2^-30 s */
	__u64 buckets[DNS_LATENCY_BUCKETS];
};

struct dns_server_key {
	__u8 server[16];
	__u8 role;
	__u8 zero[3];
};

/* Instead of a command, for those that there is no room for: a byte longer than any. */
#define DNS_COMMAND_OTHER "other-processes-"

struct dns_query_key {
	__u8 client[16];
	__u8 server[16];
	__u16 client_port;
	__u16 server_port;
	__u16 id;
	__u8 protocol;
	__u8 role;
};

struct dns_record {
	struct dns_query_key query;
	struct dns_name_key name;
	__u32 pid;                     /* of who asks, as a server of who answers; 0: not known */
	char command[DNS_COMMAND_LEN]; /* likewise */
	__u64 latency_ns;
	__u32 interface; /* where the query was seen first */
	__u32 rcode;     /* or DNS_RCODE_TIMEOUT */
};

struct dns_strays {
	__u64 unmatched;     /* responses without a query that waits for them, or too late */
	__u64 retransmitted; /* queries while the same one waits */
	__u64 untracked;     /* queries that found no room in the table of those that wait */
	__u64 unreadable;    /* what is no DNS message, or cannot be seen whole */
	__u64 uncounted;     /* responses that found no room among the latencies */
};

_Static_assert(sizeof(struct dns_name_key) == 260, "dns.yaml: the labels add up to 260 bytes");
_Static_assert(sizeof(struct dns_rcode_key) == 4, "dns.yaml: the labels add up to 4 bytes");
_Static_assert(sizeof(struct dns_latency_key) == 20, "dns.yaml: the labels add up to 20 bytes");
_Static_assert(sizeof(struct dns_latency) == 8 + 169 * 8, "dns.yaml: buckets 105 to 273");
_Static_assert(sizeof(struct dns_server_key) == 20, "dns.yaml: the labels add up to 20 bytes");
_Static_assert(sizeof(struct dns_query_key) == 40, "dns.yaml: the name begins at 40");
_Static_assert(sizeof(struct dns_record) == 336, "dns.yaml: the fields are where they are");
_Static_assert(sizeof(struct dns_strays) == 40, "dns.yaml: five values of 8 bytes");
