/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * DNS messages (RFC 1035) in UDP datagrams and TCP streams. Of a message the header and the
 * question are read, nothing behind them. What is not at a DNS port costs two comparisons.
 *
 * The parts that are not inlined are global functions: the verifier looks at each once, for any
 * arguments, instead of again in every program and on every way that leads there. They share
 * a per-CPU struct dns_scratch, as the stack is too small for a name.
 */
#pragma once

#include "interface.bpf.h"
#include "stage.bpf.h"

#include "dns.h"
#include "dns_match.bpf.h"

enum {
	DNS_PORTS_MAX = 8,
	DNS_HEADER_SIZE = 12,
	DNS_LABEL_MAX = 63,
	DNS_NAME_MAX = 255,
	DNS_LABELS_MAX = 128, /* the root and 127 of one byte */
	DNS_QUESTION_MAX = DNS_NAME_MAX + 4,
	DNS_MESSAGES_MAX = 64, /* in one super-packet */
};

const volatile __u16 dns_ports[DNS_PORTS_MAX] = {53};
const volatile bool dns_unknown_types = false;

struct dns_header {
	__be16 id;
	__be16 flags; /* QR, opcode (4), AA, TC, RD, RA, 0, AD, CD, rcode (4) */
	__be16 questions;
	__be16 answers;
	__be16 authorities;
	__be16 additionals;
};

/* A direction of a TCP connection. */
struct dns_stream_key {
	__u8 addresses[2][16];
	__u16 source_port;
	__u16 destination_port;
	__u32 direction; /* on loopback each segment is seen in both */
};

/* The beginning of a message in a stream. */
struct dns_start {
	__be16 length; /* of what follows */
	struct dns_header header;
};

/*
 * A message whose beginning is cut in two by segments is read when the second one has come:
 *
 *	| length | header | question … | length | hea	der | question …
 *	                               '--- start ---'
 */
struct dns_stream {
	__u32 next; /* sequence number of what is looked at next */
	__u32 have; /* bytes of the beginning that are before it */
	union {
		struct dns_start start;
		__u8 bytes[2 * sizeof(struct dns_start) + 4]; /* room for any sum of two parts */
	};
};

/* The packet at hand, and the message in it. */
struct dns_scratch {
	struct dns_record record; /* of a query */
	__u32 name_len;           /* on the wire; 0: it cannot be read */
	__u8 question[DNS_QUESTION_MAX + 1];
	__u8 addresses[2][16]; /* source, destination */
	__u16 source_port;
	__u16 destination_port;
	__u8 protocol;
	__u8 direction;
	__u8 tcp_flags;
	__u8 zero;
	__u32 payload; /* offset */
	__u32 end;     /* of the IP packet: what is behind is padding of the link layer */
	/* Of a TCP segment: */
	struct dns_stream_key stream_key;
	struct dns_stream stream;
	__u32 seq; /* sequence number of its first byte */
	__u32 len; /* of its payload */
	__u32 at;  /* how far that has been looked at */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct dns_scratch);
} dns_scratch SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct dns_stream_key);
	__type(value, struct dns_stream);
} dns_streams SEC(".maps");

static __always_inline struct dns_scratch *dns_get_scratch(void)
{
	const __u32 first = 0;

	return bpf_map_lookup_elem(&dns_scratch, &first);
}

static __always_inline bool dns_is_port(__u16 port)
{
#pragma unroll
	for (int i = 0; i < DNS_PORTS_MAX && dns_ports[i]; i++) {
		if (port == dns_ports[i])
			return true;
	}
	return false;
}

/* ---- the question ---- */

/* Types that get series of their own: those that IANA's "DNS Parameters" lists and that are in use.
 * All others share one, or any client could make 65,000 of them. */
