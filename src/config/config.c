// SPDX-License-Identifier: MIT
/* The configuration language, key by key. */
#include "config/config.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "config/language.h"
#include "config/source.h"

enum {
	MOST_LABEL_BYTES = 4096, /* far over the kernel's limit for a map key on its stack, 512 */
	MOST_VALUE_BYTES = 1 << 20,
	MOST_BUCKETS = 4096,
	MOST_LABELS = 100,
	MOST_COLUMNS = 32,
	MOST_IMPORTANCE = 100,
	MOST_SERIES = 100000000,
	MOST_ROWS = 65536,
};

_Static_assert(sizeof(enum metric_type) == sizeof(unsigned) &&
		       sizeof(enum bucket_type) == sizeof(unsigned) &&
		       sizeof(enum overflow) == sizeof(unsigned) &&
		       sizeof(enum option_file) == sizeof(unsigned) &&
		       sizeof(enum sysctl_rule) == sizeof(unsigned) &&
		       sizeof(enum column_unit) == sizeof(unsigned) &&
		       sizeof(enum column_merge) == sizeof(unsigned) &&
		       sizeof(enum column_filter) == sizeof(unsigned),
	       "enums are bound as unsigned");

static const char *const metric_types[] = {
	[METRIC_COUNTER] = "counter",
	[METRIC_GAUGE] = "gauge",
	[METRIC_HISTOGRAM] = "histogram",
};

const char *metric_type_name(enum metric_type type)
{
	return metric_types[type];
}

static const char *const bucket_types[] = {
	[BUCKET_EXP2] = "exp2",   [BUCKET_EXP2ZERO] = "exp2zero", [BUCKET_LINEAR] = "linear",
	[BUCKET_FIXED] = "fixed", [BUCKET_NATIVE] = "native",
};

static const char *const overflows[] = {
	[OVERFLOW_OTHER] = "other",
	[OVERFLOW_DROP] = "drop",
};

static const char *const option_types[] = {
	[OPTION_BOOL] = "bool",       [OPTION_UINT] = "uint", [OPTION_STRING] = "string",
	[OPTION_NETWORK] = "network", [OPTION_LIST] = "list",
};

static const char *const sysctl_rules[] = {
	[SYSCTL_EXACTLY] = "exactly",
	[SYSCTL_AT_LEAST] = "at_least",
	[SYSCTL_AT_MOST] = "at_most",
};

static const char *const option_files[] = {
	[FILE_READ] = "read",
	[FILE_APPEND] = "append",
};

static const char *const port_protocols[] = {
	[PROTOCOL_ANY] = "any",   [PROTOCOL_TCP] = "tcp",   [PROTOCOL_UDP] = "udp",
	[PROTOCOL_SCTP] = "sctp", [PROTOCOL_DCCP] = "dccp",
};

static const char *const cgroup_map_types[] = {
	[CGROUP_MAP_HASH] = "hash",
	[CGROUP_MAP_STORAGE] = "cgrp_storage",
};

static const char *const attach_hooks[] = {
	[HOOK_SECTION] = "section",
	[HOOK_TC_INGRESS] = "tc_ingress",
	[HOOK_TC_EGRESS] = "tc_egress",
	[HOOK_XDP] = "xdp",
	[HOOK_NETFILTER] = "netfilter",
	[HOOK_CGROUP] = "cgroup",
	[HOOK_CGROUP_SKB_INGRESS] = "cgroup_skb_ingress",
	[HOOK_CGROUP_SKB_EGRESS] = "cgroup_skb_egress",
	[HOOK_SOCK_OPS] = "sock_ops",
	[HOOK_ITER] = "iter",
	[HOOK_PERF_EVENT] = "perf_event",
};

static const char *const netfilter_families[] = {
	[NFPROTO_IPV4] = "ipv4",
	[NFPROTO_IPV6] = "ipv6",
};

static const char *const netfilter_hooks[] = {
	[NF_INET_PRE_ROUTING] = "prerouting",   [NF_INET_LOCAL_IN] = "input",
	[NF_INET_FORWARD] = "forward",          [NF_INET_LOCAL_OUT] = "output",
	[NF_INET_POST_ROUTING] = "postrouting",
};

static const char *const xdp_modes[] = {
	[XDP_AUTO] = "auto",
	[XDP_NATIVE] = "native",
	[XDP_GENERIC] = "generic",
};

static const char *const column_units[] = {
	[UNIT_NONE] = "none",       [UNIT_COUNT] = "count",     [UNIT_BYTES] = "bytes",
	[UNIT_PACKETS] = "packets", [UNIT_SECONDS] = "seconds", [UNIT_AGE] = "age",
};

static const char *const column_merges[] = {
	[MERGE_SUM] = "sum",
	[MERGE_MAX] = "max",
	[MERGE_MIN] = "min",
};

