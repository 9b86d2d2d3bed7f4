// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "config/bind.h"
#include "config/config.h"

DEFINE_CLEANUP(struct config *, config_free)
#define _cleanup_config_ _cleanup_(config_free_p)

static int parse_bytes(const void *text, size_t len, struct report *r, struct config **ret)
{
	struct source s = {.name = strdup("t.yaml"), .text = malloc(len + 1), .len = len};

	memcpy(s.text, text, len);
	s.text[len] = 'Z'; /* the parser must not look there */
	return config_parse("t", s, r, ret);
}

static struct config *parse(const char *text)
{
	_cleanup_report_ struct report r = {0};
	struct config *c = NULL;
	int err = parse_bytes(text, strlen(text), &r, &c);

	if (err || r.text.len)
		fail_msg("%s", buf_str(&r.text));
	return c;
}

static void expect_error(const char *text, const char *message)
{
	_cleanup_report_ struct report r = {0};
	struct config *untouched = (struct config *)&r, *c = untouched;

	assert_int_equal(parse_bytes(text, strlen(text), &r, &c), -EINVAL);
	assert_ptr_equal(c, untouched);
	if (!strstr(buf_str(&r.text), message))
		fail_msg("'%s' is not in:\n%s", message, buf_str(&r.text));
}

static const char module_text[] =
	"description: Traffic by interface\n"
	"namespace: lab\n"
	"kaddrs: [jiffies, init_net]\n"
	"options:\n"
	"  - {name: interfaces, type: list, default: ['*', '!lo'], help: Which}\n"
	"  - {name: sizes, type: bool, default: on, rodata: traffic_sizes}\n"
	"  - {name: limit, type: uint, default: 0x1_0}\n"
	"  - {name: title, type: string, default: 0x10}\n"
	"attach:\n"
	"  - {program: in, hook: tc_ingress, interfaces: $interfaces}\n"
	"  - {program: out, hook: tc_egress, link_layer: none, interfaces: ['wg*', '!wg9']}\n"
	"metrics:\n"
	"  histograms:\n"
	"    - name: wait_seconds\n"
	"      bucket_type: linear\n"
	"      bucket_min: 3\n"
	"      bucket_max: 7\n"
	"      bucket_multiplier: 1e-3\n"
	"      labels: [{name: le, size: 8, decoders: [{name: uint}]}]\n"
	"  gauges:\n"
	"    - name: depths\n"
	"      values: [{name: depth, offset: 0}, {name: seen_total, type: counter, offset: 8}]\n"
	"  counters:\n"
	"    - name: traffic\n"
	"      help: Traffic\n"
	"      labels:\n"
	"        - {name: interface, size: 4, delete_unknown: true, decoders: [{name: ifname}]}\n"
	"        - name: direction\n"
	"          size: 1\n"
	"          padding: 3\n"
	"          decoders:\n"
	"            - name: uint\n"
	"            - name: static_map\n"
	"              allow_unknown: Yes\n"
	"              static_map: {0x0: ingress, '1': egress, 010: ten, ~: \"\"}\n"
	"            - {name: regexp, regexps: ['^(in|e)', gress]}\n"
	"      values:\n"
	"        - {name: bytes_total, help: Bytes, offset: 8}\n"
	"        - {name: marks, type: gauge, offset: 16, size: 4, labels: [direction]}\n"
	"        - name: size_bytes\n"
	"          type: histogram\n"
	"          offset: 24\n"
	"          bucket_type: fixed\n"
	"          bucket_keys: [0, 64, 1.5e3, 18446744073709551615]\n"
	"          sum_offset: 0\n"
	"    - name: second_total\n";

static void test_everything_about_a_module(void **state)
{
	_cleanup_config_ struct config *c = parse(module_text);

	(void)state;
	assert_string_equal(c->name, "t");
	assert_string_equal(c->description.text, "Traffic by interface");
	assert_int_equal(c->description.place.line, 1);
	assert_int_equal(c->description.place.column, 14);
	assert_int_equal(c->description.place.width, 20);
	assert_string_equal(c->namespace_.text, "lab");
	assert_false(c->has_stage);
	assert_int_equal(c->kaddrs.count, 2);
	assert_string_equal(c->kaddrs.items[1].text, "init_net");
	assert_string_equal(c->source.name, "t.yaml");
}

