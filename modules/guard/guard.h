/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The contract between the guard stage and those who read and write its maps.
 *
 * Addresses are 16 bytes in network order, IPv4 as ::ffff:a.b.c.d. Times are CLOCK_MONOTONIC in ns;
 * where a limit is kept, in units of 1/64 ns (GUARD_TIME_BITS). What goes through the maps:
 *
 *	                 guard_settings ─► which slot, which parts are on
 *	packet ─► guard_sources ─(not known, or of an older generation)─► guard_exact[slot]
 *	   │          │                                                   guard_prefixes[slot]
 *	   │          │ verdict, limits                                   guard_bans, guard_limits
 *	   │          ▼
 *	   ├─► guard_port_rates ─► guard_port_limits, guard_port_credit
 *	   ├─► guard_destinations (what is seen)  guard_defence (what is ordered)
 *	   ├─► guard_sketch
 *	   └─► guard_counters, guard_samples
 *
 * How lists are exchanged: fill guard_exact[slot] and guard_prefixes[slot * 2 + …] of the slot that
 * is not in use, then store settings.lists (slot and a new generation) by one 8-byte write into the
 * mapped array. Whoever changes anything that a source's verdict follows from (lists, bans, limits
 * by source, flags) stores a new generation afterwards; sources ask again when they see it.
 */
#pragma once

#include <linux/types.h>

enum {
	GUARD_TIME_BITS = 6,       /* of a time in a limit, after the point: units of 1/64 ns */
	GUARD_BYTE_COST_BITS = 10, /* of guard_rate.byte_cost, after the point */
	/* A limit whose burst is shorter cannot reach its rate: the clock goes by ticks, of 10 ms
	 * where they are longest. */
	GUARD_TAU_MIN_NS = 20000000,
	GUARD_SEEN_BITS = 28, /* of guard_source.seen: units of a quarter of a second, 5 hours */

	GUARD_BANS_MAX = 65536,
	GUARD_LIMITS_MAX = 65536,
	GUARD_RATES_MAX = 1024,
	GUARD_SOURCES_MAX = 262144, /* a power of two */
	GUARD_SOURCE_WAYS = 8,      /* likewise */
	GUARD_SOURCE_LOCKS = 1024,  /* likewise */
	GUARD_PORTS = 65536,
	GUARD_PORT_LIMITS_MAX = 256,
	GUARD_DESTINATIONS = 2048, /* a power of two */
	GUARD_SKETCH_ROWS = 4,
	GUARD_SKETCH_COLUMNS = 2048, /* likewise; rows × columns × 4 bytes: the most of a value */
	GUARD_SKETCH_SAMPLE = 16,    /* one packet of these is in the sketch */
	GUARD_SLOTS = 2,
};

enum guard_mode {
	GUARD_MONITOR, /* decide and count as would_drop; do nothing */
	GUARD_ENFORCE,
};

/* When the heartbeat is older than silence_ns. */
enum guard_on_silence {
	GUARD_SILENCE_STATIC, /* what was declared goes on, what guard_defence orders does not */
	GUARD_SILENCE_KEEP,   /* all goes on */
	GUARD_SILENCE_PASS,   /* every packet passes, as "silent" */
};

enum guard_syn_cookies {
	GUARD_COOKIES_OFF,
	/* A SYN is answered where the kernel would answer it by a cookie: with tcp_syncookies=1
	 * while the listener's queue is full, with 2 always. */
	GUARD_COOKIES_KERNEL,
	/* Only for destinations whose guard_defence has GUARD_DEFENCE_COOKIES; as above. */
	GUARD_COOKIES_ORDERED,
};

/* guard_settings.flags. What is not used costs nothing: it is not even looked up. */
enum guard_flags {
	GUARD_EXACT = 1 << 0,          /* guard_exact[slot] has entries */
	GUARD_ALLOW_PREFIXES = 1 << 1, /* guard_prefixes[slot * 2 + GUARD_ALLOW_LIST] has */
	GUARD_BLOCK_PREFIXES = 1 << 2,
	/* guard_bans may have entries; always with GUARD_SIMPLE, which makes some. */
	GUARD_BANS = 1 << 3,
	GUARD_LIMITS = 1 << 4,      /* guard_limits has entries */
	GUARD_SOURCE_RATE = 1 << 5, /* guard_rates[0], of sources that are in no limit, is used */
	GUARD_PORT_LIMITS = 1 << 6, /* guard_port_rates has entries */
	/* A list, ban or limit has an IPv6 network longer than source_prefix: then no verdict about
	 * an IPv6 source is remembered. */
	GUARD_LONG_IPV6 = 1 << 7,
	GUARD_DETECTION = 1 << 8,   /* guard_destinations and guard_sketch are kept */
	GUARD_DEFENCE = 1 << 9,     /* guard_defence orders something */
	GUARD_STRICT = 1 << 10,     /* what is malformed or truncated is dropped */
	GUARD_SIMPLE = 1 << 11,     /* profile: simple; see simple_syn_… */
	GUARD_TIMESTAMPS = 1 << 12, /* cookies may use timestamps: net.ipv4.tcp_timestamps is 2 */