static const char *const column_filters[] = {
	[FILTER_NONE] = "none",       [FILTER_ADDRESS] = "address",     [FILTER_PORT] = "port",
	[FILTER_PROCESS] = "process", [FILTER_INTERFACE] = "interface",
};

static const char *const link_layers[] = {
	[LINK_LAYER_ETHERNET] = "ethernet",
	[LINK_LAYER_NONE] = "none",
	[LINK_LAYER_ANY] = "any",
};

/* clang-format off: tables are easier to read in rows. */
#define AT(type, member) .offset = offsetof(struct type, member)

static const struct key decoder_keys[] = {
	{"name", KEY_TEXT, AT(decoder_config, name), .required = true, .doc = "which decoder"},
	{"static_map", KEY_PAIRS, AT(decoder_config, static_map),
	 .has = offsetof(struct decoder_config, has_static_map),
	 .doc = "decoder static_map: input text to output text"},
	{"allow_unknown", KEY_BOOL, AT(decoder_config, allow_unknown),
	 .doc = "decoder static_map: pass on what is not in the map, instead of unknown:…"},
	{"regexps", KEY_TEXTS, AT(decoder_config, regexps),
	 .doc = "decoder regexp: patterns; entries that match none are left out"},
	{"btf_enum", KEY_TEXT, AT(decoder_config, btf_enum),
	 .doc = "decoder btf_enum: name of an enum of the running kernel"},
	{"prefix", KEY_U32, AT(decoder_config, prefix), .max = 32,
	 .has = offsetof(struct decoder_config, has_prefix),
	 .doc = "decoder prefix: bits of an IPv4 address that are its network"},
	{"prefix6", KEY_U32, AT(decoder_config, prefix6), .max = 128,
	 .has = offsetof(struct decoder_config, has_prefix6),
	 .doc = "decoder prefix: bits of an IPv6 address that are its network"},
	{"protocol", KEY_ENUM, AT(decoder_config, protocol), NAMES(port_protocols),
	 .has = offsetof(struct decoder_config, has_protocol),
	 .doc = "decoder port_name: whose names; any (default): the first that has one"},
};

static const struct schema decoder_schema = {"a decoder", "decoders", sizeof(struct decoder_config),
					     .placed = true, KEYS(decoder_keys)};

static const struct key label_keys[] = {
	{"name", KEY_TEXT, AT(label_config, name), .required = true, .doc = "label name"},
	{"size", KEY_U32, AT(label_config, size), .min = 1, .max = MOST_LABEL_BYTES,
	 .required = true, .doc = "bytes of the map's key that it takes"},
	{"padding", KEY_U32, AT(label_config, padding), .max = MOST_LABEL_BYTES,
	 .doc = "bytes skipped after it"},
	{"of", KEY_TEXT, AT(label_config, of),
	 .doc = "a label before it, whose first `size` bytes are this one's too: it takes none of "
		"the key"},
	{"delete_unknown", KEY_BOOL, AT(label_config, delete_unknown),
	 .doc = "delete an entry of the map when what the label names no longer exists"},
	{"when", KEY_TEXT, AT(label_config, when),
	 .doc = "a bool option of this file: exported only while it is true; else entries that "
		"differ only in it are summed; in a stage also PIPELINE.OPTION, a list: while it "
		"is "
		"another than by default"},
	{"decoders", KEY_ROWS, AT(label_config, decoders), .sub = &decoder_schema, .required = true,
	 .min = 1, .doc = "bytes to text, one after the other"},
};

static const struct schema label_schema = {
	"a label",      "labels",         sizeof(struct label_config),
	.placed = true, KEYS(label_keys), .check = check_label};

/* Rows of what holds `struct bucket_config buckets`. */
#define BUCKET_KEYS(of)                                                                            \
	{"bucket_type",                                                                            \
	 KEY_ENUM,                                                                                 \
	 AT(of, buckets.type),                                                                     \
	 NAMES(bucket_types),                                                                      \
	 .place = offsetof(struct of, buckets.type_place),                                         \
	 .doc = "upper bound of bucket i: 2^i (exp2), 0 then 2^(i-1) (exp2zero), i (linear, "      \
		"fixed), 0 then 2^((i-1)/2^schema) (native)"},                                     \
		{"bucket_min", KEY_U32, AT(of, buckets.min), .max = UINT32_MAX,                    \
		 .doc = "first bucket"},                                                           \
		{"bucket_max", KEY_U32, AT(of, buckets.max), .max = UINT32_MAX,                    \
		 .doc = "last bucket"},                                                            \
		{"bucket_multiplier", KEY_FACTOR, AT(of, buckets.multiplier),                      \
		 .doc = "factor from the unit of the map to the unit of the metric, like 1e-9 or " \
			"2^-30; 0 means 1; native: a power of two"},                               \
		{"schema", KEY_U32, AT(of, buckets.schema), .max = NATIVE_SCHEMA_MAX,              \
		 .doc = "bucket_type native: 2^schema buckets from one power of two to the next"}, \
		{"classic_schema", KEY_U32, AT(of, buckets.classic_schema),                        \
		 .max = NATIVE_SCHEMA_MAX,                                                         \
		 .doc = "bucket_type native: the same where it is shown with classic buckets; "    \
			"default 0, one for each power of two"},                                   \
	{                                                                                          \
		"bucket_keys", KEY_NUMBERS, AT(of, buckets.keys),                                  \
			.min = 1, .max = MOST_BUCKETS,                                             \
			.doc = "bucket_type fixed: the buckets, ascending"                         \
	}