static void test_options(void **state)
{
	_cleanup_config_ struct config *c = parse(module_text);
	const struct option_config *o = c->options.items;

	(void)state;
	assert_int_equal(c->options.count, 4);
	assert_int_equal(o[0].type, OPTION_LIST);
	assert_int_equal(o[0].place.line, 5);
	assert_int_equal(o[0].defaults.count, 2);
	assert_string_equal(o[0].defaults.items[1].text, "!lo");
	assert_string_equal(o[0].help.text, "Which");
	assert_null(o[0].rodata.text);
	/* Booleans and numbers come in one spelling. */
	assert_int_equal(o[1].type, OPTION_BOOL);
	assert_string_equal(o[1].defaults.items[0].text, "true");
	assert_string_equal(o[1].rodata.text, "traffic_sizes");
	assert_int_equal(o[2].type, OPTION_UINT);
	assert_string_equal(o[2].defaults.items[0].text, "16");
	assert_int_equal(o[3].type, OPTION_STRING);
	assert_string_equal(o[3].defaults.items[0].text, "0x10");
	assert_ptr_equal(config_find_option(c, "limit"), &o[2]);
	assert_null(config_find_option(c, "limits"));
}

static void test_attach(void **state)
{
	_cleanup_config_ struct config *c = parse(module_text);
	const struct attach_config *a = c->attach.items;

	(void)state;
	assert_int_equal(c->attach.count, 2);
	assert_string_equal(a[0].program.text, "in");
	assert_int_equal(a[0].hook, HOOK_TC_INGRESS);
	assert_int_equal(a[0].link_layer, LINK_LAYER_ETHERNET);
	assert_int_equal(a[0].interfaces.count, 1);
	assert_string_equal(a[0].interfaces.items[0].text, "$interfaces");
	assert_int_equal(a[1].hook, HOOK_TC_EGRESS);
	assert_int_equal(a[1].link_layer, LINK_LAYER_NONE);
	assert_string_equal(a[1].interfaces.items[1].text, "!wg9");
}

static void test_stage(void **state)
{
	_cleanup_config_ struct config *c = parse("stage: {pipeline: tc, order: 500}\n");

	(void)state;
	assert_true(c->has_stage);
	assert_string_equal(c->stage.pipeline.text, "tc");
	assert_int_equal(c->stage.order, 500);
	assert_int_equal(c->stage.place.column, 8);
}

static void test_metrics_come_counters_first(void **state)
{
	static const struct {
		const char *name;
		enum metric_type type;
	} rows[] = {
		{"traffic", METRIC_COUNTER},
		{"second_total", METRIC_COUNTER},
		{"depths", METRIC_GAUGE},
		{"wait_seconds", METRIC_HISTOGRAM},
	};
	_cleanup_config_ struct config *c = parse(module_text);

	(void)state;
	assert_int_equal(c->metrics.count, ARRAY_SIZE(rows));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_string_equal(c->metrics.items[i].name.text, rows[i].name);
		assert_int_equal(c->metrics.items[i].type, rows[i].type);
	}
	assert_null(c->metrics.items[1].help.text);
	assert_int_equal(c->metrics.items[1].labels.count, 0);
	assert_int_equal(c->metrics.items[1].values.count, 0);
}

