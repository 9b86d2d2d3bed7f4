/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Programs that send what the packet of a test run has behind its Ethernet header, 1 to 64 bytes,
 * as an event. They return 0 when it was sent. */
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>

#include "events.bpf.h"

enum { HEADER = 14, LONGEST = 64 };

/* @len, which is from 1 to LONGEST: so that the verifier of Linux 5.10, too, sees that it is not 0,
 * and the compiler does not see that it changes nothing. */
static __always_inline __u32 bounded(__u32 len)
{
	asm volatile("" : "+r"(len));
	return ((len - 1) & (LONGEST - 1)) + 1;
}

EVENTS(ring_total, 4096);
EVENTS(ring_values, 4096);
EVENTS(ring_bytes, 4096);
EVENTS(ring_plain_total, 4096);
EVENTS(limited_total, 4096);

#define PERF(name)                                                                                 \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);                                       \
		__type(key, __u32);                                                                \
		__type(value, __u32);                                                              \
	} name SEC(".maps")

PERF(perf_total);
PERF(flushed_total);

/* How many bytes of the packet are in @record, 0 when they are too many. */
static __always_inline __u32 read_record(struct __sk_buff *skb, __u8 *record)
{
	__u32 len = skb->len - HEADER;

	if (len < 1 || len > LONGEST)
		return 0;
	return bpf_skb_load_bytes(skb, HEADER, record, bounded(len)) ? 0 : len;
}

static __always_inline int send(struct __sk_buff *skb, void *ring, void *lost, __u64 flags)
{
	__u8 record[LONGEST] = {0};
	__u32 len = read_record(skb, record);
	const __u32 first = 0;
	__u64 *count;

	if (len < 1 || len > LONGEST)
		return 2;
	if (bpf_ringbuf_output(ring, record, bounded(len), flags) == 0)
		return 0;
	count = bpf_map_lookup_elem(lost, &first);
	if (count)
		__sync_fetch_and_add(count, 1);
	return 1;
}

static __always_inline int send_perf(struct __sk_buff *skb, void *array)
{
	__u8 record[LONGEST] = {0};
	__u32 len = read_record(skb, record);

	if (len < 1 || len > LONGEST)
		return 2;
	return bpf_perf_event_output(skb, array, BPF_F_CURRENT_CPU, record, bounded(len)) != 0;
}

SEC("tc") int to_ring(struct __sk_buff *skb)
{
	return send(skb, &ring_total, &ring_total_lost, 0);
}

SEC("tc") int to_ring_silently(struct __sk_buff *skb)
{
	return send(skb, &ring_total, &ring_total_lost, BPF_RB_NO_WAKEUP);
}

SEC("tc") int to_values(struct __sk_buff *skb)
{
	return send(skb, &ring_values, &ring_values_lost, 0);
}

SEC("tc") int to_histogram(struct __sk_buff *skb)
{
	return send(skb, &ring_bytes, &ring_bytes_lost, 0);
}

SEC("tc") int to_plain(struct __sk_buff *skb)
{
	struct {
		__u8 byte;
	} record = {0};

	return !events_send(ring_plain_total, &record);
}

SEC("tc") int to_limited(struct __sk_buff *skb)
{
	return send(skb, &limited_total, &limited_total_lost, 0);
}

SEC("tc") int to_perf(struct __sk_buff *skb)
{
	return send_perf(skb, &perf_total);
}

SEC("tc") int to_flushed(struct __sk_buff *skb)
{
	return send_perf(skb, &flushed_total);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