static __always_inline bool dns_type_is_known(__u16 type)
{
	switch (type) {
	case 1:   /* A */
	case 2:   /* NS */
	case 5:   /* CNAME */
	case 6:   /* SOA */
	case 12:  /* PTR */
	case 13:  /* HINFO */
	case 15:  /* MX */
	case 16:  /* TXT */
	case 28:  /* AAAA */
	case 29:  /* LOC */
	case 33:  /* SRV */
	case 35:  /* NAPTR */
	case 37:  /* CERT */
	case 39:  /* DNAME */
	case 43:  /* DS */
	case 44:  /* SSHFP */
	case 46:  /* RRSIG */
	case 47:  /* NSEC */
	case 48:  /* DNSKEY */
	case 50:  /* NSEC3 */
	case 51:  /* NSEC3PARAM */
	case 52:  /* TLSA */
	case 53:  /* SMIMEA */
	case 59:  /* CDS */
	case 60:  /* CDNSKEY */
	case 61:  /* OPENPGPKEY */
	case 62:  /* CSYNC */
	case 63:  /* ZONEMD */
	case 64:  /* SVCB */
	case 65:  /* HTTPS */
	case 99:  /* SPF */
	case 249: /* TKEY */
	case 250: /* TSIG */
	case 251: /* IXFR */
	case 252: /* AXFR */
	case 255: /* ANY */
	case 256: /* URI */
	case 257: /* CAA */
		return true;
	default:
		return false;
	}
}

/* Instead of a name: of what is put together because the map is full, of a message without
 * a question, of a name that is broken or does not end in the packet. No name on the wire is kept
 * in upper case here. */
#define DNS_SET_NAME(key, text) __builtin_memcpy((key)->name, text, sizeof(text))
#define DNS_NAME_OTHER          "\5OTHER"
#define DNS_NAME_NONE           "\4NONE"
#define DNS_NAME_UNREADABLE     "\12UNREADABLE"

/*
 * Puts the bytes that the name takes of the first @len of the question into name_len; 0: it is
 * broken, or does not end there. A pointer (RFC 1035, 4.1.4) has nothing to point to in the first
 * name of a message.
 */
__noinline int dns_walk_name(__u32 len)
{
	struct dns_scratch *s = dns_get_scratch();
	__u32 at = 0;

	if (!s)
		return 0;
	s->name_len = 0;
	for (int i = 0; i < DNS_LABELS_MAX; i++) {
		__u32 label;

		if (at >= DNS_NAME_MAX || at >= len)
			return 0;
		label = s->question[at];
		if (label > DNS_LABEL_MAX)
			return 0;
		at += 1 + label;
		if (label == 0) {
			s->name_len = at;
			return 0;
		}
	}
	return 0;
}

/* ASCII letters to lower case, eight bytes at once: names differ by case only where a resolver
 * plays with it to be harder to spoof. The lengths between the labels are below 'A'. */
static __always_inline __u64 dns_lower(__u64 word)
{
	const __u64 ones = 0x0101010101010101;
	__u64 low = word & 0x7f * ones;
	__u64 from_a = low + (0x80 - 'A') * ones;
	__u64 behind_z = low + (0x80 - 'Z' - 1) * ones;
	__u64 upper = from_a & ~behind_z & ~word & 0x80 * ones;

	return word | upper >> 2;
}

static __always_inline void dns_lower_name(struct dns_name_key *key, __u32 len)
{
	__u64 *words = (__u64 *)key->name;

	for (__u32 i = 0; i < DNS_NAME_SIZE / 8 && i * 8 < len; i++)
		words[i] = dns_lower(words[i]);
}

/* Loads at most @most of the @len bytes at @offset; how many these are. The verifier of older
 * kernels learns that they are at least one only where it is the sum that is bounded. */
static __always_inline __u32 dns_load(struct __sk_buff *skb, __u32 offset, void *to, __u32 len,
				      __u32 most)
{
	__u32 more = (len < most ? len : most) - 1;

	asm volatile("" : "+r"(more));
	if (more >= most) /* there are none */
		return 0;
	asm volatile("" : "+r"(more));
	return bpf_skb_load_bytes(skb, offset, to, more + 1) < 0 ? 0 : more + 1;
}

/* The name and type of the question, of which the first @loaded bytes are in s->question and at
 * @offset, into s->record.name. */
