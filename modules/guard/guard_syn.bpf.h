/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * SYN cookies, before the kernel has made a socket buffer of the packet. The cookie is the kernel's
 * own, made by its helper for the listener that it finds, so that the kernel itself accepts the ACK
 * that answers it: no state is kept here.
 *
 *	SYN	Ethernet [tags] IP TCP  S  seq x                 the client's options
 *	answer	Ethernet [tags] IP TCP SA  seq cookie, ack x + 1 MSS [SACK, timestamps, scale]
 *
 * What a cookie has no room for, window scale and SACK, the kernel reads out of the timestamp that
 * comes back (net/ipv4/syncookies.c: cookie_timestamp_decode()), if it is one that it could have
 * sent: without the offset that it adds unless net.ipv4.tcp_timestamps is 2.
 */
#pragma once

#include "guard_destinations.bpf.h"

enum {
	GUARD_OPTIONS_MAX = 12, /* that are looked at, padding included */
	GUARD_OPTION_END = 0,   /* IANA, TCP option kinds */
	GUARD_OPTION_NONE = 1,
	GUARD_OPTION_MSS = 2,
	GUARD_OPTION_SCALE = 3,
	GUARD_OPTION_SACK = 4,
	GUARD_OPTION_TIMESTAMPS = 8,
	GUARD_SCALE_MAX = 14,   /* RFC 7323, 2.3 */
	GUARD_TS_NO_SCALE = 15, /* net/ipv4/syncookies.c: the low bits of a timestamp */
	GUARD_TS_SACK = 1 << 4,
	GUARD_TS_ALL = (1 << 6) - 1,
	GUARD_HOP_LIMIT = 64,
};

#define GUARD_SECOND     1000000000ULL
#define GUARD_COOKIE_AGE (120 * GUARD_SECOND) /* the kernel's MAX_SYNCOOKIE_AGE */

/* A packet of a handshake. */
struct guard_handshake {
	__u32 network_offset;
	__u32 transport_offset;
	__u32 len; /* of the frame */
	__u32 cookie;
	__u16 mss; /* the client's, or what the kernel makes of it */
	__u8 is_ipv6;
	__u8 padding;
};

enum { GUARD_ANSWER_SHORT = 24, GUARD_ANSWER_LONG = 40 };

_Static_assert(sizeof(struct guard_answer) == GUARD_ANSWER_LONG, "RFC 9293, 3.1; RFC 7323, 3.2");

/* ---- reading ---- */

/* As long as the struct it goes to; NULL: the packet's first buffer ends before. */
static __always_inline void *guard_bytes(struct xdp_md *xdp, __u32 offset, __u32 size)
{
	void *bytes = (void *)(long)xdp->data + packet_bound_offset(offset);

	return bytes + size <= (void *)(long)xdp->data_end ? bytes : NULL;
}

static __always_inline bool guard_copy_ipv4(struct xdp_md *xdp, __u32 offset,
					    struct guard_headers *h)
{
	const struct iphdr *ip = guard_bytes(xdp, offset, sizeof(*ip));

	if (ip)
		h->ipv4 = *ip;
	return ip;
}

static __always_inline bool guard_copy_ipv6(struct xdp_md *xdp, __u32 offset,
					    struct guard_headers *h)
{
	const struct ipv6hdr *ip = guard_bytes(xdp, offset, sizeof(*ip));

	if (ip)
		h->ipv6 = *ip;
	return ip;
}

static __always_inline bool guard_copy_ip(struct xdp_md *xdp, const struct guard_handshake *s,
					  struct guard_headers *h)
{
	if (s->is_ipv6)
		return guard_copy_ipv6(xdp, s->network_offset, h);
	return guard_copy_ipv4(xdp, s->network_offset, h);
}

/* The header with its options, and what follows, as far as there is room. */
static __always_inline bool guard_copy_tcp(struct xdp_md *xdp, const struct guard_handshake *s,
					   struct guard_headers *h)
{
	const __u32 *tcp = (const void *)(long)xdp->data + packet_bound_offset(s->transport_offset);
	const __u32 *end = (const void *)(long)xdp->data_end;
	__u32 words = 0;

	for (; words < sizeof(h->tcp_words) / 4 && tcp + words + 1 <= end; words++)
		h->tcp_words[words] = tcp[words];
	h->tcp_len = h->tcp.doff * 4;
	return h->tcp_len >= sizeof(h->tcp) && h->tcp_len <= words * 4;
}

static __always_inline struct guard_headers *guard_copy_headers(struct xdp_md *xdp,
								struct guard_handshake *s)
{
	struct guard_cpu *cpu = guard_this_cpu();