static const struct key value_keys[] = {
	{"name", KEY_TEXT, AT(value_config, name), .required = true,
	 .doc = "metric name, without prefix"},
	{"help", KEY_TEXT, AT(value_config, help), .doc = "one sentence on what is measured"},
	{"type", KEY_ENUM, AT(value_config, type), NAMES(metric_types),
	 .doc = "kind of metric; default is the list's"},
	{"offset", KEY_U32, AT(value_config, offset), .max = MOST_VALUE_BYTES, .required = true,
	 .doc = "first byte in the map's value"},
	{"size", KEY_U32, AT(value_config, size), .min = 1, .max = MOST_LABEL_BYTES,
	 .doc = "bytes: 1, 2, 4 or 8, with decoders any number; default 8"},
	BUCKET_KEYS(value_config),
	{"sum_offset", KEY_U32, AT(value_config, sum_offset), .max = MOST_VALUE_BYTES,
	 .has = offsetof(struct value_config, has_sum_offset),
	 .doc = "type histogram: where in the map's value the sum is, 8 bytes"},
	{"when", KEY_TEXT, AT(value_config, when),
	 .doc = "a bool option of this file: exported only while it is true"},
	{"labels", KEY_TEXTS, AT(value_config, labels), .max = MOST_LABELS,
	 .doc = "labels of the metric that this one keeps; default all"},
	{"top", KEY_TEXT, AT(value_config, top),
	 .doc = "a uint option of this file: a counter with at most so many series, of what grows "
		"most; 0: not exported"},
	{"others", KEY_TEXTS, AT(value_config, others), .min = 1, .max = MOST_LABELS,
	 .doc = "with top: the labels that are 'other' in the series of everything else"},
	{"rest", KEY_TEXT, AT(value_config, rest),
	 .doc = "with top: value of another metric of this file, by the labels not in others, that "
		"has what entries counted that are gone from the map"},
	{"alias", KEY_TEXT, AT(value_config, alias),
	 .doc = "its whole name, for dashboards of another tool: only with --aliases"},
	{"export", KEY_BOOL_NOT, AT(value_config, no_export),
	 .doc = "false: no metric, only a column of `tables:`; default true"},
	{"decoders", KEY_ROWS, AT(value_config, decoders), .sub = &decoder_schema, .min = 1,
	 .doc = "the bytes, `size` of them, are a text and not a number: for `tables:` only"},
};

static const struct schema value_schema = {
	"a value",      "values",         sizeof(struct value_config),
	.placed = true, KEYS(value_keys), .check = check_value};

static void gauge_value_init(void *value)
{
	((struct value_config *)value)->type = METRIC_GAUGE;
}

static const struct schema gauge_value_schema = {
	"a value",           "values",         sizeof(struct value_config),
	.placed = true,      KEYS(value_keys), .init = gauge_value_init,
	.check = check_value};

#define METRIC_KEYS                                                                                \
	{"name", KEY_TEXT, AT(metric_config, name), .required = true,                              \
	 .doc = "metric name without prefix, and name of the BPF map"},                            \
		{"help", KEY_TEXT, AT(metric_config, help),                                        \
		 .doc = "one sentence on what is measured"},                                       \
		{"when", KEY_TEXT, AT(metric_config, when),                                        \
		 .doc = "a bool option of this file: exported only while it is true"},             \
		{"alias", KEY_TEXT, AT(metric_config, alias),                                      \
		 .doc = "its whole name, for dashboards of another tool: only with --aliases"},    \
		{"export", KEY_BOOL_NOT, AT(metric_config, no_export),                             \
		 .doc = "false: the map is for `tables:` only, and read when one is asked for"},   \
		{"max_series",                                                                     \
		 KEY_U32,                                                                          \
		 AT(metric_config, max_series),                                                    \
		 .min = 1,                                                                         \
		 .max = MOST_SERIES,                                                               \
		 .doc = "most series that it may have; those that are there keep their place"},    \
		{"overflow", KEY_ENUM, AT(metric_config, overflow), NAMES(overflows),              \
		 .doc = "what comes beyond max_series: summed in one series whose labels are all " \
			"'other', or dropped; default other"},                                     \
		{"ttl", KEY_DURATION, AT(metric_config, ttl_ns),                                   \
		 .place = offsetof(struct metric_config, ttl_place),                               \
		 .doc = "delete an entry of the map that has not changed for so long"},            \
	{                                                                                          \
		"labels", KEY_ROWS, AT(metric_config, labels),                                     \
			.sub = &label_schema, .max = MOST_LABELS,                                  \
			.doc = "the fields of the map's key, in order"                             \
	}