static __always_inline bool dns_take_question(struct __sk_buff *skb, struct dns_scratch *s,
					      __u32 offset, __u32 loaded)
{
	__u32 at = s->name_len;
	__u16 type;

	if (at == 0 || at > DNS_NAME_MAX || at + 4 > loaded ||
	    !dns_load(skb, offset, s->record.name.name, at, DNS_NAME_MAX))
		return false;
	dns_lower_name(&s->record.name, at);
	type = s->question[at] << 8 | s->question[at + 1];
	if (dns_unknown_types || dns_type_is_known(type))
		s->record.name.type = type;
	return true;
}

/* The question of a message, @len bytes at @offset, into s->record.name. */
__noinline int dns_read_question(struct __sk_buff *skb, __u32 offset, __u32 len)
{
	struct dns_scratch *s = dns_get_scratch();
	__u32 loaded;

	if (!s)
		return 0;
	__builtin_memset(s->record.name.name, 0, sizeof(s->record.name.name));
	s->record.name.type = DNS_TYPE_OTHER;
	loaded = dns_load(skb, offset, s->question, len, DNS_QUESTION_MAX);
	dns_walk_name(loaded);
	if (!dns_take_question(skb, s, offset, loaded))
		DNS_SET_NAME(&s->record.name, DNS_NAME_UNREADABLE);
	return 0;
}

/* ---- messages ---- */

static const struct dns_name_key dns_name_other[DNS_ROLES] = {
	{.name = DNS_NAME_OTHER, .type = DNS_TYPE_OTHER, .role = DNS_CLIENT},
	{.name = DNS_NAME_OTHER, .type = DNS_TYPE_OTHER, .role = DNS_SERVER},
};

static __always_inline void dns_count_name(const struct dns_name_key *name)
{
	const struct dns_name_key *other = &dns_name_other[name->role == DNS_SERVER];
	const __u64 zero = 0;
	__u64 *count = dns_find_or_other(&dns_names, name, other, &zero);

	if (count)
		__sync_fetch_and_add(count, 1);
}

/* Whose query it is, or was answered. */
static __always_inline __u8 dns_role(const struct dns_scratch *s, bool is_response)
{
	return (s->direction == PACKET_EGRESS) != is_response ? DNS_CLIENT : DNS_SERVER;
}

static __always_inline void dns_count_unreadable(const struct dns_scratch *s)
{
	DNS_COUNT_STRAY(dns_role(s, !dns_is_port(s->destination_port)), unreadable);
}

/* 0 or 1, also for a verifier that did not follow how the compiler came by it (Linux 5.10). */
static __always_inline __u32 dns_index(bool is_second)
{
	__u32 index = is_second;

	barrier_var(index);
	return index & 1;
}

static __always_inline void dns_set_query(struct dns_scratch *s, __u16 id, bool is_response)
{
	struct dns_query_key *key = &s->record.query;

	__builtin_memcpy(key->client, s->addresses[dns_index(is_response)], sizeof(key->client));
	__builtin_memcpy(key->server, s->addresses[dns_index(!is_response)], sizeof(key->server));
	key->client_port = is_response ? s->destination_port : s->source_port;
	key->server_port = is_response ? s->source_port : s->destination_port;
	key->id = id;
	key->protocol = s->protocol;
	key->role = dns_role(s, is_response);
}

/* The response at hand, to s->record.query. */
__noinline int dns_take_response(struct __sk_buff *skb, __u32 rcode)
{
	struct dns_scratch *s = dns_get_scratch();

	if (s)
		dns_match_response(skb, &s->record.query, rcode);
	return 0;
}

/* The query at hand, of which s->record.query and its name are set. */
__noinline int dns_take_query(struct __sk_buff *skb)
{
	struct dns_scratch *s = dns_get_scratch();
	struct sender sender = {};
	struct dns_record *record;

	if (!s)
		return 0;
	record = &s->record;
	if (record->query.role == DNS_CLIENT)
		sender_find(skb, &sender);
	record->name.role = record->query.role;
	record->interface = interface_id(skb);
	record->pid = sender.pid;
	__builtin_memcpy(record->command, sender.command, sizeof(record->command));
	if (!dns_match_query(record))
		return 0;
	dns_count_name(&record->name);
	if (record->query.role == DNS_CLIENT)
		dns_count_process(record->command);
	return 0;
}

