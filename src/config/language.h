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
int check_label(struct binding *at, void *label);
int check_metric(struct binding *at, void *metric);
int check_histogram(struct binding *at, void *metric);
int check_value(struct binding *at, void *value);
