/* SPDX-License-Identifier: MIT */
/*
 * One module's manifest, or one user's config: the same language, parsed into plain structs.
 *
 * The parser (config_parse) checks what can be known from the file alone: keys, types, ranges,
 * names by Prometheus's rules, duplicates. What needs more (decoders, the object's maps and
 * programs) is checked by the rooms that know, at the places kept here.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/strv.h"
#include "base/sysctl.h"
#include "config/report.h"
#include "kernel/xdp.h"

/* A string with its place; `text` is NULL when the key is absent. */
struct text {
	char *text;
	struct place place;
};

struct text_list {
	struct text *items;
	size_t count;
};

/* A row of a static_map. `from` keeps the literal text of the YAML key: 0x10 stays "0x10". */
struct mapping_row {
	struct place place;
	char *from;
	char *to;
};

/* Whose names for ports; any: the first that has one. */
enum port_protocol { PROTOCOL_ANY, PROTOCOL_TCP, PROTOCOL_UDP, PROTOCOL_SCTP, PROTOCOL_DCCP };

struct decoder_config {
	struct place place;
	struct text name;
	struct {
		struct mapping_row *items;
		size_t count;
	} static_map;
	bool has_static_map;
	bool allow_unknown;
	struct text_list regexps;
	struct text btf_enum;
	bool has_prefix, has_prefix6;
	uint32_t prefix, prefix6;
	bool has_protocol;
	enum port_protocol protocol;
};

struct label_config {
	struct place place;
	struct text name;
	uint32_t size;       /* bytes of the map key */
	uint32_t padding;    /* bytes skipped after it */
	struct text of;      /* ours: a label before it, whose bytes are this one's as well */
	bool delete_unknown; /* ours: delete the entry when what the label names is gone */
	struct text when;    /* a bool option: while it is off, the label is not exported */
	struct {
		struct decoder_config *items;
		size_t count;
	} decoders;
};

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

/* "counter", "gauge", "histogram" */
const char *metric_type_name(enum metric_type type);

enum bucket_type {
	BUCKET_NONE,
	BUCKET_EXP2,
	BUCKET_EXP2ZERO,
	BUCKET_LINEAR,
	BUCKET_FIXED,
	BUCKET_NATIVE, /* ours: metrics/buckets.h says which key is which bucket */
};

/* The finest native histograms, 32 buckets an octave. */
enum { NATIVE_SCHEMA_MAX = 5 };

/* The buckets of a histogram. fixed: `keys`, ascending; else min … max, inclusive both ends. */
struct bucket_config {
	enum bucket_type type;
	struct place type_place;
	uint32_t min;
	uint32_t max;
	double multiplier; /* 0 = 1; native: a power of two */
	struct {
		uint64_t *items;
		size_t count;
	} keys;
	uint32_t schema;         /* native: 2^schema buckets an octave */
	uint32_t classic_schema; /* the same for how it is shown as a classic histogram */
};

/*
 * Ours: one field of a map's value that is a metric of its own. A histogram here is an array of
 * 8-byte buckets at `offset`, one for each of bucket_min … bucket_max (or of bucket_keys), so that
 * an event costs one map lookup for its counters and its histogram; its _sum is read at sum_offset.
 */
struct value_config {
	struct place place;
	struct text name;
	struct text help;
	struct text when;  /* a bool option: while it is off, this is not exported */
	bool no_export;    /* for tables only */
	struct text alias; /* exported under this name, as it is, and only with aliases */
	struct text top;   /* a uint option: so many series, of what grows most; 0: not exported */
	struct text_list others; /* with `top`: labels that are "other" of what is not among them */
	struct text rest; /* with `top`: the value, of another metric, that has what left the map */
	enum metric_type type;
	uint32_t offset; /* bytes into the map's value */
	uint32_t size;   /* 1, 2, 4 or 8 (default 8), host order, unsigned; histograms: 8 */
	struct bucket_config buckets;
	bool has_sum_offset;
	uint32_t sum_offset;
	struct text_list
		labels; /* names out of the metric's labels; absent = all. Entries that differ
				  * only in others are summed. */
	struct {
		struct decoder_config *items;
		size_t count;
	} decoders; /* bytes that are a text, of any size, not a number: for tables only */
};

