// SPDX-License-Identifier: MIT
/* What runs, what is attached where, what it costs. */
#include <inttypes.h>
#include <linux/bpf.h>
#include <string.h>
#include <unistd.h>

#include "base/capabilities.h"
#include "base/clock.h"
#include "control/operation.h"
#include "decode/hostnames.h"
#include "engine/persistence.h"
#include "engine/privileges.h"
#include "engine/slices.h"
#include "kernel/netnames.h"

static void add_netns_name(const struct unit *u, uint64_t netns, struct buf *text)
{
	if (!netnames_name(u->env->decode.host->netnames, netns, text))
		buf_printf(text, "net:[%" PRIu64 "]", netns);
}

/* "eth0"; of an interface in another network namespace "eth0@blue", as `ip` writes it. */
static json_t *describe_place(const struct unit *u, const struct attachment *at)
{
	_cleanup_buf_ struct buf text = {0};

	buf_add_str(&text, at->where);
	if (at->netns) {
		buf_add_char(&text, '@');
		add_netns_name(u, at->netns, &text);
	}
	return operation_text(buf_str(&text));
}

static json_t *describe_interface(const struct unit *u, const struct attachment *at,
				  const char *mechanism)
{
	json_t *interface =
		json_pack("{s:o, s:i, s:s, s:b, s:b}", "interface", operation_text(at->where),
			  "ifindex", (int)at->ifindex, "mechanism", mechanism, "pinned", at->pinned,
			  "adopted", at->adopted);

	if (at->netns) {
		_cleanup_buf_ struct buf name = {0};

		add_netns_name(u, at->netns, &name);
		json_object_set_new(interface, "netns", operation_text(buf_str(&name)));
	}
	return interface;
}

/* Adds where @p is attached: all of it to @all, what is at interfaces to @interfaces too. */
static void add_attachments(const struct unit *u, const struct placement *p, json_t *all,
			    json_t *interfaces)
{
	const struct hook *hook = hook_get(p->row.hook);

	for (size_t i = 0; i < p->n_attachments; i++) {
		const struct attachment *a = &p->attachments[i];
		const char *mechanism = hook->mechanism(a);
		_cleanup_buf_ struct buf caveat = {0};
		json_t *place = json_pack("{s:s, s:o, s:s}", "hook", attach_hook_name(p->row.hook),
					  "at", describe_place(u, a), "mechanism", mechanism);

		if (hook->caveat)
			hook->caveat(a, &caveat);
		if (caveat.len)
			json_object_set_new(place, "caveat", operation_text(buf_str(&caveat)));
		json_array_append_new(all, place);
		if (hook->by_interface)
			json_array_append_new(interfaces, describe_interface(u, a, mechanism));
	}
}

/* Adds where program @index is attached, and the last error. */
static void add_where(const struct unit *u, size_t index, json_t *program)
{
	json_t *all = json_array(), *interfaces = json_array();

	for (size_t i = 0; i < u->n_placements; i++) {
		const struct placement *p = &u->placements[i];

		if (p->program != index || p->in_slices)
			continue;
		add_attachments(u, p, all, interfaces);
		if (p->error)
			json_object_set_new(program, "error", operation_text(p->error));
	}
	json_object_set_new(program, "attachments", all);
	json_object_set_new(program, "interfaces", interfaces);
}

/* What is to choose an interface, where none is there that it chooses. */
static void add_choice(const struct unit *u, json_t *program)
{
	_cleanup_buf_ struct buf text = {0};

	buf_add_str(&text, "an interface that is chosen by ");
	if (unit_is_nowhere(u, &text))
		json_object_set_new(program, "waits_for", operation_text(buf_str(&text)));
}

static json_t *describe_program(const struct unit *u, size_t index)
{
	const struct unit_program *p = &u->programs[index];
	struct program_stats stats = {0};
	int attached = unit_program_attached(u, index);
	json_t *program =
		json_pack("{s:s, s:s, s:i, s:b}", "name", p->info.name, "section", p->info.section,
			  "id", (int)p->info.id, "loaded", p->info.loaded);

	if (attached >= 0)
		json_object_set_new(program, "attached", json_boolean(attached));
	if (p->probe)
		json_object_set_new(program, "probe", operation_text(p->probe->config->name.text));
	if (p->error)
		json_object_set_new(program, "error", operation_text(p->error));
	if (p->deferred && !p->info.loaded)
		json_object_set_new(program, "waits_for",
				    json_string("the first device without a link layer"));
	add_where(u, index, program);
	if (p->info.loaded && attached < 0)
		add_choice(u, program);
	if (p->info.loaded && !program_stats_read(p->info.fd, &stats) && stats.run_count) {
		json_object_set_new(program, "runs", json_integer((json_int_t)stats.run_count));
		json_object_set_new(program, "ns_per_run",
				    json_real((double)stats.run_time_ns / (double)stats.run_count));
	}
	return program;
}