	if (!cpu || !guard_copy_ip(xdp, s, &cpu->headers) || !guard_copy_tcp(xdp, s, &cpu->headers))
		return NULL;
	return &cpu->headers;
}

static __always_inline struct bpf_sock *guard_find_socket(struct xdp_md *xdp, bool is_ipv6,
							  struct guard_headers *h)
{
	struct bpf_sock_tuple *tuple = &h->tuple;

	if (is_ipv6) {
		__builtin_memcpy(tuple->ipv6.saddr, &h->ipv6.saddr, sizeof(tuple->ipv6.saddr));
		__builtin_memcpy(tuple->ipv6.daddr, &h->ipv6.daddr, sizeof(tuple->ipv6.daddr));
		tuple->ipv6.sport = h->tcp.source;
		tuple->ipv6.dport = h->tcp.dest;
		return bpf_skc_lookup_tcp(xdp, tuple, sizeof(tuple->ipv6), BPF_F_CURRENT_NETNS, 0);
	}
	tuple->ipv4.saddr = h->ipv4.saddr;
	tuple->ipv4.daddr = h->ipv4.daddr;
	tuple->ipv4.sport = h->tcp.source;
	tuple->ipv4.dport = h->tcp.dest;
	return bpf_skc_lookup_tcp(xdp, tuple, sizeof(tuple->ipv4), BPF_F_CURRENT_NETNS, 0);
}

/* ---- options ---- */

static __always_inline __u8 guard_byte(const struct guard_headers *h, __u32 offset)
{
	return h->tcp_bytes[offset & (sizeof(h->tcp_bytes) - 1)];
}

static __always_inline void guard_read_option(struct guard_headers *h, __u32 at, __u8 size)
{
	__u8 kind = guard_byte(h, at);

	if (kind == GUARD_OPTION_SACK && size == 2) {
		h->has_sack = true;
	} else if (kind == GUARD_OPTION_SCALE && size == 3) {
		h->scale = guard_byte(h, at + 2);
	} else if (kind == GUARD_OPTION_TIMESTAMPS && size == 10) {
		h->has_timestamp = true;
		h->timestamp = bpf_htonl(guard_byte(h, at + 2) << 24 | guard_byte(h, at + 3) << 16 |
					 guard_byte(h, at + 4) << 8 | guard_byte(h, at + 5));
	}
}

/* One option, or a byte of padding; false when the last was read. */
static __always_inline bool guard_read_next_option(struct guard_headers *h)
{
	__u32 at = *(volatile __u32 *)&h->at;
	__u8 kind = guard_byte(h, at), size = guard_byte(h, at + 1);

	if (at >= h->tcp_len || kind == GUARD_OPTION_END)
		return false;
	if (kind == GUARD_OPTION_NONE)
		size = 1;
	else if (size < 2 || at + size > h->tcp_len)
		return false;
	guard_read_option(h, at, size);
	*(volatile __u32 *)&h->at = at + size;
	return true;
}

static __always_inline void guard_read_options(struct guard_headers *h)
{
	h->at = sizeof(h->tcp);
	h->has_timestamp = h->has_sack = false;
	h->scale = GUARD_TS_NO_SCALE;
	for (int i = 0; i < GUARD_OPTIONS_MAX; i++) {
		if (!guard_read_next_option(h))
			break;
	}
	if (h->scale > GUARD_SCALE_MAX && h->scale != GUARD_TS_NO_SCALE)
		h->scale = GUARD_SCALE_MAX;
}

/* ---- the answer ---- */

/* As the kernel makes it: the time in ms, its last bits ours, and not in the future. */
static __always_inline __be32 guard_cookie_timestamp(const struct guard_headers *h)
{
	__u64 now = bpf_ktime_get_ns() / 1000000;
	__u64 timestamp = (now & ~(__u64)GUARD_TS_ALL) | h->scale;

	if (h->has_sack)
		timestamp |= GUARD_TS_SACK;
	if (timestamp > now)
		timestamp -= GUARD_TS_ALL + 1;
	return bpf_htonl((__u32)timestamp);
}

static __always_inline void guard_fill_tcp(const struct guard_settings *settings,
					   const struct guard_handshake *s,
					   const struct guard_headers *h, struct guard_answer *a)
{
	__u16 mss = s->is_ipv6 ? settings->cookie_mss_ipv6 : settings->cookie_mss_ipv4;

	a->tcp.source = h->tcp.dest;
	a->tcp.dest = h->tcp.source;
	a->tcp.seq = bpf_htonl(s->cookie);
	a->tcp.ack_seq = bpf_htonl(bpf_ntohl(h->tcp.seq) + 1);
	a->tcp.syn = 1;
	a->tcp.ack = 1;
	a->tcp.doff = (h->has_timestamp ? GUARD_ANSWER_LONG : GUARD_ANSWER_SHORT) / 4;
	a->tcp.window = bpf_htons(settings->cookie_window ? settings->cookie_window : 0xffff);
	a->mss_kind = GUARD_OPTION_MSS;
	a->mss_len = 4;
	a->mss = bpf_htons(mss ? mss : s->mss);
}