/* What becomes of entries for which max_series leaves no series. */
enum overflow { OVERFLOW_OTHER, OVERFLOW_DROP };

/* Ours: a map whose value is not one entry but many. */
struct rows_config {
	struct place place;
	uint32_t offset; /* of the first, in the value */
	uint32_t size;
	uint32_t count;
};

struct metric_config {
	struct place place;
	enum metric_type type; /* from the list it stands in: counters, gauges, histograms */
	struct text name;      /* of the metric, without prefix, and of the BPF map */
	struct text help;
	struct text when;    /* a bool option: while it is off, this is not exported */
	bool no_export;      /* for tables only */
	struct text alias;   /* exported under this name, as it is, and only with aliases */
	uint32_t max_series; /* of each metric from this map; 0 = any number */
	enum overflow overflow;
	uint64_t ttl_ns; /* entries that did not change for so long are deleted; 0 = never */
	struct place ttl_place;
	struct {
		struct label_config *items;
		size_t count;
	} labels;
	struct bucket_config buckets; /* histograms; the last label is the bucket */
	bool has_rows;
	struct rows_config rows;    /* then labels are cut from each, and values are in it */
	bool perf_event_array;      /* the map is of that type: each event counts 1 */
	uint64_t flush_interval_ns; /* when its counters begin anew; 0 = an hour */
	struct {
		struct value_config
			*items; /* none: the value is one 8-byte number, the metric itself */
		size_t count;
	} values;
};

enum option_type { OPTION_BOOL, OPTION_UINT, OPTION_STRING, OPTION_NETWORK, OPTION_LIST };

/* What is done with the files that an option names. */
enum option_file { FILE_NONE, FILE_READ, FILE_APPEND };

/* What whoever runs the module may set: by --option MODULE.NAME=VALUE, or in the daemon file. */
struct option_config {
	struct place place;
	struct text name;
	struct text help;
	enum option_type type;
	enum option_file file;    /* its values are files; FILE_NONE: they are not */
	uint32_t max;             /* that a number may be; 0 = any */
	struct text_list choices; /* that a string has one of; none: any */
	struct text rodata;      /* the `const volatile` variable it is written to; absent = none */
	struct text max_entries; /* the map that gets room for so many entries; absent = none */
	struct text_list defaults; /* a scalar gives one item */
};

/* Where a program can be sent; the operations of each are a row in engine/hooks.c. */
enum attach_hook {
	HOOK_SECTION, /* where its SEC() says */
	HOOK_TC_INGRESS,
	HOOK_TC_EGRESS,
	HOOK_XDP,
	HOOK_NETFILTER,
	HOOK_CGROUP, /* as SEC() says: cgroup/connect4 … */
	HOOK_CGROUP_SKB_INGRESS,
	HOOK_CGROUP_SKB_EGRESS,
	HOOK_SOCK_OPS,
	HOOK_ITER,
	HOOK_PERF_EVENT,
	HOOK_COUNT,
};

enum link_layer { LINK_LAYER_ETHERNET, LINK_LAYER_NONE, LINK_LAYER_ANY };

/* Where a program goes that its SEC() alone cannot say; followed as interfaces come and go. */
struct attach_config {
	struct place place;
	struct text program;
	enum attach_hook hook;
	struct place hook_place;
	struct text when;           /* a bool option: while it is off, the row is as if not there */
	enum link_layer link_layer; /* only interfaces whose packets begin with this header */
	struct text_list
		interfaces; /* globs, '!' excludes; "$name" stands for the option of that name */
	struct text_list netns;  /* likewise, of network namespaces: "own", "all", or their names or
				   files; absent: own */
	enum xdp_mode mode;      /* xdp */
	struct text mode_option; /* "$name": the option that says it instead */
	unsigned family;         /* netfilter: NFPROTO_* */
	unsigned netfilter_hook; /* NF_INET_* */
	int32_t priority;        /* netfilter: lower runs first */
	bool defragment;         /* netfilter: fragments are put together before */
	struct text cgroup;      /* hooks of cgroups: its directory; absent = the root */
	struct text map;         /* iter: of which map the entries; absent = none */
	uint64_t interval_ns;    /* iter: not more often than that */
	struct text event;       /* perf_event: as in SEC("perf_event/…") */
};