static const struct key rows_keys[] = {
	{"offset", KEY_U32, AT(rows_config, offset), .max = MOST_VALUE_BYTES, .required = true,
	 .doc = "first byte of the first row in the map's value"},
	{"size", KEY_U32, AT(rows_config, size), .min = 1, .max = MOST_VALUE_BYTES,
	 .required = true, .doc = "bytes of a row"},
	{"count", KEY_U32, AT(rows_config, count), .min = 1, .max = MOST_ROWS, .required = true,
	 .doc = "rows in a value, one behind the other"},
};

static const struct schema rows_schema = {"rows", "rows", sizeof(struct rows_config),
					  .placed = true, KEYS(rows_keys)};

#define ROWS_KEY                                                                                   \
	{                                                                                          \
		"rows", KEY_MAPPING, AT(metric_config, rows),                                      \
			.sub = &rows_schema, .has = offsetof(struct metric_config, has_rows),      \
			.doc = "the map's value is many entries: labels are cut from the start "   \
			       "of each, no two alike, all zeros is none; values are in it"        \
	}

static const struct key counter_keys[] = {
	METRIC_KEYS,
	ROWS_KEY,
	{"values", KEY_ROWS, AT(metric_config, values), .sub = &value_schema, .min = 1,
	 .doc = "the fields of the map's value, each a metric; default: one 8-byte number"},
	{"perf_event_array", KEY_BOOL, AT(metric_config, perf_event_array),
	 .doc = "the map is of that type: the bytes of each event are a key, and count 1"},
	{"flush_interval", KEY_DURATION, AT(metric_config, flush_interval_ns),
	 .doc = "with perf_event_array: how often the counters begin anew; default 1h"},
};

static const struct key gauge_keys[] = {
	METRIC_KEYS,
	ROWS_KEY,
	{"values", KEY_ROWS, AT(metric_config, values), .sub = &gauge_value_schema, .min = 1,
	 .doc = "the fields of the map's value, each a metric; default: one 8-byte number"},
};

static const struct key histogram_keys[] = {
	METRIC_KEYS,
	BUCKET_KEYS(metric_config),
};

static const struct schema metric_schemas[] = {
	[METRIC_COUNTER] = {"a counter", "counters", sizeof(struct metric_config), .placed = true,
			    KEYS(counter_keys), .check = check_metric},
	[METRIC_GAUGE] = {"a gauge", "gauges", sizeof(struct metric_config), .placed = true,
			  KEYS(gauge_keys), .check = check_metric},
	[METRIC_HISTOGRAM] = {"a histogram", "histograms", sizeof(struct metric_config),
			      .placed = true, KEYS(histogram_keys), .check = check_histogram},
};

static const struct key metrics_keys[] = {
	{"counters", KEY_ROWS, AT(config_file, counters), .sub = &metric_schemas[METRIC_COUNTER],
	 .doc = "maps whose numbers only grow"},
	{"gauges", KEY_ROWS, AT(config_file, gauges), .sub = &metric_schemas[METRIC_GAUGE],
	 .doc = "maps whose numbers go up and down"},
	{"histograms", KEY_ROWS, AT(config_file, histograms),
	 .sub = &metric_schemas[METRIC_HISTOGRAM], .doc = "maps whose last key field is a bucket"},
};

static const struct schema metrics_schema = {"metrics", "metrics", sizeof(struct config_file),
					     KEYS(metrics_keys)};

static const struct key option_keys[] = {
	{"name", KEY_TEXT, AT(option_config, name), .required = true,
	 .doc = "option name: --option MODULE.NAME=VALUE"},
	{"type", KEY_ENUM, AT(option_config, type), NAMES(option_types), .required = true,
	 .doc = "what its value is"},
	{"choices", KEY_TEXTS, AT(option_config, choices), .min = 1,
	 .doc = "of string: the values that there are"},
	{"max", KEY_U32, AT(option_config, max), .min = 1, .max = UINT32_MAX,
	 .doc = "of uint, and of numbers in a list: the largest; without: any"},
	{"default", KEY_ONE_OR_MORE, AT(option_config, defaults),
	 .doc = "value where nobody sets it"},
	{"file", KEY_ENUM, AT(option_config, file), NAMES(option_files),
	 .doc = "of string and list: its values are files, and what is done with them; a daemon "
		"that "
		"confines itself can reach these alone"},
	{"rodata", KEY_TEXT, AT(option_config, rodata),
	 .doc = "the program's constant (const volatile) that it is written to"},
	{"max_entries", KEY_TEXT, AT(option_config, max_entries),
	 .doc = "the map that gets room for so many entries; type uint"},
	{"help", KEY_TEXT, AT(option_config, help), .doc = "one sentence on what it does"},
};

