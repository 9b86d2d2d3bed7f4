// SPDX-License-Identifier: MIT
#include "engine/tryout.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "engine/demand.h"
#include "engine/persistence.h"
#include "engine/placement.h"
#include "engine/probe.h"
#include "engine/unit.h"
#include "host/ability.h"
#include "kernel/bpffs.h"
#include "kernel/cgroups.h"
#include "kernel/ksyms.h"
#include "kernel/netspaces.h"

/* Without these a refusal says of the host nothing: some kernels want CAP_SYS_ADMIN for kprobes. */
#define CAPABILITIES "bpf perfmon net_admin sys_admin"

struct tryout {
	const struct tryout_options *options;
	struct unit_env env;
	struct links *links;
	struct netspaces *spaces;
	struct ksyms *ksyms;
	struct cgroups *cgroups;
	struct findings *findings;
	bool needed;
	bool privileged;
	unsigned rank; /* of the next finding */
};

/* ---- what it takes ---- */

static int open_tryout(struct tryout *t, struct error *e)
{
	int err = links_open(&t->links, e);

	if (err)
		return err;
	err = netspaces_new(&t->spaces);
	if (!err)
		err = ksyms_new(&t->ksyms);
	if (!err)
		err = cgroups_new(&t->cgroups);
	if (err)
		return error_set(e, err, "cannot try modules: %s", error_words(err));
	t->env = (struct unit_env){
		.links = t->links,
		.spaces = t->spaces,
		.decode = {.links = t->links,
			   .ksyms = t->ksyms,
			   .cgroups = t->cgroups,
			   .host = t->options->host},
		.btf_path = t->options->btf_path,
		.parts_fd = -1,
		.tryout = true,
	};
	return 0;
}

static void close_tryout(struct tryout *t)
{
	cgroups_free(t->cgroups);
	ksyms_free(t->ksyms);
	netspaces_free(t->spaces);
	links_close(t->links);
}

/* ---- what is said ---- */

/* id "module.tcp" or "module.tcp.rtt" */
static struct finding *add(struct tryout *t, const char *module, const char *probe)
{
	_cleanup_buf_ struct buf id = {0};
	struct finding *f;

	buf_printf(&id, "module.%s%s%s", module, probe ? "." : "", probe ? probe : "");
	f = findings_add(t->findings, FINDING_MODULES, buf_str(&id),
			 buf_str(&id) + strlen("module."));
	f->rank = t->rank++;
	f->needed = t->needed;
	finding_set_family(f, module);
	if (strv_add(&f->users, module, strlen(module)))
		t->findings->failed = true;
	return f;
}

/* Somebody without privileges gets no answer. */
static void set_failed(const struct tryout *t, struct finding *f, const char *text)
{
	finding_set(f, t->privileged ? FINDING_MISSING : FINDING_UNTRIED, "%.*s",
		    (int)strcspn(text, "\n"), text);
	if (!t->privileged)
		finding_advise(f, "run it as root");
}

/* Those that people know: of a pipeline its stages. */
static bool is_named(const struct plan *p, size_t module)
{
	return p->n_modules == 1 || module > 0;
}

static void tell_failure(struct tryout *t, const struct strv *modules, const struct error *why)
{
	for (size_t i = 0; i < modules->count; i++)
		set_failed(t, add(t, modules->items[i], NULL), why->text);
}

/* ---- programs ---- */

struct fate {
	struct strv mechanisms; /* by which they are attached */
	struct buf errors;
	unsigned attached, failed, idle;
};

static void note_mechanism(struct fate *fate, const struct unit *u, const struct placement *p)
{
	const char *section = u->programs[p->program].info.section;
	const char *name = section;
	size_t len = strcspn(section, "/");

	if (p->row.hook != HOOK_SECTION && p->n_attachments) {
		name = hook_get(p->row.hook)->mechanism(&p->attachments[0]);
		len = strlen(name);
	}
	for (size_t i = 0; i < fate->mechanisms.count; i++) {
		if (strlen(fate->mechanisms.items[i]) == len &&
		    memcmp(fate->mechanisms.items[i], name, len) == 0)
			return;
	}
	strv_add(&fate->mechanisms, name, len);
}