static __always_inline void dns_set_no_question(struct dns_name_key *name)
{
	__builtin_memset(name->name, 0, sizeof(name->name));
	DNS_SET_NAME(name, DNS_NAME_NONE);
	name->type = DNS_TYPE_OTHER;
}

/* The message whose header is in s->stream, and of whose question @len bytes are at @offset. */
__noinline int dns_read_message(struct __sk_buff *skb, __u32 offset, __u32 len)
{
	struct dns_scratch *s = dns_get_scratch();
	const struct dns_header *header;
	bool is_response;
	__u16 flags;

	if (!s)
		return 0;
	header = &s->stream.start.header;
	flags = bpf_ntohs(header->flags);
	is_response = flags & 0x8000;
	if (!dns_is_port(is_response ? s->source_port : s->destination_port)) {
		dns_count_unreadable(s);
		return 0;
	}
	dns_set_query(s, bpf_ntohs(header->id), is_response);
	if (is_response) {
		dns_take_response(skb, flags & 0xf);
		return 0;
	}
	if (header->questions)
		dns_read_question(skb, offset, len);
	else
		dns_set_no_question(&s->record.name);
	dns_take_query(skb);
	return 0;
}

static __always_inline void dns_read_datagram(struct __sk_buff *skb, struct dns_scratch *s,
					      __u32 offset, __u32 len)
{
	struct dns_header *header = &s->stream.start.header;

	if (len < sizeof(*header) || bpf_skb_load_bytes(skb, offset, header, sizeof(*header)) < 0)
		dns_count_unreadable(s);
	else
		dns_read_message(skb, offset + sizeof(*header), len - sizeof(*header));
}

/* One datagram, or as many as GRO has joined or GSO is going to cut. */
__noinline int dns_read_datagrams(struct __sk_buff *skb)
{
	struct dns_scratch *s = dns_get_scratch();
	__u32 size = skb->gso_size, at;

	if (!s)
		return 0;
	at = s->payload;
	for (int i = 0; i < DNS_MESSAGES_MAX; i++) {
		__u32 rest = s->end > at ? s->end - at : 0;

		dns_read_datagram(skb, s, at, size && size < rest ? size : rest);
		if (size == 0 || size >= rest)
			return 0;
		at += size;
	}
	dns_count_unreadable(s);
	return 0;
}

/* ---- TCP ---- */

/* Whether a stream whose beginning was not seen can be at the beginning of a message: by random
 * bytes it is in one of 150,000 cases. */
static __always_inline bool dns_is_message(struct __sk_buff *skb, __u32 offset, __u32 len)
{
	struct dns_start start;

	if (len < sizeof(start) || bpf_skb_load_bytes(skb, offset, &start, sizeof(start)) < 0)
		return false;
	return bpf_ntohs(start.length) >= sizeof(start.header) &&
	       (start.header.flags & bpf_htons(0x7800)) <= bpf_htons(0x3000) &&
	       start.header.questions == bpf_htons(1);
}

/* Takes what there is of the beginning of a message; true when that is all, and more follows. */
static __always_inline bool dns_take_start(struct __sk_buff *skb, struct dns_scratch *s)
{
	const __u32 size = sizeof(struct dns_start);
	struct dns_stream *stream = &s->stream;
	__u32 have = stream->have & 15, rest = s->len - s->at, taken;

	if (have < size) {
		taken = dns_load(skb, s->payload + s->at, stream->bytes + have,
				 rest < size - have ? rest : size - have, size);
		s->at += taken ? taken : rest;
		have += taken;
	}
	stream->have = have;
	return have >= size &&
	       (s->at < s->len || stream->start.length == bpf_htons(sizeof(struct dns_header)));
}

/*
 * Looks at what is at s->at of a segment. Its state is in memory, where the verifier does not
 * follow it: for it, all rounds of the loop around this are alike.
 */