static const struct schema option_schema = {
	"an option",    "options",         sizeof(struct option_config),
	.placed = true, KEYS(option_keys), .check = check_option};

static const struct key attach_keys[] = {
	{"program", KEY_TEXT, AT(attach_config, program), .required = true,
	 .doc = "name of the program"},
	{"hook", KEY_ENUM, AT(attach_config, hook), NAMES(attach_hooks), .required = true,
	 .place = offsetof(struct attach_config, hook_place),
	 .doc = "what it is attached to; section: what its SEC() says"},
	{"when", KEY_TEXT, AT(attach_config, when),
	 .doc = "a bool option of this file: while it is false, this row is as if it were not "
		"there"},
	{"link_layer", KEY_ENUM, AT(attach_config, link_layer), NAMES(link_layers),
	 .doc = "only interfaces whose packets begin so; none: with the IP header, and programs "
		"for these alone are loaded with the first of them; default ethernet"},
	{"interfaces", KEY_ONE_OR_MORE, AT(attach_config, interfaces), .min = 1,
	 .doc = "hooks tc_… and xdp: names with wildcards, or kinds behind 'kind:'; '!' excludes; "
		"$NAME is the option NAME"},
	{"netns", KEY_ONE_OR_MORE, AT(attach_config, netns), .min = 1,
	 .doc = "hooks tc_… and xdp: in which network namespaces: own (default), all, names in "
		"/run/netns with wildcards, files; '!' excludes; $NAME is the option NAME"},
	{"mode", KEY_ENUM, AT(attach_config, mode), NAMES(xdp_modes),
	 .option = offsetof(struct attach_config, mode_option),
	 .doc = "hook xdp: in the driver (native), behind it (generic); default auto: native, else "
		"generic; $NAME is the option NAME"},
	{"family", KEY_ENUM, AT(attach_config, family), NAMES(netfilter_families),
	 .doc = "hook netfilter: of which packets"},
	{"netfilter_hook", KEY_ENUM, AT(attach_config, netfilter_hook), NAMES(netfilter_hooks),
	 .doc = "hook netfilter: where on their way"},
	{"priority", KEY_S32, AT(attach_config, priority),
	 .doc = "hook netfilter: lower comes first; default 0, nft's filter; if taken, the next"},
	{"defragment", KEY_BOOL, AT(attach_config, defragment),
	 .doc = "hook netfilter: put fragments together before (Linux 6.6, priority over -400)"},
	{"cgroup", KEY_TEXT, AT(attach_config, cgroup),
	 .doc = "hooks of cgroups: its directory under cgroup2; default the root"},
	{"map", KEY_TEXT, AT(attach_config, map),
	 .doc = "hook iter, SEC(\"iter/bpf_map_elem\"): the map whose entries it goes through"},
	{"interval", KEY_DURATION, AT(attach_config, interval_ns),
	 .doc = "hook iter: it runs when metrics are read, and every second while somebody looks "
		"at records, but not more often than that"},
	{"event", KEY_TEXT, AT(attach_config, event),
	 .doc = "hook perf_event: type=T,config=C,frequency=F (a second) or sample_period=P "
		"(events)"},
};

static const struct schema attach_schema = {
	"an attach row", "attach rows",     sizeof(struct attach_config),
	.placed = true,  KEYS(attach_keys), .check = check_attach};

static const struct key way_keys[] = {
	{"mechanism", KEY_TEXT, AT(way_config, mechanism), .required = true,
	 .doc = "what this way is called in the status and in metrics: netfilter, fentry, kprobe "
		"…"},
	{"programs", KEY_TEXTS, AT(way_config, programs), .required = true, .min = 1,
	 .doc = "the programs that it takes, all of them"},
	{"loses", KEY_TEXT, AT(way_config, loses),
	 .doc = "for wiregauge check: what is not measured this way, or not as well as by the "
		"first; as a sentence goes on after 'so'"},
};

static const struct schema way_schema = {"a way",        "ways",         sizeof(struct way_config),
					 .placed = true, KEYS(way_keys), .check = check_way};

static const struct key probe_keys[] = {
	{"name", KEY_TEXT, AT(probe_config, name), .required = true,
	 .doc = "what is measured, in the status and in metrics"},
	{"when", KEY_TEXT, AT(probe_config, when),
	 .doc = "a bool option of this file: while it is false, nothing of the probe is loaded"},
	{"sampled", KEY_TEXT, AT(probe_config, sampled),
	 .doc = "a string option of this file whose value is off, always, or the share of the time "
		"in which the probe is attached, like 2%"},
	{"ways", KEY_ROWS, AT(probe_config, ways), .sub = &way_schema, .required = true, .min = 1,
	 .doc = "how to measure it, best first; the first that the kernel offers is used"},
};

static const struct schema probe_schema = {
	"a probe",      "probes",         sizeof(struct probe_config),
	.placed = true, KEYS(probe_keys), .check = check_probe};

