/* SPDX-License-Identifier: MIT */
/* What the language's tables (config.c) and the checks behind them (check.c) share. */
#pragma once

#include "config/bind.h"
#include "config/config.h"

struct metric_list {
	struct metric_config *items;
	size_t count;
};

/* A config while it is read, and for its whole life: the lists of metrics as they stand in the file
 * become one at the end. */
struct config_file {
	struct config config;
	struct metric_list counters, gauges, histograms;
};

/* The `check` of each schema. */
int check_file(struct binding *at, void *file);
int check_option(struct binding *at, void *option);
int check_attach(struct binding *at, void *attach);
int check_way(struct binding *at, void *way);
int check_probe(struct binding *at, void *probe);
int check_label(struct binding *at, void *label);
int check_metric(struct binding *at, void *metric);
int check_histogram(struct binding *at, void *metric);
int check_column(struct binding *at, void *column);
int check_group(struct binding *at, void *group);
int check_table(struct binding *at, void *table);
int check_field(struct binding *at, void *field);
int check_records(struct binding *at, void *records);
int check_sysctl(struct binding *at, void *sysctl);

int check_value(struct binding *at, void *value);

/* What a kind of name may be made of. */
struct name_rule;
extern const struct name_rule probe_name_rule;
extern const struct name_rule c_name_rule;

/* An absent name was reported already, or may be absent. */
void check_name(const struct binding *at, const struct text *t, const struct name_rule *rule);
void check_names(const struct binding *at, const struct text_list *list,
		 const struct name_rule *rule);

/* @name, found at @t, must be an option of this file and of @type. */
void check_is_option(const struct binding *at, const struct config *c, const struct text *t,
		     const char *name, enum option_type type, const char *type_name);

/* The same for the bool option that a `when` names, if it is there; in a stage that may be one of
 * its pipeline. */
void check_when(const struct binding *at, const struct config *c, const struct text *t);
void check_when_or_pipeline(const struct binding *at, const struct config *c, const struct text *t);

/* The probes of a file, against each other and its options: 0 or -ENOMEM. */
int check_probes(const struct binding *at, const struct config *c);

/* A name that people type. */
void check_word(const struct binding *at, const struct text *t);

/* The tables of a file, against its metrics and options. */
void check_tables(const struct binding *at, const struct config *c);

/* The buckets of a histogram; and of what is none. */
void check_buckets(const struct binding *at, const struct bucket_config *b);
void check_no_buckets(const struct binding *at);

/* `top` of the values of @m. */
void check_tops(const struct binding *at, const struct config *c, const struct metric_config *m);

/* Entries with a `ttl` are of one metric alone. */
void check_ttls(const struct binding *at, const struct config *c);

/* No two metrics of a file have one name, parts of histograms among them: 0 or -ENOMEM. */
int check_metrics_unique(const struct binding *at, const struct config *c);