__noinline int dns_read_piece(struct __sk_buff *skb)
{
	struct dns_scratch *s = dns_get_scratch();
	__u32 length, rest;

	if (!s || !dns_take_start(skb, s))
		return 0;
	s->stream.have = 0;
	length = bpf_ntohs(s->stream.start.length);
	if (length < sizeof(struct dns_header)) {
		/* What follows is part of what was taken for its header. */
		__u32 back = sizeof(struct dns_header) - length;

		s->at -= back < s->at ? back : s->at;
		dns_count_unreadable(s);
		return 0;
	}
	length -= sizeof(struct dns_header);
	rest = s->at < s->len ? s->len - s->at : 0;
	dns_read_message(skb, s->payload + s->at, length < rest ? length : rest);
	s->at += length;
	return 0;
}

static __always_inline void dns_read_pieces(struct __sk_buff *skb, struct dns_scratch *s)
{
	s->at = s->stream.next - s->seq;
	for (int i = 0; i < DNS_MESSAGES_MAX && s->at < s->len; i++)
		dns_read_piece(skb);
	if (s->at < s->len)
		dns_count_unreadable(s);
	s->stream.next = s->seq + s->at;
}

static __always_inline void dns_set_stream_key(struct dns_scratch *s)
{
	struct dns_stream_key *key = &s->stream_key;

	__builtin_memcpy(key->addresses, s->addresses, sizeof(key->addresses));
	key->source_port = s->source_port;
	key->destination_port = s->destination_port;
	key->direction = s->direction;
}

enum { DNS_TCP_FIN = 1, DNS_TCP_SYN = 2, DNS_TCP_RST = 4 };

/* Where in its stream the segment is, into s->stream; false: nobody knows. */
static __always_inline bool dns_find_place(struct __sk_buff *skb, struct dns_scratch *s)
{
	const struct dns_stream *known = bpf_map_lookup_elem(&dns_streams, &s->stream_key);

	s->stream = (struct dns_stream){.next = s->seq};
	if (s->tcp_flags & DNS_TCP_SYN)
		return true;
	if (known && (__s32)(known->next - s->seq) >= 0) {
		s->stream = *known;
		return true;
	}
	if (s->len == 0)
		return false;
	/* The beginning was not seen, or a segment is missing. */
	if (dns_is_message(skb, s->payload, s->len))
		return true;
	dns_count_unreadable(s);
	return false;
}

__noinline int dns_read_segment(struct __sk_buff *skb)
{
	struct dns_scratch *s = dns_get_scratch();

	if (!s)
		return 0;
	s->len = s->end > s->payload ? s->end - s->payload : 0;
	if (s->len == 0 && !(s->tcp_flags & (DNS_TCP_FIN | DNS_TCP_SYN | DNS_TCP_RST)))
		return 0;
	dns_set_stream_key(s);
	if (dns_find_place(skb, s)) {
		dns_read_pieces(skb, s);
		bpf_map_update_elem(&dns_streams, &s->stream_key, &s->stream, BPF_ANY);
	}
	if (s->tcp_flags & (DNS_TCP_FIN | DNS_TCP_RST))
		bpf_map_delete_elem(&dns_streams, &s->stream_key);
	return 0;
}

/* ---- packets ---- */

/* The addresses, and how long the IP packet is: 0 where it says so, as those above 64 KB do. */
static __always_inline __u32 dns_read_ipv4(struct __sk_buff *skb, struct dns_scratch *s,
					   __u32 offset)
{
	__be32 addresses[2] = {};
	__be16 len = 0;

	bpf_skb_load_bytes(skb, offset + offsetof(struct iphdr, tot_len), &len, sizeof(len));
	bpf_skb_load_bytes(skb, offset + offsetof(struct iphdr, saddr), addresses,
			   sizeof(addresses));
	for (int i = 0; i < 2; i++) { /* ::ffff:0:0/96, RFC 4291, 2.5.5.2 */
		__builtin_memset(s->addresses[i], 0, 10);
		s->addresses[i][10] = 0xff;
		s->addresses[i][11] = 0xff;
		__builtin_memcpy(s->addresses[i] + 12, &addresses[i], sizeof(addresses[i]));
	}
	return bpf_ntohs(len);
}