static __always_inline void guard_fill_options(const struct guard_settings *settings,
					       const struct guard_headers *h,
					       struct guard_answer *a)
{
	a->sack_kind = h->has_sack ? GUARD_OPTION_SACK : GUARD_OPTION_NONE;
	a->sack_len = h->has_sack ? 2 : GUARD_OPTION_NONE;
	a->timestamp_kind = GUARD_OPTION_TIMESTAMPS;
	a->timestamp_len = 10;
	a->timestamp = guard_cookie_timestamp(h);
	a->echo = h->timestamp;
	a->padding = a->scale_kind = a->scale_len = a->scale = GUARD_OPTION_NONE;
	if (h->scale == GUARD_TS_NO_SCALE)
		return;
	a->scale_kind = GUARD_OPTION_SCALE;
	a->scale_len = 3;
	a->scale = settings->cookie_window_scale;
}

/* RFC 1071: the sum of 16-bit words, folded. */
static __always_inline __u16 guard_fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/* @addresses: both, as the pseudo header has them. */
static __always_inline void guard_sum_tcp(struct guard_answer *a, __u32 len, __be32 *addresses,
					  __u32 size)
{
	__u64 sum = (__u32)bpf_csum_diff(NULL, 0, addresses, size, 0);

	sum += bpf_htonl(IPPROTO_TCP << 16 | len);
	sum += (__u32)bpf_csum_diff(NULL, 0, (__be32 *)a, len, 0);
	a->tcp.check = guard_fold(sum);
}

static __always_inline void guard_fill_ipv4(struct guard_headers *h, struct guard_answer *a,
					    __u32 len)
{
	__be32 from = h->ipv4.saddr;

	h->ipv4 = (struct iphdr){
		.version = 4,
		.ihl = sizeof(h->ipv4) / 4,
		.tot_len = bpf_htons(sizeof(h->ipv4) + len),
		.frag_off = bpf_htons(0x4000), /* RFC 791: do not fragment */
		.ttl = GUARD_HOP_LIMIT,
		.protocol = IPPROTO_TCP,
		.saddr = h->ipv4.daddr,
		.daddr = from,
	};
	h->ipv4.check =
		guard_fold((__u32)bpf_csum_diff(NULL, 0, (__be32 *)&h->ipv4, sizeof(h->ipv4), 0));
	guard_sum_tcp(a, len, &h->ipv4.saddr, 8);
}

static __always_inline void guard_fill_ipv6(struct guard_headers *h, struct guard_answer *a,
					    __u32 len)
{
	__be32 *from = h->ipv6.saddr.in6_u.u6_addr32, *to = h->ipv6.daddr.in6_u.u6_addr32;

	h->ipv6.priority = 0;
	__builtin_memset(h->ipv6.flow_lbl, 0, sizeof(h->ipv6.flow_lbl));
	h->ipv6.payload_len = bpf_htons(len);
	h->ipv6.hop_limit = GUARD_HOP_LIMIT;
	for (int i = 0; i < 4; i++) {
		__be32 word = from[i];

		from[i] = to[i];
		to[i] = word;
	}
	guard_sum_tcp(a, len, (__be32 *)&h->ipv6.saddr, 32);
}

/* ---- writing ---- */

static __always_inline bool guard_turn_ethernet(struct xdp_md *xdp)
{
	struct ethhdr *ethernet = guard_bytes(xdp, 0, sizeof(*ethernet));
	__u8 from[ETH_ALEN];

	if (!ethernet)
		return false;
	__builtin_memcpy(from, ethernet->h_source, sizeof(from));
	__builtin_memcpy(ethernet->h_source, ethernet->h_dest, sizeof(from));
	__builtin_memcpy(ethernet->h_dest, from, sizeof(from));
	return true;
}

static __always_inline bool guard_write_ipv4(struct xdp_md *xdp, __u32 offset,
					     const struct guard_headers *h)
{
	struct iphdr *ip = guard_bytes(xdp, offset, sizeof(*ip));

	if (ip)
		*ip = h->ipv4;
	return ip;
}