static const char *program_error(const struct unit *u, size_t index)
{
	if (u->programs[index].error)
		return u->programs[index].error;
	for (size_t i = 0; i < u->n_placements; i++) {
		if (u->placements[i].program == index && u->placements[i].error)
			return u->placements[i].error;
	}
	return "not attached";
}

/* Its first line: what the verifier says of a program is in the status of a daemon. */
static void add_sentence(struct buf *to, const char *text)
{
	buf_add(to, text, strcspn(text, "\n"));
}

static void note_program(struct fate *fate, const struct unit *u, size_t index)
{
	int attached = unit_program_attached(u, index);

	if (attached < 0) {
		fate->idle += u->programs[index].info.loaded;
		return;
	}
	if (attached == 0) {
		fate->failed++;
		buf_printf(&fate->errors, "%sprogram '%s': ", fate->errors.len ? "; " : "",
			   u->programs[index].info.name);
		add_sentence(&fate->errors, program_error(u, index));
		return;
	}
	fate->attached++;
	for (size_t i = 0; i < u->n_placements; i++) {
		if (u->placements[i].program == index)
			note_mechanism(fate, u, &u->placements[i]);
	}
}

static void add_list(struct buf *to, const struct strv *list)
{
	for (size_t i = 0; i < list->count; i++)
		buf_printf(to, "%s%s", i ? ", " : "", list->items[i]);
}

/* Programs that a ladder of module @module itself has are told with that. */
static bool tells_program(const struct unit *u, size_t module, size_t index)
{
	const struct probe *probe = u->programs[index].probe;

	return demand_is_of(u->plan, module, u->programs[index].info.name) &&
	       !(probe && probe->module == &u->plan->modules[module]);
}

static void judge(struct tryout *t, const char *module, struct fate *fate)
{
	_cleanup_buf_ struct buf how = {0};
	struct finding *f;

	if (!fate->attached && !fate->failed && !fate->idle)
		return;
	f = add(t, module, NULL);
	add_list(&how, &fate->mechanisms);
	if (fate->failed && fate->attached)
		finding_set(f, FINDING_DEGRADED, "attached by %s, but not all of it: %s",
			    buf_str(&how), buf_str(&fate->errors));
	else if (fate->failed)
		set_failed(t, f, buf_str(&fate->errors));
	else if (fate->idle && !t->options->scratch)
		finding_set(f, FINDING_UNTRIED, "its programs are taken; to attach them: %s",
			    t->options->error->text);
	else if (fate->attached)
		finding_set(f, FINDING_OK, "attached by %s", buf_str(&how));
	else
		finding_set(f, FINDING_OK, "its programs are taken");
}

static void tell_programs(struct tryout *t, const struct unit *u, size_t module)
{
	struct fate fate = {0};

	for (size_t i = 0; i < u->n_programs; i++) {
		if (tells_program(u, module, i))
			note_program(&fate, u, i);
	}
	judge(t, u->plan->modules[module].config->name, &fate);
	strv_free(&fate.mechanisms);
	buf_free(&fate.errors);
}

/* ---- ladders ---- */

/* Why the ways before @end are not used. */
static void add_failures(struct buf *to, const struct probe *p, size_t end)
{
	for (size_t i = 0; i < end; i++) {
		const char *text = p->failures[i].text;

		buf_printf(to, "; not by %s: ", p->config->ways.items[i].mechanism.text);
		add_sentence(to, text ? text : "not on this kernel");
	}
}

static void tell_probe(struct tryout *t, const char *module, const struct probe *p)
{
	_cleanup_buf_ struct buf why = {0};
	const struct way_config *way;
	struct finding *f;

	if (p->state == PROBE_OFF)
		return;
	f = add(t, module, p->config->name.text);
	add_failures(&why, p, p->state == PROBE_ABSENT ? p->config->ways.count : p->way);
	if (p->state == PROBE_ABSENT) {
		set_failed(t, f, why.len ? buf_str(&why) + strlen("; ") : "no way to it");
		return;
	}
	way = &p->config->ways.items[p->way];
	if (way->loses.text)
		finding_set(f, FINDING_DEGRADED, "by %s, so %s%s", way->mechanism.text,
			    way->loses.text, buf_str(&why));
	else
		finding_set(f, FINDING_OK, "by %s", way->mechanism.text);
}