static void test_labels_and_decoders(void **state)
{
	_cleanup_config_ struct config *c = parse(module_text);
	const struct label_config *l = c->metrics.items[0].labels.items;
	const struct decoder_config *d = l[1].decoders.items;

	(void)state;
	assert_int_equal(c->metrics.items[0].labels.count, 2);
	assert_string_equal(l[0].name.text, "interface");
	assert_int_equal(l[0].size, 4);
	assert_int_equal(l[0].padding, 0);
	assert_true(l[0].delete_unknown);
	assert_int_equal(l[1].padding, 3);
	assert_false(l[1].delete_unknown);
	assert_int_equal(l[1].decoders.count, 3);
	assert_false(d[0].has_static_map);
	assert_true(d[1].has_static_map);
	assert_true(d[1].allow_unknown);
	assert_int_equal(d[1].static_map.count, 4);
	assert_string_equal(d[1].static_map.items[0].from,
			    "0x0"); /* keys keep their literal text */
	assert_string_equal(d[1].static_map.items[1].from, "1");
	assert_string_equal(d[1].static_map.items[2].from, "010");
	assert_string_equal(d[1].static_map.items[2].to, "ten");
	assert_string_equal(d[1].static_map.items[3].from, "~");
	assert_string_equal(d[1].static_map.items[3].to, "");
	assert_int_equal(d[1].static_map.items[1].place.line, 35);
	assert_int_equal(d[2].regexps.count, 2);
	assert_string_equal(d[2].regexps.items[0].text, "^(in|e)");
}

static void test_values(void **state)
{
	_cleanup_config_ struct config *c = parse(module_text);
	const struct value_config *v = c->metrics.items[0].values.items;

	(void)state;
	assert_int_equal(c->metrics.items[0].values.count, 3);
	assert_int_equal(v[0].type, METRIC_COUNTER);
	assert_int_equal(v[0].offset, 8);
	assert_int_equal(v[0].size, 8);
	assert_int_equal(v[0].labels.count, 0);
	assert_int_equal(v[1].type, METRIC_GAUGE);
	assert_int_equal(v[1].size, 4);
	assert_string_equal(v[1].labels.items[0].text, "direction");
	assert_false(v[1].has_sum_offset);
	assert_int_equal(v[2].type, METRIC_HISTOGRAM);
	assert_true(v[2].has_sum_offset);
	assert_int_equal(v[2].sum_offset, 0);
	assert_int_equal(v[2].buckets.type, BUCKET_FIXED);
	assert_int_equal(v[2].buckets.keys.count, 4);
	assert_true(v[2].buckets.keys.items[2] == 1500);
	assert_true(v[2].buckets.keys.items[3] == UINT64_MAX);
	/* In a list of gauges a value is a gauge if nothing else is said. */
	v = c->metrics.items[2].values.items;
	assert_int_equal(v[0].type, METRIC_GAUGE);
	assert_int_equal(v[1].type, METRIC_COUNTER);
}

static void test_histogram(void **state)
{
	_cleanup_config_ struct config *c = parse(module_text);
	const struct bucket_config *b = &c->metrics.items[3].buckets;

	(void)state;
	assert_int_equal(b->type, BUCKET_LINEAR);
	assert_int_equal(b->type_place.line, 15);
	assert_int_equal(b->min, 3);
	assert_int_equal(b->max, 7);
	assert_true(b->multiplier == 1e-3);
}