static __always_inline bool guard_write_ipv6(struct xdp_md *xdp, __u32 offset,
					     const struct guard_headers *h)
{
	struct ipv6hdr *ip = guard_bytes(xdp, offset, sizeof(*ip));

	if (ip)
		*ip = h->ipv6;
	return ip;
}

static __always_inline bool guard_write_ip(struct xdp_md *xdp, const struct guard_handshake *s,
					   const struct guard_headers *h)
{
	if (s->is_ipv6)
		return guard_write_ipv6(xdp, s->network_offset, h);
	return guard_write_ipv4(xdp, s->network_offset, h);
}

static __always_inline bool guard_write_tcp(struct xdp_md *xdp, __u32 offset,
					    const struct guard_headers *h,
					    const struct guard_answer *a)
{
	__u32 *words;

	if (h->has_timestamp) {
		struct guard_answer *to = guard_bytes(xdp, offset, GUARD_ANSWER_LONG);

		if (to)
			*to = *a;
		return to;
	}
	words = guard_bytes(xdp, offset, GUARD_ANSWER_SHORT);
	for (int i = 0; words && i < GUARD_ANSWER_SHORT / 4; i++)
		words[i] = ((const __u32 *)a)[i];
	return words;
}

/* The length first: it is what a driver may refuse, and then the SYN goes on as it came. */
static __always_inline bool guard_write_answer(struct xdp_md *xdp, const struct guard_handshake *s,
					       const struct guard_headers *h,
					       const struct guard_answer *a)
{
	__u32 len = h->has_timestamp ? GUARD_ANSWER_LONG : GUARD_ANSWER_SHORT;

	if (bpf_xdp_adjust_tail(xdp, (int)(s->transport_offset + len - s->len)) < 0)
		return false;
	return guard_turn_ethernet(xdp) && guard_write_ip(xdp, s, h) &&
	       guard_write_tcp(xdp, s->transport_offset, h, a);
}

/* ---- cookies ---- */

enum guard_cookie {
	GUARD_COOKIE_NONE,   /* no listener, or the kernel does not want any */
	GUARD_COOKIE_SENT,   /* or would have been */
	GUARD_COOKIE_FAILED, /* the answer could not be made; the packet is as it was */
	GUARD_COOKIE_VALID,
	GUARD_COOKIE_INVALID,
};

/* Negative where the kernel wants none. */
static __always_inline __s64 guard_ask_cookie(struct bpf_sock *listener, bool is_ipv6,
					      struct guard_headers *h)
{
	__u32 size = is_ipv6 ? sizeof(h->ipv6) : sizeof(h->ipv4);
	__u32 tcp_len = h->tcp_len;

	/* Two questions about the register that the helper gets: the compiler would make one of
	 * them, about another, of which the verifier of Linux 5.10 learns nothing. */
	if (tcp_len < sizeof(h->tcp))
		return -1;
	asm volatile("" : "+r"(tcp_len));
	if (tcp_len > sizeof(h->tcp_bytes))
		return -1;
	return bpf_tcp_gen_syncookie(listener, &h->ipv4, size, &h->tcp, tcp_len);
}

/* The kernel's cookie for this SYN, if it has a listener whose kernel wants one. */
static __always_inline bool guard_make_cookie(struct xdp_md *xdp, struct guard_handshake *s,
					      struct guard_headers *h)
{
	struct bpf_sock *listener = guard_find_socket(xdp, s->is_ipv6, h);
	__s64 cookie = -1;

	if (!listener)
		return false;
	if (listener->state == BPF_TCP_LISTEN)
		cookie = guard_ask_cookie(listener, s->is_ipv6, h);
	bpf_sk_release(listener);
	s->cookie = (__u32)cookie;
	s->mss = cookie >> 32 & 0xffff;
	return cookie >= 0;
}

static __always_inline bool guard_answer(struct xdp_md *xdp, const struct guard_settings *settings,
					 const struct guard_handshake *s, struct guard_headers *h)
{
	struct guard_answer *answer = &h->answer;
	__u32 len;

	__builtin_memset(answer, 0, sizeof(*answer));
	guard_read_options(h);
	if (!(settings->flags & GUARD_TIMESTAMPS))
		h->has_timestamp = false;
	guard_fill_tcp(settings, s, h, answer);
	if (h->has_timestamp)
		guard_fill_options(settings, h, answer);
	len = h->has_timestamp ? GUARD_ANSWER_LONG : GUARD_ANSWER_SHORT;
	if (s->is_ipv6)
		guard_fill_ipv6(h, answer, len);
	else
		guard_fill_ipv4(h, answer, len);
	return guard_write_answer(xdp, s, h, answer);
}