#define IMPORTANCE_DOC                                                                             \
	"in a terminal too narrow for all, the least important are left out first, of equal ones " \
	"the last, and never the first of all; default 0"

static const struct key column_keys[] = {
	{"name", KEY_TEXT, AT(column_config, name), .required = true,
	 .doc = "what it is called: in JSON, for --sort and --by"},
	{"from", KEY_TEXT, AT(column_config, from),
	 .doc = "the label or value of the map that it shows; default the one of its name"},
	{"header", KEY_TEXT, AT(column_config, header),
	 .doc = "its head in the table; default the name in capitals, for a histogram COUNT"},
	{"unit", KEY_ENUM, AT(column_config, unit), NAMES(column_units),
	 .doc = "of numbers, for how they are written; age: seconds of CLOCK_MONOTONIC, shown as "
		"how long ago; default none"},
	{"multiplier", KEY_FACTOR, AT(column_config, multiplier),
	 .doc = "factor from the number in the map to the unit, like 1e-9; default 1"},
	{"merge", KEY_ENUM, AT(column_config, merge), NAMES(column_merges),
	 .doc = "what becomes of the numbers of entries that make one row; default sum"},
	{"filter", KEY_ENUM, AT(column_config, filter), NAMES(column_filters),
	 .doc = "the option of the command line that looks at it: --address, --port …"},
	{"importance", KEY_U32, AT(column_config, importance), .max = MOST_IMPORTANCE,
	 .doc = IMPORTANCE_DOC},
};

static const struct schema column_schema = {
	"a column",     "columns",         sizeof(struct column_config),
	.placed = true, KEYS(column_keys), .check = check_column};

static const struct key group_keys[] = {
	{"name", KEY_TEXT, AT(group_config, name), .required = true, .doc = "for --by"},
	{"columns", KEY_TEXTS, AT(group_config, columns), .min = 1, .required = true,
	 .doc = "a row for each set of their texts; other texts are left out, numbers added up"},
};

static const struct schema group_schema = {
	"a group",      "groups",         sizeof(struct group_config),
	.placed = true, KEYS(group_keys), .check = check_group};

static const struct key table_keys[] = {
	{"name", KEY_TEXT, AT(table_config, name), .required = true,
	 .doc = "for the command line: the module's name for its main table"},
	{"help", KEY_TEXT, AT(table_config, help), .required = true,
	 .doc = "what it shows, in a line"},
	{"text", KEY_TEXT, AT(table_config, text), .doc = "a paragraph for --help"},
	{"empty", KEY_TEXT, AT(table_config, empty),
	 .doc = "what it means when there are no rows; default: nothing has been counted yet"},
	{"when", KEY_TEXT, AT(table_config, when),
	 .doc = "a bool option of this file: the table is there only while it is true"},
	{"map", KEY_TEXT, AT(table_config, map), .required = true,
	 .doc = "a map, by its name under `metrics`, whose labels and values are the columns"},
	{"columns", KEY_ROWS, AT(table_config, columns), .sub = &column_schema, .min = 1,
	 .max = MOST_COLUMNS, .required = true, .doc = "what is shown, from left to right"},
	{"groups", KEY_ROWS, AT(table_config, groups), .sub = &group_schema, .min = 1,
	 .doc = "ways to add up, the first is the default; without: by all texts"},
	{"sort", KEY_TEXT, AT(table_config, sort),
	 .doc = "a column, largest first; default: the first that is a number"},
	{"draw", KEY_BOOL, AT(table_config, draw),
	 .doc = "histograms are drawn, instead of told by some quantiles"},
};

static const struct schema table_schema = {
	"a table",      "tables",         sizeof(struct table_config),
	.placed = true, KEYS(table_keys), .check = check_table};

static const struct key field_keys[] = {
	{"name", KEY_TEXT, AT(record_field, value.name), .required = true,
	 .doc = "what it is called, in JSON and for --where"},
	{"header", KEY_TEXT, AT(record_field, column.header),
	 .doc = "its head; default the name in capitals"},
	{"offset", KEY_U32, AT(record_field, value.offset), .max = MOST_VALUE_BYTES,
	 .required = true, .doc = "first byte in the record"},
	{"size", KEY_U32, AT(record_field, value.size), .min = 1, .max = MOST_LABEL_BYTES,
	 .doc = "bytes: 1, 2, 4 or 8, with decoders any number; default 8"},
	{"decoders", KEY_ROWS, AT(record_field, value.decoders), .sub = &decoder_schema, .min = 1,
	 .doc = "bytes to text, one after the other; without: a number"},
	{"when", KEY_TEXT, AT(record_field, value.when),
	 .doc = "shown only while that is on; as of a label"},
	{"unit", KEY_ENUM, AT(record_field, column.unit), NAMES(column_units),
	 .doc = "of numbers, for how they are written; default none"},
	{"multiplier", KEY_FACTOR, AT(record_field, column.multiplier),
	 .doc = "factor from the number in the record to the unit, like 1e-9; default 1"},
	{"filter", KEY_ENUM, AT(record_field, column.filter), NAMES(column_filters),
	 .doc = "the option of the command line that looks at it: --address, --port …"},
	{"importance", KEY_U32, AT(record_field, column.importance), .max = MOST_IMPORTANCE,
	 .doc = IMPORTANCE_DOC},
};