static void test_numbers(void **state)
{
	static const struct {
		const char *text;
		uint32_t size;
	} rows[] = {
		{"4", 4},       {"0x10", 16},
		{"0X10", 0},    {"0b11", 3},
		{"0o17", 15},   {"1_0", 10},
		{"8.0", 8},     {"1e2", 100},
		{"4.5", 0},     {"-1", 0},
		{"+1", 0},      {"01", 0},
		{"4096", 4096}, {"4097", 0},
		{"0x", 0},      {"_1", 0},
		{"1e400", 0},   {"nan", 0},
		{"4 bytes", 0}, {"''", 0},
		{"1e-1", 0},    {"18446744073709551620", 0},
		{".inf", 0},    {"1.", 1},
		{"e1", 0},      {"0", 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_config_ struct config *c = NULL;
		_cleanup_report_ struct report r = {0};
		_cleanup_buf_ struct buf text = {0};
		int err;

		buf_printf(&text,
			   "metrics: {counters: [{name: a, labels: [{name: a, size: %s, "
			   "decoders: [{name: uint}]}]}]}\n",
			   rows[i].text);
		err = parse_bytes(text.data, text.len, &r, &c);
		if ((err == 0) != (rows[i].size != 0))
			fail_msg("size %s: %d\n%s", rows[i].text, err, buf_str(&r.text));
		if (!err)
			assert_int_equal(c->metrics.items[0].labels.items[0].size, rows[i].size);
	}
}

static void test_durations(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} right[] = {
		{"0", 0},
		{"0s", 0},
		{"1ns", 1},
		{"7us", 7000},
		{"7\xc2\xb5s", 7000},
		{"7\xce\xbcs", 7000},
		{"500ms", 500000000},
		{"1.5s", 1500000000},
		{".5s", 500000000},
		{"1.s", 1000000000},
		{"90s", 90000000000},
		{"1h30m", 5400000000000},
		{"1h1m1s1ms1us1ns", 3661001001001},
		{"30m1h", 5400000000000},
		{"2562047h", 9223369200000000000},
	};
	static const char *const wrong[] = {
		"",    "1",   "500",  "h",    ".s", "1.2.3s", "-1s",      "+1s",
		"1 s", "1h ", "1h30", "1sec", "1d", "1e3s",   "2562048h", "0x1s",
	};
	uint64_t ns;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(right); i++) {
		if (!duration_parse(right[i].text, &ns) || ns != right[i].ns)
			fail_msg("'%s' is not %llu", right[i].text,
				 (unsigned long long)right[i].ns);
	}
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		if (duration_parse(wrong[i], &ns))
			fail_msg("'%s' is no duration", wrong[i]);
	}
}

/* yaml.v2 of Go, which ebpf_exporter reads its files with, takes these for booleans. */
static void test_booleans(void **state)
{
	static const char *const yes[] = {"true", "True", "TRUE", "yes", "Yes", "on", "ON", "y"};
	static const char *const no[] = {"false", "False", "no", "NO", "off", "Off", "n", "~", ""};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(yes) + ARRAY_SIZE(no); i++) {
		bool expected = i < ARRAY_SIZE(yes);
		_cleanup_config_ struct config *c = NULL;
		_cleanup_buf_ struct buf text = {0};

		buf_printf(&text,
			   "metrics: {counters: [{name: a, labels: [{name: a, size: 1, "
			   "decoders: [{name: uint}], delete_unknown: %s}]}]}\n",
			   expected ? yes[i] : no[i - ARRAY_SIZE(yes)]);
		c = parse(buf_str(&text));
		assert_int_equal(c->metrics.items[0].labels.items[0].delete_unknown, expected);
	}
}

static void test_aliases_and_merges(void **state)
{
	_cleanup_config_ struct config *c =
		parse("metrics:\n"
		      "  counters:\n"
		      "    - &a\n"
		      "      name: a_total\n"
		      "      help: &help Help\n"
		      "      labels: [&l {name: x, size: 4, decoders: [{name: uint}]}]\n"
		      "    - {<<: *a, name: b_total}\n"
		      "    - {name: c_total, help: *help, labels: [*l, {name: y, <<: [*l]}]}\n");
	const struct metric_config *m = c->metrics.items;

	(void)state;
	assert_string_equal(m[1].name.text, "b_total");
	assert_string_equal(m[1].help.text, "Help");
	assert_string_equal(m[1].labels.items[0].name.text, "x");
	assert_string_equal(m[2].help.text, "Help");
	assert_string_equal(m[2].labels.items[1].name.text, "y");
	assert_int_equal(m[2].labels.items[1].size, 4);
}

static void test_lenient_takes_unknown_keys_only(void **state)
{
	static const char unknown[] = "description: x\ndescripton: y\n";
	static const char wrong[] = "description: x\nkaddrs: y\n";
	_cleanup_report_ struct report r = {.lenient = true};
	_cleanup_config_ struct config *c = NULL;
	struct config *none = NULL;

	(void)state;
	assert_int_equal(parse_bytes(unknown, strlen(unknown), &r, &c), 0);
	assert_int_equal(r.warnings, 1);
	assert_int_equal(r.errors, 0);
	assert_string_equal(c->description.text, "x");
	assert_int_equal(parse_bytes(wrong, strlen(wrong), &r, &none), -EINVAL);
	assert_null(none);
}