	/* With none of these nothing depends on who sends, and no source is remembered. */
	GUARD_ABOUT_SOURCES = GUARD_EXACT | GUARD_ALLOW_PREFIXES | GUARD_BLOCK_PREFIXES |
			      GUARD_BANS | GUARD_LIMITS | GUARD_SOURCE_RATE | GUARD_DETECTION |
			      GUARD_DEFENCE | GUARD_SIMPLE,
};

/* One write of `lists` takes a whole new set of lists. */
struct guard_settings {
	union {
		__u64 lists;
		struct {
			__u32 generation; /* never 0 */
			__u32 lists_slot; /* 0 or 1 */
		};
	};
	__u64 heartbeat_ns; /* when user space was last there; 0: the heartbeat is not looked at */
	__u64 silence_ns;
	__u64 simple_syn_cost; /* GUARD_SIMPLE: of a SYN, 1/64 ns; that many of one source … */
	__u64 simple_syn_tau;  /* … above this get it banned … */
	__u64 simple_ban_ns;   /* … for so long. */
	__u64 insert_cost;     /* of a new source on one CPU, 1/64 ns; 0: all are remembered */
	__u64 insert_tau;      /* those above it are judged by the lists only */
	__u64 sample_ns;       /* between two samples of one CPU */
	__u64 seed;            /* random: of guard_destination_slot() and the sketch */
	__u64 ipv6_mask;       /* of the upper 64 bits, host order: source_prefix as a mask */
	__u32 flags;           /* enum guard_flags */
	__u32 sketch_half;     /* 0 or 1: the half that is counted in; the other one is read */
	__u16 cookie_mss_ipv4; /* offered in answers; 0: what the client offered */
	__u16 cookie_mss_ipv6;
	__u16 cookie_window;      /* offered in answers, unscaled; 0: 65535 */
	__u8 cookie_window_scale; /* with GUARD_TIMESTAMPS: the kernel's own, of its tcp_rmem */
	__u8 mode;                /* enum guard_mode */
	__u8 on_silence;          /* enum guard_on_silence */
	__u8 syn_cookies;         /* enum guard_syn_cookies */
	__u8 source_prefix;       /* of IPv6 sources: 64, 56, 48; as ipv6_mask */
	__u8 padding[5];
};

_Static_assert(sizeof(struct guard_settings) == 112, "settings: two cache lines");

/* ---- lists ---- */

enum { GUARD_ALLOW_LIST, GUARD_BLOCK_LIST, GUARD_LISTS };

enum guard_origin {
	GUARD_DECLARED = 1, /* by the configuration */
	GUARD_RUNTIME,      /* by a command */
	GUARD_AUTOMATIC,    /* by guard itself */
	GUARD_PROTECTED,    /* allowed whatever the lists say: gateways, sessions … */
};

enum guard_entry_flags {
	GUARD_ENTRY_ALLOW = 1 << 0, /* in guard_exact one address may have both; allow wins */
	GUARD_ENTRY_BLOCK = 1 << 1,
};

/* Key of tries. A network of IPv4 a.b.c.d/n has prefixlen 96 + n. */
struct guard_prefix {
	__u32 prefixlen;
	__u8 address[16];
};

struct guard_address {
	__u8 address[16];
};

struct guard_entry {
	__u8 origin; /* enum guard_origin; GUARD_PROTECTED makes the reason `protected` */
	__u8 flags;  /* enum guard_entry_flags */
	__u16 padding;
	__u32 id; /* user space's */
};

_Static_assert(sizeof(struct guard_prefix) == 20, "key of tries");
_Static_assert(sizeof(struct guard_entry) == 8, "value of lists");

/* ---- reasons and verdicts ---- */

enum guard_verdict {
	GUARD_PASSED,
	GUARD_DROPPED,
	GUARD_WOULD_DROP, /* mode monitor: the packet passed */
	GUARD_ANSWERED,   /* by a SYN cookie */
	GUARD_VERDICTS,
};

