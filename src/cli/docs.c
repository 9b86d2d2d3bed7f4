// SPDX-License-Identifier: MIT
/* The reference in Markdown, told from the tables that the program itself goes by: docs/ holds what
 * these print. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/command.h"
#include "cli/markdown.h"
#include "cli/modules.h"
#include "config/config.h"
#include "config/web.h"
#include "decode/decoder.h"
#include "engine/builtin.h"
#include "engine/describe.h"
#include "engine/selfmetrics.h"

DEFINE_CLEANUP(struct config *, config_free)

/* ---- keys: what may stand at several places in a file is told once ---- */

struct group_key {
	char *name;
	char *type;
	char *doc;
	bool required;
	bool exporters;
};

/* A kind of mapping: "a label". */
struct group {
	char *name;
	struct strv places; /* where in a file: "metrics.counters[].labels[]"; "" for the file */
	struct group_key *keys;
	size_t n_keys;
};

struct groups {
	struct group *items;
	size_t count;
	bool failed;
};

static void groups_free(struct groups *g)
{
	for (size_t i = 0; i < g->count; i++) {
		struct group *group = &g->items[i];

		for (size_t k = 0; k < group->n_keys; k++) {
			free(group->keys[k].name);
			free(group->keys[k].type);
			free(group->keys[k].doc);
		}
		free(group->keys);
		free(group->name);
		strv_free(&group->places);
	}
	free(g->items);
}

static struct group *group_find_or_add(struct groups *g, const char *name)
{
	struct group *items;

	for (size_t i = 0; i < g->count; i++) {
		if (STREQ(g->items[i].name, name))
			return &g->items[i];
	}
	items = reallocarray(g->items, g->count + 1, sizeof(*items));
	if (!items)
		return NULL;
	g->items = items;
	items[g->count] = (struct group){.name = strdup(name)};
	return items[g->count].name ? &items[g->count++] : NULL;
}

static struct group_key *key_find_or_add(struct group *group, const char *name)
{
	struct group_key *keys;

	for (size_t i = 0; i < group->n_keys; i++) {
		if (STREQ(group->keys[i].name, name))
			return &group->keys[i];
	}
	keys = reallocarray(group->keys, group->n_keys + 1, sizeof(*keys));
	if (!keys)
		return NULL;
	group->keys = keys;
	keys[group->n_keys] = (struct group_key){.name = strdup(name)};
	return keys[group->n_keys].name ? &keys[group->n_keys++] : NULL;
}

static int add_key(struct groups *g, const struct key_doc *doc)
{
	struct group *group = group_find_or_add(g, doc->group);
	const char *dot = strrchr(doc->path, '.');
	_cleanup_free_ char *place = strndup(doc->path, dot ? (size_t)(dot - doc->path) : 0);
	struct group_key *key = group ? key_find_or_add(group, dot ? dot + 1 : doc->path) : NULL;

	if (!key || !place)
		return -1;
	if (!strv_has(&group->places, place) && strv_add(&group->places, place, strlen(place)))
		return -1;
	key->required = doc->required;
	key->exporters |= config_key_is_exporters(doc->path);
	if (!key->type)
		key->type = strdup(doc->type);
	if (!key->doc)
		key->doc = strdup(doc->doc);
	return key->type && key->doc ? 0 : -1;
}

static void collect_key(void *ctx, const struct key_doc *doc)
{
	struct groups *g = ctx;

	g->failed |= add_key(g, doc) != 0;
}

static void print_places(const struct group *group)
{
	fputs("In ", stdout);
	for (size_t i = 0; i < group->places.count; i++) {
		if (i)
			fputs(", ", stdout);
		printf("`%s`", group->places.items[i]);
	}
	puts(".\n");
}

static void print_group(const struct group *group, bool with_origin)
{
	fputs("\n### Keys of ", stdout);
	markdown_cell(group->name);
	puts("\n");
	if (group->places.count && *group->places.items[0])
		print_places(group);
	puts(with_origin ? "| key | value | what | from |\n|---|---|---|---|"
			 : "| key | value | what |\n|---|---|---|");
	for (size_t i = 0; i < group->n_keys; i++) {
		const struct group_key *key = &group->keys[i];

		printf("| `%s` | ", key->name);
		markdown_cell(key->type);
		fputs(key->required ? "; required | " : " | ", stdout);
		markdown_cell(key->doc);
		if (with_origin)
			printf(" | %s", key->exporters ? "ebpf\\_exporter" : "wiregauge");
		puts(" |");
	}
}