/* A report may hold what was wrong with other files before. */
static void test_errors_of_another_file_are_not_this_ones(void **state)
{
	_cleanup_report_ struct report r = {0};
	_cleanup_config_ struct config *c = NULL;
	struct config *none = NULL;

	(void)state;
	for (int i = 0; i < REPORT_MOST_SHOWN + 5; i++)
		assert_int_equal(parse_bytes("foo: 1\n", 7, &r, &none), -EINVAL);
	assert_int_equal(parse_bytes("description: x\n", 15, &r, &c), 0);
	assert_int_equal(parse_bytes("foo: 1\n", 7, &r, &none), -EINVAL);
}

static void test_hostile_bytes(void **state)
{
	static const char byte_nul[] = "description: a\0b\n";
	_cleanup_report_ struct report r = {0};
	struct config *none = NULL;
	uint32_t seed = 1;

	(void)state;
	assert_int_equal(parse_bytes(byte_nul, sizeof(byte_nul) - 1, &r, &none), -EINVAL);
	assert_int_equal(parse_bytes("\xff\xfe"
				     "a\0",
				     4, &r, &none),
			 -EINVAL);
	expect_error("description: \"a\\0b\"\n", "a NUL byte in the text");
	for (int i = 0; i < 2000; i++) {
		static const char letters[] = "[]{}:,-?&*!|>'\"%@`# \n\ta0";
		char text[64];

		for (size_t j = 0; j < sizeof(text); j++) {
			seed = seed * 1103515245 + 12345;
			text[j] = letters[(seed >> 16) % (sizeof(letters) - 1)];
		}
		assert_int_equal(parse_bytes(text, sizeof(text), &r, &none), -EINVAL);
	}
}

/* Text of @count times @unit between @head and @tail, which must be refused, within seconds. */
static void expect_refused(const char *head, const char *unit, size_t count, const char *tail,
			   const char *message)
{
	_cleanup_buf_ struct buf text = {0};
	clock_t start = clock();

	buf_add_str(&text, head);
	for (size_t i = 0; i < count; i++)
		buf_add_str(&text, unit);
	buf_add_str(&text, tail);
	expect_error(buf_str(&text), message);
	assert_true((clock() - start) / CLOCKS_PER_SEC < 20);
}

static void test_too_much_of_anything(void **state)
{
	(void)state;
	expect_refused("", "[", 100000, "", "nested more than 64 levels");
	expect_refused("a: ", "{a: ", 100000, "", "nested more than 64 levels");
	expect_refused("kaddrs: [", "a, ", 300000, "]\n", "more than 200000 values");
	expect_refused("metrics: ", "x", 1 << 20, "\n", "expected a mapping");
	expect_refused("kaddrs: [", "[], ", 90000, "]\n", "the rest is not shown");
	expect_refused("", "a b c: 1\n", 90000, "", "the rest is not shown");
	expect_refused("metrics: &m {<<: [", "*m, ", 10000, "]}\n", "'<<' inside '<<'");
	expect_refused("", "- &a x\n", 1000, "", "more than 256 anchors");
}