static const struct schema field_schema = {
	"a field",      "fields",         sizeof(struct record_field),
	.placed = true, KEYS(field_keys), .check = check_field};

static const struct key records_keys[] = {
	{"name", KEY_TEXT, AT(records_config, name), .required = true,
	 .doc = "for the command line: wiregauge MODULE NAME"},
	{"help", KEY_TEXT, AT(records_config, help), .required = true,
	 .doc = "what they are, in a line"},
	{"text", KEY_TEXT, AT(records_config, text), .doc = "a paragraph for --help"},
	{"when", KEY_TEXT, AT(records_config, when),
	 .doc = "a bool option of this file: they are there only while it is true"},
	{"map", KEY_TEXT, AT(records_config, map), .required = true,
	 .doc = "a ring buffer; an array MAP_wanted is set to 1 while somebody looks, an array "
		"MAP_lost counts what did not fit: RECORDS() in events.bpf.h"},
	{"fields", KEY_ROWS, AT(records_config, fields), .sub = &field_schema, .min = 1,
	 .max = MOST_COLUMNS, .required = true, .doc = "what is shown, from left to right"},
};

static const struct schema records_schema = {
	"a kind of records", "records",          sizeof(struct records_config),
	.placed = true,      KEYS(records_keys), .check = check_records};

static const struct key stage_keys[] = {
	{"pipeline", KEY_TEXT, AT(stage_config, pipeline), .required = true,
	 .doc = "which pipeline it is part of"},
	{"order", KEY_U32, AT(stage_config, order), .max = UINT32_MAX, .required = true,
	 .doc = "its place among the stages, lower first"},
};

static const struct schema stage_schema = {"a stage", "stages", sizeof(struct stage_config),
					   .placed = true, KEYS(stage_keys)};

static const struct key cgroup_map_keys[] = {
	{"name", KEY_TEXT, AT(cgroup_map_config, name), .required = true,
	 .doc = "name of the BPF map; its values have 8 bytes and are 1"},
	{"type", KEY_ENUM, AT(cgroup_map_config, type), NAMES(cgroup_map_types),
	 .doc = "hash (default): its key is the cgroup's id; cgrp_storage: the cgroup itself"},
	{"regexps", KEY_TEXTS, AT(cgroup_map_config, regexps), .min = 1, .required = true,
	 .doc = "patterns; cgroups whose path matches one of them are in the map"},
};

static const struct schema cgroup_map_schema = {"cgroup_id_map", "cgroup_id_maps",
						sizeof(struct cgroup_map_config), .placed = true,
						KEYS(cgroup_map_keys)};

static const struct key sysctl_keys[] = {
	{"name", KEY_TEXT, AT(sysctl_config, name), .required = true,
	 .doc = "of the kernel parameter, with dots: net.core.somaxconn"},
	{"rule", KEY_ENUM, AT(sysctl_config, rule), NAMES(sysctl_rules), .required = true,
	 .doc = "how it compares with value; of several numbers each"},
	{"value", KEY_TEXT, AT(sysctl_config, value), .required = true, .doc = "what it should be"},
	{"why", KEY_TEXT, AT(sysctl_config, why), .required = true,
	 .doc = "one sentence on what the module has of it"},
	{"source", KEY_TEXT, AT(sysctl_config, source), .required = true,
	 .doc = "where it is documented: a file of the kernel's, an RFC"},
};

static const struct schema sysctl_schema = {
	"a sysctl",     "sysctls",         sizeof(struct sysctl_config),
	.placed = true, KEYS(sysctl_keys), .check = check_sysctl};

