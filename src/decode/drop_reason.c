// SPDX-License-Identifier: MIT
/*
 * Reasons of dropped packets, named by the running kernel: they are numbered anew in each release.
 *
 *	31       16 15        0
 *	| subsystem | reason  |		include/net/dropreason.h, since 6.4
 *
 * Reasons of the core (subsystem 0) are in enum skb_drop_reason; those of a subsystem in an enum of
 * its own, which is in the BTF of its module.
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "decode/decoder.h"
#include "decode/hostnames.h"
#include "kernel/enum_names.h"

#define PREFIX           "SKB_DROP_REASON_"
#define PREFIX_SUBSYSTEM "SKB_DROP_REASON_SUBSYS_"

enum {
	SUBSYSTEM_SHIFT = 16, /* SKB_DROP_REASON_SUBSYS_SHIFT */
	SUBSYSTEM_REASONS = (1 << SUBSYSTEM_SHIFT) - 1,
};

/* Where subsystems have their enums. */
static const struct {
	const char *module;
	const char *enumeration;
} subsystems[] = {
	{"openvswitch", "ovs_drop_reason"},
	{"mac80211", "mac80211_drop_reason"},
};

/* An enum that is looked for when it is first needed, and once only. */
struct late_names {
	bool looked_for;
	struct enum_names *names; /* NULL: not there */
};

struct drop_reasons {
	struct kernel_btf *btf;
	struct enum_names *core; /* NULL: this kernel has no reasons */
	pthread_mutex_t lock;    /* of what follows */
	struct late_names systems;
	struct late_names own[ARRAY_SIZE(subsystems)];
};

static void release_drop_reason(void *state)
{
	struct drop_reasons *r = state;

	enum_names_free(r->core);
	enum_names_free(r->systems.names);
	for (size_t i = 0; i < ARRAY_SIZE(r->own); i++)
		enum_names_free(r->own[i].names);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

/* Where a config is only checked there is no kernel to ask. */
static int prepare_drop_reason(const struct decoder_setup *setup, struct decode_step *step)
{
	struct drop_reasons *r;
	struct error error;
	int err;

	if (!setup->env->host)
		return 0;
	r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	pthread_mutex_init(&r->lock, NULL);
	r->btf = setup->env->host->btf;
	step->state = r;
	err = enum_names_read(r->btf, "skb_drop_reason", &r->core, &error);
	if (err == -EINVAL) /* before 5.17 there is no such enum, and no reason */
		return 0;
	if (err)
		return report_error(setup->report, setup->source, step->config->name.place, "%s",
				    error.text);
	return 0;
}

/* The name without @prefix, where it has that. */
static const char *strip(const char *name, const char *prefix)
{
	size_t len = strlen(prefix);

	return strncmp(name, prefix, len) == 0 ? name + len : name;
}

/* What @enumeration of @module, NULL: of the kernel, calls @number; NULL where it does not. */
static const char *find_late(struct drop_reasons *r, struct late_names *late, const char *module,
			     const char *enumeration, uint64_t number)
{
	const char *name = NULL;

	pthread_mutex_lock(&r->lock);
	if (!late->looked_for && module)
		(void)enum_names_read_module(r->btf, module, enumeration, &late->names, NULL);
	else if (!late->looked_for)
		(void)enum_names_read(r->btf, enumeration, &late->names, NULL);
	late->looked_for = true;
	if (late->names)
		name = enum_names_find(late->names, number);
	pthread_mutex_unlock(&r->lock);
	return name;
}

/* MAC80211_UNUSABLE is of mac80211, OPENVSWITCH of openvswitch. */
static bool is_of(const char *system, const char *module)
{
	return strncasecmp(system, module, strlen(module)) == 0;
}

/* A subsystem's enum has its numbers with all their bits. */
static const char *find_own(struct drop_reasons *r, const char *system, uint64_t number)
{
	for (size_t i = 0; i < ARRAY_SIZE(subsystems); i++) {
		if (is_of(system, subsystems[i].module))
			return find_late(r, &r->own[i], subsystems[i].module,
					 subsystems[i].enumeration, number);
	}
	return NULL;
}

/* False where the kernel has no such subsystem. */
static bool decode_of_subsystem(struct drop_reasons *r, uint64_t number, struct buf *out)
{
	const char *system = find_late(r, &r->systems, NULL, "skb_drop_reason_subsys",
				       number >> SUBSYSTEM_SHIFT);
	const char *name;

	if (!system)
		return false;
	system = strip(system, PREFIX_SUBSYSTEM);
	name = find_own(r, system, number);
	if (name)
		buf_add_str(out, name);
	else
		buf_printf(out, "%s_%" PRIu64, system, number & SUBSYSTEM_REASONS);
	return true;
}

static int decode_drop_reason(const struct decode_env *env, const struct decode_step *step,
			      const void *in, size_t len, struct buf *out)
{
	struct drop_reasons *r = step->state;
	const char *name = NULL;
	uint64_t number;

	(void)env;
	if (decode_parse_decimal(in, len, &number))
		return -EINVAL;
	if (number > SUBSYSTEM_REASONS && decode_of_subsystem(r, number, out))
		return DECODE_OK;
	if (r->core)
		name = enum_names_find(r->core, number);
	else if (number == 0)
		name = PREFIX "NOT_SPECIFIED";
	if (name)
		buf_add_str(out, strip(name, PREFIX));
	else
		buf_printf(out, "unknown:%" PRIu64, number);
	return DECODE_OK;
}

DECODER(drop_reason, .name = "drop_reason",
	.doc = "decimal reason of kfree_skb → the running kernel's name for it, without "
	       "SKB_DROP_REASON_; NOT_SPECIFIED for 0 where it has no reasons; else unknown:N",
	.takes = FORM_DECIMAL, .gives = FORM_NAME, .prepare = prepare_drop_reason,
	.release = release_drop_reason, .decode = decode_drop_reason);