static __always_inline __u32 dns_read_ipv6(struct __sk_buff *skb, struct dns_scratch *s,
					   __u32 offset)
{
	__be16 len = 0;

	bpf_skb_load_bytes(skb, offset + offsetof(struct ipv6hdr, payload_len), &len, sizeof(len));
	bpf_skb_load_bytes(skb, offset + offsetof(struct ipv6hdr, saddr), s->addresses,
			   sizeof(s->addresses));
	return len ? sizeof(struct ipv6hdr) + bpf_ntohs(len) : 0;
}

/* RFC 9293, 3.4: a SYN takes a number of its own, before the data. */
static __always_inline __u32 dns_read_seq(struct __sk_buff *skb, __u32 offset, __u8 tcp_flags)
{
	__be32 seq = 0;

	bpf_skb_load_bytes(skb, offset + offsetof(struct tcphdr, seq), &seq, sizeof(seq));
	return bpf_ntohl(seq) + (tcp_flags & DNS_TCP_SYN ? 1 : 0);
}

/* What struct packet says, in two numbers: pointers to it are not for global functions. */
union dns_where {
	struct {
		__u16 network_offset;
		__u16 transport_offset;
		__u16 payload_offset;
		__u16 zero;
	};
	__u64 number;
};

union dns_what {
	struct {
		__u16 source_port;
		__u16 destination_port;
		__u8 ip_version;
		__u8 protocol;
		__u8 direction;
		__u8 tcp_flags;
	};
	__u64 number;
};

/* The headers, into the scratch; they are in the packet, as they were parsed. @where_: union
 * dns_where, @what_: union dns_what. */
__noinline int dns_read_headers(struct __sk_buff *skb, __u64 where_, __u64 what_)
{
	union dns_where where = {.number = where_};
	union dns_what what = {.number = what_};
	struct dns_scratch *s = dns_get_scratch();
	__u32 len;

	if (!s)
		return 0;
	s->source_port = what.source_port;
	s->destination_port = what.destination_port;
	s->protocol = what.protocol;
	s->direction = what.direction;
	s->tcp_flags = what.tcp_flags;
	s->payload = where.payload_offset;
	len = what.ip_version == 4 ? dns_read_ipv4(skb, s, where.network_offset)
				   : dns_read_ipv6(skb, s, where.network_offset);
	s->end = skb->len;
	if (len && where.network_offset + len < s->end)
		s->end = where.network_offset + len;
	if (what.protocol == IPPROTO_TCP)
		s->seq = dns_read_seq(skb, where.transport_offset, what.tcp_flags);
	return 0;
}

static __always_inline void dns_hand_over(const struct packet *p)
{
	union dns_where where = {.number = 0};
	union dns_what what;

	where.network_offset = p->network_offset;
	where.transport_offset = p->transport_offset;
	where.payload_offset = p->payload_offset;
	what.source_port = p->source_port;
	what.destination_port = p->destination_port;
	what.ip_version = p->ip_version;
	what.protocol = p->protocol;
	what.direction = p->direction;
	what.tcp_flags = p->tcp_flags;
	dns_read_headers(p->skb, where.number, what.number);
}

/* One after the other, not one within the other: the kernel allows 512 bytes of stack to all
 * functions of a chain of calls. */
static __always_inline int dns_stage(struct packet *p)
{
	if (!dns_is_port(p->destination_port) && !dns_is_port(p->source_port))
		return STAGE_NEXT;
	if (p->status != PACKET_WHOLE)
		return STAGE_NEXT;
	if (p->protocol == IPPROTO_UDP) {
		dns_hand_over(p);
		dns_read_datagrams(p->skb);
	} else if (p->protocol == IPPROTO_TCP) {
		dns_hand_over(p);
		dns_read_segment(p->skb);
	}
	return STAGE_NEXT;
}