static const struct key file_keys[] = {
	{"description", KEY_TEXT, AT(config_file, config.description),
	 .doc = "one sentence on what the module does"},
	{"namespace", KEY_TEXT, AT(config_file, config.namespace_),
	 .doc = "prefix of its metrics, without the final underscore"},
	{"enabled", KEY_BOOL_NOT, AT(config_file, config.off),
	 .doc = "false: it runs only where somebody names it; default true"},
	{"persistent", KEY_BOOL, AT(config_file, config.persistent),
	 .doc = "maps, and programs at interfaces by XDP, are pinned in the bpffs: they go on when "
		"the daemon has stopped or was killed, and the next one goes on with them"},
	{"layout", KEY_U32, AT(config_file, config.layout), .max = UINT32_MAX,
	 .doc = "with persistent, and in a stage for maps called STAGE_…: a number that changes "
		"with what the bytes of a map mean; maps of another one are not gone on with; "
		"default 0"},
	{"stage", KEY_MAPPING, AT(config_file, config.stage), .sub = &stage_schema,
	 .has = offsetof(struct config_file, config.has_stage),
	 .doc = "packet stage: its code is part of a pipeline's programs, which see the packets"},
	{"kaddrs", KEY_TEXTS, AT(config_file, config.kaddrs),
	 .doc = "kernel symbols; the address of each is set as kaddr_NAME before load"},
	{"options", KEY_ROWS, AT(config_file, config.options), .sub = &option_schema,
	 .doc = "what whoever runs the module may set"},
	{"attach", KEY_ROWS, AT(config_file, config.attach), .sub = &attach_schema,
	 .doc = "where programs go whose section name alone does not say it"},
	{"probes", KEY_ROWS, AT(config_file, config.probes), .sub = &probe_schema,
	 .doc = "what is measured in one of several ways, whichever the kernel offers"},
	{"metrics", KEY_MAPPING, .offset = 0, .sub = &metrics_schema,
	 .doc = "maps that are metrics"},
	{"tables", KEY_ROWS, AT(config_file, config.tables), .sub = &table_schema,
	 .doc = "what the command line shows of maps"},
	{"records", KEY_ROWS, AT(config_file, config.records), .sub = &records_schema,
	 .doc = "what the command line shows of ring buffers, as it comes"},
	{"sysctls", KEY_ROWS, AT(config_file, config.sysctls), .sub = &sysctl_schema,
	 .doc = "kernel parameters that do it good: wiregauge tune"},
	{"cgroup_id_map", KEY_MAPPING, AT(config_file, config.cgroup_map),
	 .sub = &cgroup_map_schema, .has = offsetof(struct config_file, config.has_cgroup_map),
	 .doc = "a map that tells the programs which cgroups they are about"},
	{"tracing", KEY_LATER},
};

static const struct schema file_schema = {"a config", "configs", sizeof(struct config_file),
					  KEYS(file_keys), .check = check_file};

/* clang-format on */

static int parse_into(struct config_file *file, struct report *r)
{
	const struct place whole = {0};
	bool empty = false;
	int err = bind_source(&file_schema, &file->config.source, r, file, &empty);

	if (!err && empty)
		return report_error(r, &file->config.source, whole, "empty: nothing to do");
	return err;
}

int config_parse(const char *name, struct source source, struct report *r, struct config **ret)
{
	struct config_file *file = calloc(1, sizeof(*file));
	int err = -ENOMEM;

	if (!file) {
		source_free(&source);
		return err;
	}
	file->config.source = source;
	file->config.name = strdup(name);
	if (file->config.name)
		err = parse_into(file, r);
	if (err)
		config_free(&file->config);
	else
		*ret = &file->config;
	return err;
}

/* dir/timers.yaml is the config timers. */
static char *name_of_path(const char *path)
{
	static const char *const suffixes[] = {".yaml", ".yml"};
	const char *slash = strrchr(path, '/');
	const char *base = slash ? slash + 1 : path;
	size_t len = strlen(base);

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		size_t n = strlen(suffixes[i]);

		if (len > n && STREQ(base + len - n, suffixes[i]))
			return strndup(base, len - n);
	}
	return strdup(base);
}

int config_parse_file(const char *path, struct report *r, struct config **ret)
{
	_cleanup_free_ char *name = name_of_path(path);
	struct source source;
	int err = name ? source_read(path, r, &source) : -ENOMEM;

	return err ? err : config_parse(name, source, r, ret);
}

void config_free(struct config *c)
{
	struct config_file *file;

	if (!c)
		return;
	file = CONTAINER_OF(c, struct config_file, config);
	for (size_t i = 0; i < c->metrics.count; i++)
		schema_free(&metric_schemas[c->metrics.items[i].type], &c->metrics.items[i]);
	free(c->metrics.items);
	schema_free(&file_schema, file);
	free(c->name);
	source_free(&c->source);
	free(file);
}

const char *attach_hook_name(enum attach_hook hook)
{
	return attach_hooks[hook];
}

const char *netfilter_family_name(unsigned family)
{
	return netfilter_families[family];
}

bool xdp_mode_parse(const char *text, enum xdp_mode *ret)
{
	for (unsigned i = 0; i < ARRAY_SIZE(xdp_modes); i++) {
		if (STREQ(xdp_modes[i], text)) {
			*ret = (enum xdp_mode)i;
			return true;
		}
	}
	return false;
}

const char *netfilter_hook_name(unsigned hook)
{
	return netfilter_hooks[hook];
}

const char *column_unit_name(enum column_unit unit)
{
	return column_units[unit];
}

const char *column_filter_name(enum column_filter filter)
{
	return column_filters[filter];
}

void config_describe(void (*row)(void *ctx, const struct key_doc *key), void *ctx)
{
	schema_describe(&file_schema, row, ctx);
}