static json_t *describe_ways(const struct unit *u, const struct probe *p)
{
	_cleanup_free_ char *failure = slices_get_failure(u, p);
	json_t *list = json_array();

	for (size_t i = 0; i < p->config->ways.count; i++) {
		json_t *way =
			json_pack("{s:s}", "mechanism", p->config->ways.items[i].mechanism.text);

		if (p->failures[i].text)
			json_object_set_new(way, "error", operation_text(p->failures[i].text));
		else if (failure && i == p->way)
			json_object_set_new(way, "error", operation_text(failure));
		json_array_append_new(list, way);
	}
	return list;
}

static void describe_use(const struct unit *u, const struct probe *p, json_t *probe)
{
	struct slices_state state;

	slices_get_state(u, p, &state);
	json_object_set_new(probe, "mechanism", json_string(probe_mechanism(p)));
	json_object_set_new(probe, "share", json_real(p->sampling.share));
	json_object_set_new(probe, "held", json_boolean(state.held));
	json_object_set_new(probe, "observed_seconds",
			    json_real((double)state.observed_ns / (double)NSEC_PER_SEC));
}

static json_t *describe_probes(const struct unit *u)
{
	static const char *const states[] = {
		[PROBE_OFF] = "off", [PROBE_USED] = "used", [PROBE_ABSENT] = "not on this kernel"};
	json_t *list = json_array();

	for (size_t i = 0; i < u->n_probes; i++) {
		const struct probe *p = &u->probes[i];
		json_t *probe =
			json_pack("{s:s, s:s, s:s, s:b, s:o}", "module", p->module->config->name,
				  "name", p->config->name.text, "state", states[p->state],
				  "attached", probe_attached(u, p), "ways", describe_ways(u, p));

		if (p->state == PROBE_USED)
			describe_use(u, p, probe);
		json_array_append_new(list, probe);
	}
	return list;
}

static json_t *describe_modules(const struct unit *u)
{
	json_t *list = json_array();

	for (size_t i = 0; i < u->plan->n_modules; i++) {
		const struct config *c = u->plan->modules[i].config;

		json_array_append_new(list,
				      json_pack("{s:s, s:s}", "name", c->name, "description",
						c->description.text ? c->description.text : ""));
	}
	return list;
}

/* An array has all its entries from the start, and an LRU map makes room by itself. */
static bool can_be_full(const struct unit *u, const char *name)
{
	struct map_info map;

	if (object_find_map(u->object, name, &map))
		return false;
	return map.type == BPF_MAP_TYPE_HASH || map.type == BPF_MAP_TYPE_PERCPU_HASH ||
	       map.type == BPF_MAP_TYPE_LPM_TRIE;
}

static json_t *describe_maps(const struct unit *u)
{
	json_t *list = json_array();

	for (size_t i = 0; i < u->n_collectors; i++) {
		const char *name = collector_config(u->collectors[i])->name.text;
		struct collector_counts counts;

		collector_counts(u->collectors[i], &counts);
		if (!counts.max_entries)
			continue;
		json_array_append_new(list,
				      json_pack("{s:s, s:I, s:I, s:b}", "name", name, "entries",
						(json_int_t)counts.entries, "max_entries",
						(json_int_t)counts.max_entries, "full",
						counts.entries >= counts.max_entries &&
							can_be_full(u, name)));
	}
	return list;
}

/* Of a unit that is to outlive the daemon: whether it will, and whether it did. */
static json_t *describe_persistence(const struct unit *u)
{
	const struct persistence *p = &u->persistence;
	const char *error = persistence_error(u);
	_cleanup_buf_ struct buf path = {0};
	json_t *persistence = json_pack("{s:b, s:b}", "pinned", p->pinned, "adopted", p->adopted);

	persistence_add_path(u, &path);
	if (path.len)
		json_object_set_new(persistence, "path", operation_text(buf_str(&path)));
	if (error)
		json_object_set_new(persistence, "error", operation_text(error));
	return persistence;
}

static json_t *describe_unit(struct unit *u)
{
	json_t *programs = json_array(), *unit;
	size_t series = 0;

	for (size_t i = 0; i < u->n_programs; i++)
		json_array_append_new(programs, describe_program(u, i));
	for (size_t i = 0; i < u->n_collectors; i++)
		series += collector_series(u->collectors[i]);
	unit = json_pack("{s:s, s:b, s:o, s:o, s:o, s:o, s:I, s:I, s:I}", "name", u->plan->name,
			 "builtin", u->plan->builtin, "modules", describe_modules(u), "probes",
			 describe_probes(u), "programs", programs, "maps", describe_maps(u),
			 "series", (json_int_t)series, "decoder_errors",
			 (json_int_t)u->decode_errors, "read_errors", (json_int_t)u->read_errors);
	if (plan_is_persistent(u->plan))
		json_object_set_new(unit, "persistence", describe_persistence(u));
	return unit;
}

