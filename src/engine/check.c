// SPDX-License-Identifier: MIT
/* Checking configs before they run. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "engine/cgroup_map.h"
#include "engine/placement.h"
#include "engine/probe.h"
#include "engine/records.h"
#include "engine/sheets.h"
#include "engine/unit.h"
#include "metrics/layout.h"

DEFINE_CLEANUP(struct config *, config_free)
DEFINE_CLEANUP(struct object *, object_close)

/* Without an object there are no maps to hold the labels against, but their decoders and all
 * patterns can be checked. */
static int check_decoders(const struct config *c, struct report *report)
{
	static const struct decode_env nothing;
	int err = cgroup_map_check(c, NULL, report);

	for (size_t i = 0; i < c->metrics.count; i++) {
		const struct metric_config *m = &c->metrics.items[i];

		for (size_t k = 0; k < m->labels.count; k++) {
			struct label_decoder d;

			if (label_decoder_build(&d, &m->labels.items[k], &nothing, &c->source,
						report))
				err = -EINVAL;
			else
				label_decoder_free(&d);
		}
	}
	return err;
}

static int check_metric(const struct config *c, const struct metric_config *m,
			const struct object *o, struct report *report)
{
	static const struct decode_env nothing;
	const struct collector_env env = {.decode = &nothing,
					  .prefix = PREFIX_USER,
					  .aliases = true};
	struct collector *collector;
	struct events *events = NULL;
	struct map_info map;
	struct feed *feed;
	int err;

	if (object_find_map(o, m->name.text, &map))
		return unit_report_missing_map(o, c, &m->name, report);
	err = events_add(&events, o, m, &c->source, report, &map, &feed);
	if (!err)
		err = collector_new(m, &c->source, &map, feed, &env, report, &collector);
	if (!err)
		collector_free(collector);
	events_free(events);
	return err;
}

static int check_option(const struct config *c, const struct option_config *option,
			struct object *o, struct report *report)
{
	const struct text *target = unit_option_target(option);
	_cleanup_strv_ struct strv values = {0};
	struct error error;

	if (!target)
		return 0;
	for (size_t i = 0; i < option->defaults.count; i++) {
		const char *text = option->defaults.items[i].text;

		if (strv_add(&values, text, strlen(text)))
			return -ENOMEM;
	}
	if (unit_set_option(o, c, option, &values, &error))
		return report_error(report, &c->source, target->place, "%s", error.text);
	return 0;
}

static int check_against_object(const struct config *c, struct object *o, struct report *report)
{
	int err = 0;

	for (size_t i = 0; i < c->options.count; i++) {
		if (check_option(c, &c->options.items[i], o, report))
			err = -EINVAL;
	}

	for (size_t i = 0; i < c->metrics.count; i++) {
		if (check_metric(c, &c->metrics.items[i], o, report))
			err = -EINVAL;
	}
	if (sheets_check(c, o, report) || records_check(c, o, report))
		err = -EINVAL;
	if (cgroup_map_check(c, o, report))
		err = -EINVAL;
	if (placements_check(c, o, report))
		err = -EINVAL;
	if (probes_check(c, o, report))
		err = -EINVAL;
	return err;
}

int unit_check_plan(const struct plan *p, struct report *report)
{
	_cleanup_(object_close_p) struct object *o = NULL;
	struct error error;
	int err = 0;

	if (object_open(p->name, p->object, p->object_len, NULL, &o, &error))
		return report_error(report, &p->modules[0].config->source, (struct place){0}, "%s",
				    error.text);
	for (size_t i = 0; i < p->n_modules; i++) {
		if (check_against_object(p->modules[i].config, o, report))
			err = -EINVAL;
	}
	return err;
}

/* "dir/timers.yaml" → "dir/timers.bpf.o"; NULL without memory. */
static char *object_path(const char *path)
{
	const char *end = strrchr(path, '.');
	char *object = NULL;

	if (!end || strchr(end, '/'))
		end = path + strlen(path);
	if (asprintf(&object, "%.*s.bpf.o", (int)(end - path), path) < 0)
		return NULL;
	return object;
}

int unit_check_file(const char *path, struct report *report)
{
	_cleanup_(config_free_p) struct config *c = NULL;
	_cleanup_(object_close_p) struct object *o = NULL;
	_cleanup_free_ char *beside = object_path(path);
	_cleanup_free_ void *data = NULL;
	struct error error;
	size_t len;
	int err;

	if (daemon_config_is_likely(path))
		return plans_check_daemon_file(path, report);
	err = config_parse_file(path, report, &c);
	if (err)
		return err;
	if (!beside || file_read(beside, OBJECT_MAX, &data, &len, &error))
		return check_decoders(c, report);
	if (object_open(c->name, data, len, NULL, &o, &error))
		return report_error(report, &c->source, (struct place){0}, "%s", error.text);
	return check_against_object(c, o, report);
}