enum guard_reason {
	GUARD_REASON_NONE, /* passed, nothing was to be said about it */
	GUARD_REASON_ALLOWED,
	GUARD_REASON_PROTECTED,
	GUARD_REASON_BANNED,
	GUARD_REASON_BLOCKLISTED, /* the last that a source's verdict can be: guard_source.said */
	GUARD_REASON_SOURCE_LIMIT,
	GUARD_REASON_PORT_LIMIT,
	GUARD_REASON_SYN_COOKIE_SENT, /* answered; in mode monitor would_drop: it would have been */
	GUARD_REASON_SYN_COOKIE_VALID,
	GUARD_REASON_SYN_COOKIE_INVALID,
	GUARD_REASON_SIMPLE_SYN, /* the SYN that got its source banned */
	GUARD_REASON_DROP_SHARE, /* a share of what goes to a destination under defence */
	GUARD_REASON_HEAVY_HITTER,
	GUARD_REASON_MALFORMED,
	GUARD_REASON_SILENT, /* on_silence: pass */
	GUARD_REASONS,
};

/* Index into guard_counters: reason << 2 | verdict. */
enum { GUARD_COUNTERS = GUARD_REASONS * GUARD_VERDICTS };

struct guard_count {
	__u64 packets;
	__u64 bytes; /* on the wire, without FCS */
};

/* What did not go as it should, beside the verdicts; index into guard_troubles, u64 per CPU. */
enum guard_trouble {
	GUARD_CAS_LOST,     /* a limit's time was not stored: admitted */
	GUARD_SOURCES_FULL, /* a new source was not remembered: the gate, or no memory */
	GUARD_BANS_FULL,    /* a ban found no room */
	GUARD_COOKIE_ERROR, /* an answer could not be made: the SYN passed */
	GUARD_TROUBLES,
};

/* ---- bans ---- */

/* Key: struct guard_address. IPv6: the source prefix, zeros behind it; or a whole address, with
 * GUARD_LONG_IPV6. */
struct guard_ban {
	__u64 since_ns;
	__u64 expires_ns; /* 0: never */
	__u64 evidence;   /* what it was banned for: SYNs, packets … a second */
	__u32 id;         /* user space's */
	__u8 origin;      /* enum guard_origin */
	__u8 reason;      /* enum guard_reason: what was found; GUARD_REASON_BANNED: by command */
	__u8 padding[2];
};

_Static_assert(sizeof(struct guard_ban) == 32, "value of guard_bans");

/* ---- limits ---- */

/*
 * GCRA: tat' = max(tat, now) + cost; over the limit if tat' - now > tau. For a rate r and a burst
 * of b: cost = 1 s / r, tau = b * cost. A cost of 0 is no limit.
 */
struct guard_rate {
	__u64 packet_cost; /* 1/64 ns: 64e9 / packets a second */
	__u64 packet_tau;
	__u64 byte_cost; /* 1/64 ns << GUARD_BYTE_COST_BITS: 64e9 * 8 * 1024 / bits a second */
	__u64 byte_tau;  /* 1/64 ns */
};

_Static_assert(sizeof(struct guard_rate) == 32, "value of guard_rates");

/*
 * What is known of a source, in guard_sources, which is an array: half a cache line. From the hash
 * of its key follow GUARD_SOURCE_WAYS places side by side that it can be at: that of guard_home()
 * unless somebody else was there first, else the one in the same line, else one of the others.
 *
 * The key: IPv4 0xffffffff << 32 | address, IPv6 the upper 64 bits under ipv6_mask; both in host
 * order.
 */
struct guard_source {
	__u64 key;
	__u64 packets_tat; /* 1/64 ns; of one that is banned the end of that, ~0: never */
	__u64 bytes_tat;   /* 1/64 ns */
	union {
		struct {
			__u32 generation; /* that `said` is of; 0: the place is nobody's */
			__u16 said;       /* enum guard_said: rate, verdict, proven */
			__u16 seen;       /* when it sent last: ns >> GUARD_SEEN_BITS */
		};
		__u64 judgement; /* all of it, to be read at once */
	};
};

_Static_assert(sizeof(struct guard_source) == 32, "value of guard_sources: two in a cache line");

/* guard_source.said */
enum guard_said {
	GUARD_SAID_RATE = GUARD_RATES_MAX - 1, /* index into guard_rates */
	GUARD_SAID_VERDICT_SHIFT = 10,
	GUARD_SAID_VERDICT = 7,      /* enum guard_reason: NONE, ALLOWED, PROTECTED, BANNED … */
	GUARD_SAID_PROVEN = 1 << 13, /* it answered a cookie: its address is its own */
};

_Static_assert(GUARD_RATES_MAX == 1 << GUARD_SAID_VERDICT_SHIFT, "the verdict is above the rate");

