// SPDX-License-Identifier: MIT
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macro.h"
#include "base/units.h"

static void test_rates(void **state)
{
	static const struct {
		const char *text;
		enum rate_of of;
		uint64_t per_second;
		const char *again;
	} rows[] = {
		{"20mbit", RATE_BITS, 20000000, "20mbit"},
		{"1bit", RATE_BITS, 1, "1bit"},
		{"0kbit", RATE_BITS, 0, "0bit"},
		{"1.5Gbit", RATE_BITS, 1500000000, "1500mbit"},
		{"0.000000001gbit", RATE_BITS, 1, "1bit"},
		{"2tbit", RATE_BITS, 2000000000000, "2tbit"},
		{"64kibit", RATE_BITS, 65536, "65536bit"},
		{"1mibit", RATE_BITS, 1 << 20, "1048576bit"},
		{"1bps", RATE_BITS, 8, "8bit"},
		{"100kbps", RATE_BITS, 800000, "800kbit"},
		{"1KiBps", RATE_BITS, 8192, "8192bit"},
		{"5kpps", RATE_PACKETS, 5000, "5kpps"},
		{"2.5mpps", RATE_PACKETS, 2500000, "2500kpps"},
		{"7pps", RATE_PACKETS, 7, "7pps"},
		{"18446744073709551615bit", RATE_BITS, UINT64_MAX, "18446744073709551615bit"},
	};
	char text[UNITS_TEXT_MAX];
	struct rate rate;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_true(rate_parse(rows[i].text, &rate));
		assert_int_equal(rate.of, rows[i].of);
		assert_int_equal(rate.per_second, rows[i].per_second);
		assert_string_equal(rate_text(&rate, text), rows[i].again);
		assert_true(rate_parse(text, &rate));
		assert_int_equal(rate.per_second, rows[i].per_second);
	}
}

static void test_what_is_no_rate(void **state)
{
	static const char *const texts[] = {
		"",
		"20",
		"mbit",
		"20 mbit",
		"-1mbit",
		"+1mbit",
		"1.mbit",
		".5bit",
		"1e3bit",
		"20mbits",
		"20mb",
		"1kipps",
		"1xpps",
		"1.1.1bit",
		"5kpp",
		" 1bit",
		"1bit ",
		"1kkbit",
		"0x10bit",
		"1mBit/s",
		"18446744073709551616bit",
		"18446744073709551615bps",
		"18446744073709552tbit",
		"1.0000000001mbit",
	};
	struct rate rate = {RATE_PACKETS, 42};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		assert_false(rate_parse(texts[i], &rate));
		assert_int_equal(rate.of, RATE_PACKETS);
		assert_int_equal(rate.per_second, 42);
	}
}

static void test_durations(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns;
		const char *again;
	} rows[] = {
		{"90s", 90000000000, "1m30s"},
		{"10m", 600000000000, "10m"},
		{"1h30m", 5400000000000, "1h30m"},
		{"1H30M", 5400000000000, "1h30m"},
		{"2d", 172800000000000, "2d"},
		{"1w", 604800000000000, "1w"},
		{"90", 90000000000, "1m30s"},
		{"0.5", 500000000, "500ms"},
		{"0", 0, "0s"},
		{"0s", 0, "0s"},
		{"250ms", 250000000, "250ms"},
		{"1.5h", 5400000000000, "1h30m"},
		{"3us7ns", 3007, "3us7ns"},
		{"1w2d3h4m5s6ms7us8ns", 788645006007008, "1w2d3h4m5s6ms7us8ns"},
		{"18446744073709551615ns", UINT64_MAX, "30500w3d23h34m33s709ms551us615ns"},
	};
	char text[UNITS_TEXT_MAX];
	uint64_t ns;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_true(timespan_parse(rows[i].text, &ns));
		assert_int_equal(ns, rows[i].ns);
		assert_string_equal(timespan_text(ns, text), rows[i].again);
		assert_true(timespan_parse(text, &ns));
		assert_int_equal(ns, rows[i].ns);
	}
}

static void test_what_is_no_duration(void **state)
{
	static const char *const texts[] = {
		"",
		"s",
		"-1s",
		"1 s",
		"30m1h",
		"1m1m",
		"1h30",
		"1y",
		"1mo",
		"1min",
		"10ss",
		"1.2.3s",
		"1s,2ms",
		"31000w",
		"1.s",
		"1h ",
		"0x1s",
		"18446744073709551616ns",
		"18446744073709551615ns1ns",
	};
	uint64_t ns = 42;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		assert_false(timespan_parse(texts[i], &ns));
		assert_int_equal(ns, 42);
	}
}

static void test_ports(void **state)
{
	static const struct {
		const char *text;
		struct ports ports;
	} rows[] = {
		{"53", {53, 53, 0}},
		{"53/udp", {53, 53, IPPROTO_UDP}},
		{"65535/tcp", {65535, 65535, IPPROTO_TCP}},
		{"8000-8100", {8000, 8100, 0}},
		{"1-65535/tcp", {1, 65535, IPPROTO_TCP}},
	};
	char text[UNITS_TEXT_MAX];
	struct ports ports;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_true(ports_parse(rows[i].text, &ports));
		assert_int_equal(ports.first, rows[i].ports.first);
		assert_int_equal(ports.last, rows[i].ports.last);
		assert_int_equal(ports.protocol, rows[i].ports.protocol);
		assert_string_equal(ports_text(&ports, text), rows[i].text);
	}
	assert_true(ports_parse("53/UDP", &ports));
	assert_int_equal(ports.protocol, IPPROTO_UDP);
}

static void test_what_is_no_port(void **state)
{
	static const char *const texts[] = {
		"",        "0",       "65536", "-1",      "53/", "53/sctp",
		"/udp",    "udp/53",  "53-",   "53-52",   "0-1", "1-2-3",
		"53 /udp", "53/udp ", "http",  "53//udp", "+53", "99999999999999999999",
	};
	struct ports ports = {.first = 42};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		assert_false(ports_parse(texts[i], &ports));
		assert_int_equal(ports.first, 42);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rates),     cmocka_unit_test(test_what_is_no_rate),
		cmocka_unit_test(test_durations), cmocka_unit_test(test_what_is_no_duration),
		cmocka_unit_test(test_ports),     cmocka_unit_test(test_what_is_no_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