/* Nine lists of nine aliases each: 9^4 labels in 500 bytes. */
static void test_billion_laughs(void **state)
{
	_cleanup_buf_ struct buf text = {0};

	(void)state;
	buf_add_str(&text,
		    "metrics:\n  counters:\n    - &m\n      name: a\n      labels:\n"
		    "        - {name: a, size: 1, decoders: [&d {name: static_map, static_map: {");
	for (int i = 0; i < 1000; i++)
		buf_printf(&text, "%d: x, ", i);
	buf_add_str(&text, "}}, ");
	for (int i = 0; i < 1000; i++)
		buf_add_str(&text, "*d, ");
	buf_add_str(&text, "]}\n    - *m\n");
	expect_error(buf_str(&text), "with its aliases written out");
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static void test_files(void **state)
{
	char dir[] = "/tmp/config-XXXXXX", path[64];
	_cleanup_report_ struct report r = {0};
	_cleanup_config_ struct config *c = NULL;
	struct config *none = NULL;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/tcp-syn.v2.yaml", dir);
	write_file(path, "description: x\n");
	assert_int_equal(config_parse_file(path, &r, &c), 0);
	assert_string_equal(c->name, "tcp-syn.v2");
	assert_string_equal(c->source.name, path);
	write_file(path, "");
	assert_int_equal(config_parse_file(path, &r, &none), -EINVAL);
	assert_non_null(strstr(buf_str(&r.text), "empty: nothing to do"));
	assert_int_equal(truncate(path, 5 << 20), 0);
	assert_int_equal(config_parse_file(path, &r, &none), -EINVAL);
	assert_non_null(strstr(buf_str(&r.text), "larger than 4 MiB"));
	unlink(path);
	assert_int_equal(config_parse_file(path, &r, &none), -EINVAL);
	assert_non_null(strstr(buf_str(&r.text), "No such file"));
	assert_int_equal(config_parse_file(dir, &r, &none), -EINVAL);
	assert_non_null(strstr(buf_str(&r.text), "Is a directory"));
	assert_int_equal(r.errors, 4);
	assert_null(none);
	rmdir(dir);
}

static void count_row(void *ctx, const struct key_doc *key)
{
	unsigned *found = ctx;

	assert_true(strlen(key->type) > 0);
	assert_true(strlen(key->group) > 0);
	assert_non_null(key->doc);
	assert_true(strlen(key->doc) > 0);
	if (STREQ(key->path, "metrics.counters[].labels[].size")) {
		assert_string_equal(key->group, "a label");
		assert_string_equal(key->type, "a whole number from 1 to 4096");
		assert_true(key->required);
		*found |= 1;
	}
	if (STREQ(key->path, "metrics.histograms[].bucket_type"))
		*found |= 2;
	if (STREQ(key->path, "stage.order"))
		*found |= 4;
	assert_null(strstr(key->path, "tracing"));
}

static void test_describe(void **state)
{
	unsigned found = 0;

	(void)state;
	config_describe(count_row, &found);
	assert_int_equal(found, 7);
}

static void count_exporters(void *ctx, const struct key_doc *key)
{
	unsigned *n = ctx;

	*n += config_key_is_exporters(key->path);
	if (STREQ(key->path, "metrics.gauges[]") || STREQ(key->path, "metrics.gauges[].name"))
		assert_false(config_key_is_exporters(key->path));
	if (STREQ(key->path, "metrics.histograms[].labels[].decoders[].static_map"))
		assert_true(config_key_is_exporters(key->path));
}

static void test_exporters_keys(void **state)
{
	unsigned n = 0;

	(void)state;
	config_describe(count_exporters, &n);
	assert_true(n >= 30);
	assert_false(config_key_is_exporters(""));
	assert_true(config_decoder_is_exporters("uint"));
	assert_false(config_decoder_is_exporters("ip_proto"));
}

static void test_free_takes_nothing(void **state)
{
	(void)state;
	config_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_everything_about_a_module),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_attach),
		cmocka_unit_test(test_stage),
		cmocka_unit_test(test_metrics_come_counters_first),
		cmocka_unit_test(test_labels_and_decoders),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_histogram),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_booleans),
		cmocka_unit_test(test_aliases_and_merges),
		cmocka_unit_test(test_lenient_takes_unknown_keys_only),
		cmocka_unit_test(test_errors_of_another_file_are_not_this_ones),
		cmocka_unit_test(test_hostile_bytes),
		cmocka_unit_test(test_too_much_of_anything),
		cmocka_unit_test(test_billion_laughs),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_describe),
		cmocka_unit_test(test_exporters_keys),
		cmocka_unit_test(test_free_takes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