static json_t *describe_set(uint64_t set)
{
	json_t *list = json_array();
	char name[CAPABILITY_NAME_MAX];

	for (int i = 0; i < 64; i++) {
		if (set & CAPABILITY(i))
			json_array_append_new(list, json_string(capability_name(i, name)));
	}
	return list;
}

/* The modules of the units that want row @index; NULL when none does. */
static json_t *describe_wanting(const struct agent *a, size_t index)
{
	json_t *list;

	if (!privilege_is_wanted(a, index))
		return NULL;
	list = json_array();
	for (size_t i = 0; i < a->n_units; i++) {
		const struct plan *p = a->units[i]->plan;

		for (size_t k = 0; unit_wants_privilege(a->units[i], index) && k < p->n_modules;
		     k++)
			json_array_append_new(list, json_string(p->modules[k].config->name));
	}
	return list;
}

static json_t *describe_wanted(const struct agent *a, uint64_t held)
{
	static const char *const when[] = {[PRIVILEGE_LOAD] = "load", [PRIVILEGE_KEPT] = "kept"};
	json_t *list = json_array();
	const struct privilege *p;
	char name[CAPABILITY_NAME_MAX];

	for (size_t i = 0; (p = privilege_at(i)); i++) {
		json_t *modules = describe_wanting(a, i);
		bool is_held = held & CAPABILITY(p->capability);

		if (modules)
			json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:b, s:b, s:o}",
							      "capability",
							      capability_name(p->capability, name),
							      "why", p->why, "when", when[p->when],
							      "optional", p->is_optional, "held",
							      is_held, "modules", modules));
	}
	return list;
}

static json_t *describe_paths(const struct strv *paths)
{
	json_t *list = json_array();

	for (size_t i = 0; i < paths->count; i++)
		json_array_append_new(list, operation_text(paths->items[i]));
	return list;
}

static json_t *describe_sandbox(const struct sandbox *s)
{
	if (!s || !s->abi)
		return json_pack("{s:b, s:s}", "on", false, "why", s ? s->why_off : "unknown");
	return json_pack("{s:b, s:i, s:o, s:o}", "on", true, "landlock_abi", s->abi, "read",
			 describe_paths(&s->paths.read), "write", describe_paths(&s->paths.write));
}

/* As whom the daemon runs, with which rights, and what wants them. */
static json_t *describe_privileges(const struct agent *a, const struct sandbox *sandbox)
{
	struct capability_sets sets = {0};

	capabilities_read(&sets);
	return json_pack("{s:i, s:i, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "uid",
			 (int)geteuid(), "gid", (int)getegid(), "no_new_privileges",
			 sets.no_new_privileges, "effective", describe_set(sets.effective),
			 "permitted", describe_set(sets.permitted), "inheritable",
			 describe_set(sets.inheritable), "bounding", describe_set(sets.bounding),
			 "ambient", describe_set(sets.ambient), "wanted",
			 describe_wanted(a, sets.effective), "sandbox", describe_sandbox(sandbox));
}

static int run_status(struct operation_call *c, struct error *e)
{
	struct agent *a = c->agent;
	uint64_t up = clock_monotonic_ns() - a->started_ns;
	json_t *units = json_array(), *broken = json_array(), *off = json_array();
	json_t *privileges;

	pthread_mutex_lock(&a->lock);
	for (size_t i = 0; i < a->n_units; i++)
		json_array_append_new(units, describe_unit(a->units[i]));
	for (size_t i = 0; i < a->n_broken; i++)
		json_array_append_new(broken, json_pack("{s:o, s:o}", "name",
							operation_text(a->broken[i].name), "error",
							operation_text(a->broken[i].error.text)));
	for (size_t i = 0; i < a->off.count; i++)
		json_array_append_new(off, json_string(a->off.items[i]));
	privileges = describe_privileges(a, c->reloader ? c->reloader->sandbox : NULL);
	pthread_mutex_unlock(&a->lock);
	(void)e;
	c->answer =
		json_pack("{s:s, s:i, s:f, s:o, s:o, s:o, s:o}", "version", WIREGAUGE_VERSION,
			  "pid", (int)getpid(), "uptime_seconds", (double)up / (double)NSEC_PER_SEC,
			  "units", units, "broken", broken, "off", off, "privileges", privileges);
	return 0;
}

OPERATION(status, .path = "/v1/status", .command = "status", .order = 200,
	  .summary = "What runs, what is attached where, what it costs",
	  .answer = "`{\"version\", \"pid\", \"uptime_seconds\", \"units\": [{\"name\", "
		    "\"modules\", \"probes\", "
		    "\"programs\", \"maps\", …}], \"broken\": [{\"name\", \"error\"}], "
		    "\"privileges\": {\"uid\", \"effective\", …, \"wanted\": [{\"capability\", "
		    "\"why\", \"modules\", \"held\", …}], \"sandbox\": {\"on\", …}}}`",
	  .run = run_status);