/* One way to measure what a probe is about: programs that do it together. */
struct way_config {
	struct place place;
	struct text mechanism; /* its name, for people and metrics */
	struct text_list programs;
	struct text loses; /* what is not measured this way, or not as well as by the first */
};

/* What is measured, and the ways to it, best first. The first one that the kernel offers is used;
 * the programs of the others are not loaded. */
struct probe_config {
	struct place place;
	struct text name;
	struct text when;    /* a bool option: while it is off, the probe is */
	struct text sampled; /* a string option with a value for sampling_parse(); absent: always */
	struct {
		struct way_config *items;
		size_t count;
	} ways;
};

/* How numbers of a table's column are written for people, and what kind of number they are. */
enum column_unit {
	UNIT_NONE, /* as it is: an id, a port */
	UNIT_COUNT,
	UNIT_BYTES,
	UNIT_PACKETS,
	UNIT_SECONDS,
	UNIT_AGE, /* seconds of CLOCK_MONOTONIC: how long ago */
};

/* What becomes of the numbers of entries that make one row. */
enum column_merge { MERGE_SUM, MERGE_MAX, MERGE_MIN };

/* Which option of the command line looks at a column. */
enum column_filter { FILTER_NONE, FILTER_ADDRESS, FILTER_PORT, FILTER_PROCESS, FILTER_INTERFACE };

struct column_config {
	struct place place;
	struct text name;
	struct text from; /* a label or value of the table's map; absent = the name */
	struct text header;
	enum column_unit unit;
	double multiplier; /* from the number in the map to the unit; 0 = 1 */
	enum column_merge merge;
	enum column_filter filter;
	uint32_t importance; /* in a terminal that is too narrow, the least goes first */
};

/* A way to add up a table's entries: by these columns; the texts of the others are left out. */
struct group_config {
	struct place place;
	struct text name;
	struct text_list columns;
};

/* Ours: what people are shown of a map: wiregauge MODULE, MODULE NAME, or table MODULE NAME. */
struct table_config {
	struct place place;
	struct text name; /* that of the config itself for its main table */
	struct text help;
	struct text text;  /* a paragraph for the command's help */
	struct text empty; /* said where there are no rows */
	struct text when;  /* a bool option: while it is off, there is no such table */
	struct text map;   /* the name of an entry under `metrics` */
	struct {
		struct column_config *items;
		size_t count;
	} columns;
	struct {
		struct group_config *items;
		size_t count;
	} groups;         /* the first is the default; none: by all columns that are texts */
	struct text sort; /* a column; absent = the first that is a number */
	bool draw;        /* histograms: drawn, instead of told by some quantiles */
};

/* A field of a record: where it is, and how it is shown. Its texts belong to `value`. */
struct record_field {
	struct place place;
	struct value_config value;
	struct column_config column;
};

/* Ours: a ring buffer whose records people can look at as they come: wiregauge MODULE NAME. */
struct records_config {
	struct place place;
	struct text name;
	struct text help;
	struct text text; /* a paragraph for the command's help */
	struct text when; /* a bool option: while it is off, there are no such records */
	struct text map;
	struct {
		struct record_field *items;
		size_t count;
	} fields;
};

/* Packet stage: the module has no object, its code is composed into a pipeline's. */
struct stage_config {
	struct place place;
	struct text pipeline;
	uint32_t order; /* place among the stages, lower first; read at build time */
};

/* Ours: what a kernel parameter should be, for `wiregauge tune`. */
struct sysctl_config {
	struct place place;
	struct text name;
	enum sysctl_rule rule;
	struct text value;
	struct text why;
	struct text source;
};

enum cgroup_map_type { CGROUP_MAP_HASH, CGROUP_MAP_STORAGE };

/* A map that says to the programs which cgroups they are about: those whose path matches. */
struct cgroup_map_config {
	struct place place;
	struct text name;
	enum cgroup_map_type type;
	struct text_list regexps;
};

