/* SPDX-License-Identifier: MIT */
/*
 * Amounts as people write them for tc(8) and ip(8): "20mbit", "5kpps", "1h30m", "53/udp". Numbers
 * may have a fraction, units are of any case, and nothing may be left over: "20 mbit" is none.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum rate_of { RATE_BITS, RATE_PACKETS };

struct rate {
	enum rate_of of;
	uint64_t per_second;
};

/* What they take, for a sentence. */
#define RATE_TAKES     "a rate such as 20mbit, 1.5gbit or 5kpps"
#define TIMESPAN_TAKES "a time such as 90s, 10m, 1h30m or 2d"
#define PORTS_TAKES    "a port such as 53, 53/udp or 8000-8100/tcp"

/*
 * False, and *ret is as it was, where @text is none. bit, kbit, mbit, gbit, tbit and kibit … are
 * bits; bps, kbps … kibps … are bytes, as tc has them; pps, kpps, mpps, gpps are packets. A number
 * without a unit is no rate: nobody could say of what.
 */
bool rate_parse(const char *text, struct rate *ret);

/* Nanoseconds. ns, us, ms, s, m, h, d, w, the larger before the smaller; a number alone is of
 * seconds. (Durations in configs are Go's, as ebpf_exporter has them: config/bind.h.) */
bool timespan_parse(const char *text, uint64_t *ret);

struct ports {
	uint16_t first, last;
	uint8_t protocol; /* IPPROTO_TCP, IPPROTO_UDP; 0: any */
};

bool ports_parse(const char *text, struct ports *ret);

/* Texts that are parsed to the same amount again, as short as can be: "20mbit", "1h30m". */
enum { UNITS_TEXT_MAX = 64 };
const char *rate_text(const struct rate *r, char text[static UNITS_TEXT_MAX]);
const char *timespan_text(uint64_t ns, char text[static UNITS_TEXT_MAX]);
const char *ports_text(const struct ports *p, char text[static UNITS_TEXT_MAX]);