static enum exit_code print_language(
	void (*describe)(void (*row)(void *ctx, const struct key_doc *key), void *ctx),
	bool with_origin)
{
	_cleanup_(groups_free) struct groups g = {0};

	describe(collect_key, &g);
	if (g.failed)
		return EXIT_FAILED;
	for (size_t i = 0; i < g.count; i++)
		print_group(&g.items[i], with_origin);
	return EXIT_DONE;
}

static enum exit_code run_docs_config(const struct command_call *call)
{
	(void)call;
	return print_language(config_describe, true);
}

COMMAND(docs_config, .name = "docs config", .order = 920, .size = 1, .run = run_docs_config,
	.summary = "Print the reference of the configuration language, in Markdown");

static enum exit_code run_docs_web(const struct command_call *call)
{
	(void)call;
	return print_language(web_config_describe, false);
}

COMMAND(docs_web, .name = "docs web", .order = 925, .size = 1, .run = run_docs_web,
	.summary = "Print the reference of the web config file, in Markdown");

/* ---- decoders ---- */

static enum exit_code run_docs_decoders(const struct command_call *call)
{
	const struct decoder *d;

	(void)call;
	puts("| decoder | input → output | from |\n|---|---|---|");
	for (size_t i = 0; (d = decoder_at(i)); i++) {
		printf("| `%s` | ", d->name);
		markdown_cell(d->doc);
		printf(" | %s |\n",
		       config_decoder_is_exporters(d->name) ? "ebpf\\_exporter" : "wiregauge");
	}
	return EXIT_DONE;
}

COMMAND(docs_decoders, .name = "docs decoders", .order = 930, .size = 1, .run = run_docs_decoders,
	.summary = "Print the reference of the decoders, in Markdown");

/* ---- metrics ---- */

static void print_labels(const char *labels)
{
	_cleanup_strv_ struct strv names = {0};

	strv_add_split(&names, labels, ',');
	for (size_t i = 0; i < names.count; i++)
		printf("%s`%s`", i ? ", " : "", names.items[i]);
}

static void print_metric(void *ctx, const struct metric_doc *m)
{
	(void)ctx;
	printf("| `%s` | %s | ", m->name, m->type);
	print_labels(m->labels);
	fputs(" | ", stdout);
	markdown_cell(m->help);
	puts(" |");
}

static void print_metrics_head(void)
{
	puts("\n| metric | type | labels | what |\n|---|---|---|---|");
}

static void print_module(const struct builtin_module *b)
{
	_cleanup_(config_free_p) struct config *c = modules_parse(b);

	if (!c || c->metrics.count == 0)
		return;
	printf("\n## %s\n\n", b->name);
	if (c->description.text)
		printf("%s.\n", c->description.text);
	print_metrics_head();
	module_each_metric(c, print_metric, NULL);
}

static enum exit_code run_docs_metrics(const struct command_call *call)
{
	const struct builtin_module *b;
	struct metric_doc own;

	(void)call;
	puts("# Metrics\n\nWhat wiregauge exports with all its built-in modules. A label in "
	     "brackets "
	     "is there only while\nan option says so. Written by `wiregauge docs metrics`: `make "
	     "docs`.");
	for (size_t i = 0; (b = builtin_at(i)); i++)
		print_module(b);
	puts("\n## The daemon itself\n\n"
	     "Names are ebpf\\_exporter's where that has the same metric.");
	print_metrics_head();
	for (size_t i = 0; selfmetrics_describe(i, &own); i++)
		print_metric(NULL, &own);
	return EXIT_DONE;
}

COMMAND(docs_metrics, .name = "docs metrics", .order = 940, .size = 1, .run = run_docs_metrics,
	.summary = "Print the reference of the metrics, in Markdown");