struct config {
	char *name; /* file name without .yaml */
	struct source source;
	struct text description;
	bool persistent;        /* ours: maps and programs at interfaces outlive the daemon */
	uint32_t layout;        /* ours: of its maps; those of another one are not gone on with */
	struct text namespace_; /* key `namespace`: metric prefix without the final underscore */
	bool off;               /* `enabled: false`: it runs only where somebody asks for it */
	bool has_stage;
	struct stage_config stage;
	struct text_list kaddrs;
	bool has_cgroup_map;
	struct cgroup_map_config cgroup_map;
	struct {
		struct option_config *items;
		size_t count;
	} options;
	struct {
		struct attach_config *items;
		size_t count;
	} attach;
	struct {
		struct probe_config *items;
		size_t count;
	} probes;
	struct {
		struct metric_config
			*items; /* counters, then gauges, then histograms, as in the file */
		size_t count;
	} metrics;
	struct {
		struct table_config *items;
		size_t count;
	} tables;
	struct {
		struct records_config *items;
		size_t count;
	} records;
	struct {
		struct sysctl_config *items;
		size_t count;
	} sysctls;
};

/*
 * Parse @source (taken over in any case) as the config @name. On success *ret is the caller's and
 * nothing but warnings was reported; else -EINVAL with at least one error in @r, or -ENOMEM.
 * All errors of a file are reported, not just the first.
 */
int config_parse(const char *name, struct source source, struct report *r, struct config **ret);

/* Reads @path and parses it; the name is the file's, without .yaml. A file that cannot be read is
 * an error in @r too. */
int config_parse_file(const char *path, struct report *r, struct config **ret);

void config_free(struct config *c);

/* "tc_ingress"; "ipv4" of NFPROTO_IPV4; "prerouting" of NF_INET_PRE_ROUTING */
const char *attach_hook_name(enum attach_hook hook);
const char *netfilter_family_name(unsigned family);
const char *netfilter_hook_name(unsigned hook);

/* XDP_NATIVE of "native"; false for what is none. */
bool xdp_mode_parse(const char *text, enum xdp_mode *ret);

/* The names in the language of these. */
const char *column_unit_name(enum column_unit unit);
const char *column_filter_name(enum column_filter filter);

/* The entry under `metrics` that is about map @name, or NULL. */
const struct metric_config *config_find_map(const struct config *c, const char *name);

/* Its value @name, which is the entry itself where that has no `values`: then *ret is NULL. False
 * when there is none. */
bool metric_find_value(const struct metric_config *m, const char *name,
		       const struct value_config **ret);

/* How many labels of @m can be columns: the last one of a histogram is its bucket, and none. */
size_t metric_count_labels(const struct metric_config *m);

/* Its label @name, an index; the bucket of a histogram is none. */
bool metric_find_label(const struct metric_config *m, const char *name, size_t *ret);

/* The label or value that it shows; NULL when the config is wrong. */
const struct text *column_source(const struct column_config *column);

/* What a column is that is one: a text, else a number or a histogram. */
bool column_is_text(const struct metric_config *m, const struct column_config *column);
bool column_is_histogram(const struct metric_config *m, const struct column_config *column);

const struct column_config *table_find_column(const struct table_config *t, const char *name);

const struct option_config *config_find_option(const struct config *c, const char *name);

/* Whether a string option may be @value; its choices as "a, b or c". */
bool option_is_choice(const struct option_config *o, const char *value);
void option_add_choices(const struct option_config *o, struct buf *to);

/* A key of a language, told to people. The texts are valid during the call only. */
struct key_doc {
	const char *path;  /* "metrics.counters[].labels[].size" */
	const char *group; /* what it is a key of: "a label" */
	const char *type;  /* in words */
	const char *doc;   /* one line */
	bool required;
};

/* Calls @row for each key of the language, in the order in which a file would have them. */
void config_describe(void (*row)(void *ctx, const struct key_doc *key), void *ctx);

/* Whether ebpf_exporter has the key at @path, too; all others are ours. */
bool config_key_is_exporters(const char *path);
bool config_decoder_is_exporters(const char *name);