static __always_inline void guard_begin_handshake(struct guard_handshake *s, __u32 offsets,
						  __u32 is_ipv6)
{
	*s = (struct guard_handshake){
		.network_offset = offsets & 0xffff,
		.transport_offset = offsets >> 16,
		.is_ipv6 = is_ipv6,
	};
}

/*
 * These two are not inlined, as few packets are of a handshake, and not static, so that the
 * verifier looks at them once, for any numbers. @offsets: of the network header, and << 16 of the
 * transport header.
 */
__noinline int guard_answer_syn(struct xdp_md *xdp, __u32 offsets, __u32 len, __u32 is_ipv6)
{
	const __u32 first = 0;
	const struct guard_settings *settings = bpf_map_lookup_elem(&guard_settings, &first);
	struct guard_handshake s;
	struct guard_headers *h;

	guard_begin_handshake(&s, offsets, is_ipv6);
	s.len = len;
	h = guard_copy_headers(xdp, &s);
	if (!settings || !h || !guard_make_cookie(xdp, &s, h))
		return GUARD_COOKIE_NONE;
	if (settings->mode != GUARD_ENFORCE)
		return GUARD_COOKIE_SENT;
	return guard_answer(xdp, settings, &s, h) ? GUARD_COOKIE_SENT : GUARD_COOKIE_FAILED;
}

__noinline int guard_check_ack(struct xdp_md *xdp, __u32 offsets, __u32 is_ipv6)
{
	struct guard_handshake s;
	struct guard_headers *h;
	struct bpf_sock *listener;
	int result = GUARD_COOKIE_NONE;

	guard_begin_handshake(&s, offsets, is_ipv6);
	h = guard_copy_headers(xdp, &s);
	if (!h)
		return GUARD_COOKIE_NONE;
	listener = guard_find_socket(xdp, is_ipv6, h);
	if (!listener)
		return GUARD_COOKIE_NONE;
	if (listener->state == BPF_TCP_LISTEN) {
		__u32 size = is_ipv6 ? sizeof(h->ipv6) : sizeof(h->ipv4);

		result = bpf_tcp_check_syncookie(listener, &h->ipv4, size, &h->tcp,
						 sizeof(h->tcp)) == 0
				 ? GUARD_COOKIE_VALID
				 : GUARD_COOKIE_INVALID;
	}
	bpf_sk_release(listener);
	return result;
}

/* ---- when ---- */

/* No extension headers, nor options of IPv4: whoever opens a connection sends none. */
static __always_inline bool guard_is_plain(const struct packet *p)
{
	__u32 len = p->ip_version == 4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);

	return p->status == PACKET_WHOLE && p->fragment == PACKET_UNFRAGMENTED &&
	       p->transport_offset == p->network_offset + len;
}

static __always_inline __u32 guard_offsets(const struct packet *p)
{
	return p->transport_offset << 16 | p->network_offset;
}

static __always_inline bool guard_are_cookies_ordered(const struct guard_defence *defence)
{
	return defence && defence->flags & GUARD_DEFENCE_COOKIES;
}

/* ACKs to this destination are looked at from now on. */
static __always_inline void guard_note_cookie(const struct guard_packet *g)
{
	__u32 slot = g->slot;
	__u64 *when = bpf_map_lookup_elem(&guard_cookie_times, &slot);

	if (when && (!*when || g->now - *when > GUARD_SECOND))
		*when = g->now;
}

static __always_inline bool guard_were_cookies_sent(const struct guard_packet *g)
{
	__u32 slot = g->slot;
	const __u64 *when = bpf_map_lookup_elem(&guard_cookie_times, &slot);

	return when && *when && g->now - *when < GUARD_COOKIE_AGE;
}

/* Whether the SYN is answered. */
static __always_inline bool guard_try_answer(const struct guard_packet *g,
					     const struct guard_defence *defence)
{
	const struct packet *p = g->p;
	int result;

	if (g->settings->syn_cookies == GUARD_COOKIES_ORDERED &&
	    !guard_are_cookies_ordered(defence))
		return false;
	result = guard_answer_syn(p->xdp, guard_offsets(p), p->len, p->ip_version == 6);
	if (result == GUARD_COOKIE_FAILED)
		guard_count_trouble(GUARD_COOKIE_ERROR);
	if (result != GUARD_COOKIE_SENT)
		return false;
	guard_note_cookie(g);
	return true;
}

static __always_inline int guard_try_check(const struct guard_packet *g)
{
	if (!guard_were_cookies_sent(g))
		return GUARD_COOKIE_NONE;
	return guard_check_ack(g->p->xdp, guard_offsets(g->p), g->p->ip_version == 6);
}