/* Of module @module of its plan; those of a pipeline are each stage's. */
static void tell_probes(struct tryout *t, const struct unit *u, size_t module)
{
	const struct module *m = &u->plan->modules[module];

	for (size_t i = 0; i < u->n_probes; i++) {
		if (u->probes[i].module == m || u->probes[i].module == m->owner)
			tell_probe(t, m->config->name, &u->probes[i]);
	}
}

/* ---- what outlives the daemon ---- */

static void tell_persistence(struct tryout *t, const struct unit *u, const char *module)
{
	_cleanup_free_ char *where = NULL;
	struct finding *f;

	if (!plan_is_persistent(u->plan))
		return;
	f = add(t, module, "persistent");
	if (!bpffs_find(false, &where, NULL)) {
		finding_set(f, FINDING_OK, "outlives the daemon, in %s", where);
		return;
	}
	finding_set(f, FINDING_DEGRADED,
		    "no bpffs is mounted: unless the daemon may mount one, it ends with the "
		    "daemon");
	finding_advise(f, "mount -t bpf bpffs /sys/fs/bpf");
}

/* ---- a plan ---- */

/* All that is for interfaces goes to the one that is there for it. */
static int send_to_scratch(struct unit *u, const struct scratch *scratch)
{
	const char *name = scratch ? scratch->name : "";

	for (size_t i = 0; i < u->n_placements; i++) {
		struct placement *p = &u->placements[i];

		if (!hook_get(p->row.hook)->by_interface)
			continue;
		strv_free(&p->interfaces);
		strv_free(&p->netns);
		if (strv_add(&p->interfaces, name, strlen(name)))
			return -ENOMEM;
	}
	return 0;
}

static int start(struct tryout *t, struct unit *u, struct error *e)
{
	const struct scratch *scratch = t->options->scratch;
	struct link_info link;
	int err = send_to_scratch(u, scratch);

	if (err)
		return error_set(e, err, "no memory");
	err = unit_start(u, e);
	if (!err && scratch && links_get(t->links, scratch->ifindex, &link))
		unit_link_event(u, LINK_ADDED, &link);
	return err;
}

static void tell_unit(struct tryout *t, const struct unit *u)
{
	for (size_t i = 0; i < u->plan->n_modules; i++) {
		if (!is_named(u->plan, i))
			continue;
		tell_programs(t, u, i);
		tell_probes(t, u, i);
		tell_persistence(t, u, u->plan->modules[i].config->name);
	}
}

static int list_modules(const struct plan *p, struct strv *to)
{
	int err = 0;

	for (size_t i = 0; !err && i < p->n_modules; i++) {
		const char *name = p->modules[i].config->name;

		if (is_named(p, i))
			err = strv_add(to, name, strlen(name));
	}
	return err;
}

/* @plan is taken over. */
static int try_plan(struct tryout *t, struct plan *plan, struct error *e)
{
	_cleanup_report_ struct report report = {0};
	_cleanup_strv_ struct strv modules = {0};
	struct unit *u = NULL;
	struct error why;

	if (list_modules(plan, &modules)) {
		plan_free(plan);
		return error_set(e, -ENOMEM, "no memory");
	}
	if (unit_load(plan, &t->env, NULL, &report, &u, &why) || start(t, u, &why))
		tell_failure(t, &modules, &why);
	else
		tell_unit(t, u);
	unit_free(u);
	return 0;
}

int tryout_run(const struct tryout_options *options, struct plans *plans, bool needed,
	       struct findings *f, struct error *e)
{
	struct tryout t = {.options = options, .findings = f, .needed = needed};
	int err = open_tryout(&t, e);
	char lacks[64];

	t.privileged = capabilities_held(CAPABILITIES, lacks);
	t.rank = (unsigned)f->count;
	for (size_t i = 0; !err && i < plans->count; i++)
		err = try_plan(&t, TAKE_PTR(plans->items[i]), e);
	close_tryout(&t);
	return err;
}