/*
 * guard_port_rates: u16 at port (TCP), GUARD_PORTS + port (UDP); an index here, 0: no limit. The
 * limit is of all CPUs together, each of which draws `…_batch` ahead: what passes in a time t is at
 * most rate * t + burst, and a batch for each CPU.
 */
struct guard_port_limit {
	struct guard_rate rate;
	__u64 packets_tat; /* the kernel's: write zeros */
	__u64 bytes_tat;
	__u64 packets_batch; /* 1/64 ns: so many packets' cost; less than packet_tau */
	__u64 bytes_batch;
};

struct guard_port_credit {
	__u64 packets; /* 1/64 ns */
	__u64 bytes;
};

_Static_assert(sizeof(struct guard_port_limit) == 64, "value of guard_port_limits");

/* ---- detection and defence ---- */

/* What is seen of a (destination, port, protocol): as many as share a slot. */
struct guard_destination {
	__u64 packets; /* that came, whatever became of them */
	__u64 bytes;
	__u64 syns; /* without ACK */
	__u64 acks; /* TCP with ACK, without SYN */
	__u64 new_sources;
	__u64 dropped; /* or would have been */
	__u64 answered;
	__u8 address[16]; /* of one of the last packets */
	__u16 port;       /* host order */
	__u8 protocol;
	__u8 padding[5];
};

_Static_assert(sizeof(struct guard_destination) == 80, "value of guard_destinations");

enum guard_defence_flags {
	GUARD_DEFENCE_COOKIES = 1 << 0, /* answer SYNs, drop ACKs that no cookie was sent for */
};

/* What user space orders for the slot. */
struct guard_defence {
	__u32 drop_share; /* of 2^32: of all packets but proven sources' */
	/* Of the source's /24 or /48, in packets counted by one CPU in the sketch's other half:
	 * above it, as large a share is dropped as is too much. 0: none. */
	__u32 fair_share;
	__u32 flags; /* enum guard_defence_flags */
	__u32 padding;
};

_Static_assert(sizeof(struct guard_defence) == 16, "value of guard_defence");

/* guard_sketch: two halves, see settings.sketch_half. Row 0 and 1: source /24 or /48; row 2 and 3:
 * destination port and protocol. */
struct guard_sketch {
	__u32 counts[GUARD_SKETCH_ROWS][GUARD_SKETCH_COLUMNS];
};

_Static_assert(sizeof(struct guard_sketch) == 32768, "the kernel's most for a per-CPU value");

/* 64 bits, of which all depend on all of the two words. */
static inline __u64 guard_hash(__u64 a, __u64 b, __u64 seed)
{
	__u64 hash = ((a ^ seed) | 1) * 0x9e3779b97f4a7c15 + (b + seed) * 0xc2b2ae3d27d4eb4f;

	hash ^= hash >> 32;
	hash *= 0x9e3779b97f4a7c15; /* 2^64 divided by the golden ratio, odd */
	return hash ^ hash >> 29;
}

/* Of an address as two words as they are in memory, a port in host order and a protocol. */
static inline __u32 guard_destination_slot(const __u64 address[2], __u16 port, __u8 protocol,
					   __u64 seed)
{
	__u64 place = (__u64)port << 8 | protocol;

	return guard_hash(address[0] ^ place, address[1], seed) >> 32 & (GUARD_DESTINATIONS - 1);
}

/*
 * The place in guard_sources that a source with @key has if it may. The seed as a factor, so that
 * nobody who does not know it can name keys that share one (Dietzfelbinger et al., "A reliable
 * randomized algorithm for the closest-pair problem"); then mixed, as addresses come in rows.
 */
static inline __u32 guard_home(__u64 key, __u64 seed)
{
	__u64 hash = key * (seed | 1);

	hash ^= hash >> 32;
	hash *= 0x9e3779b97f4a7c15;
	return hash >> 32 & (GUARD_SOURCES_MAX - 1);
}

/* ---- samples ---- */

/* A packet that was dropped, would have been, or was answered: a record of guard_samples. */
struct guard_sample {
	__u64 time_ns;
	__u8 source[16];
	__u8 destination[16];
	__u32 interface; /* as in struct packet */
	__u32 bytes;     /* on the wire */
	__u16 source_port;
	__u16 destination_port;
	__u16 vlan; /* number of the outermost tag, 0: none */
	__u16 ethertype;
	__u8 protocol;
	__u8 ip_version;
	__u8 tcp_flags;
	__u8 reason;  /* enum guard_reason */
	__u8 verdict; /* enum guard_verdict */
	__u8 padding[3];
};

_Static_assert(sizeof(struct guard_sample) == 64, "guard.yaml: fields of guard_samples");
