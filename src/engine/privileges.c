// SPDX-License-Identifier: MIT
#include "engine/privileges.h"

#include <linux/bpf.h>
#include <linux/capability.h>
#include <stdlib.h>

#include "base/capabilities.h"
#include "base/file.h"
#include "engine/agent.h"
#include "engine/part.h"
#include "engine/placement.h"
#include "engine/probe.h"
#include "kernel/compat.h"

/* ---- what units have ---- */

typedef bool (*wants_fn)(const struct unit *u);

static bool has_type(const struct unit *u, uint64_t types)
{
	for (size_t i = 0; i < u->n_programs; i++) {
		if (u->programs[i].info.loaded && types & HOOK_TYPE(u->programs[i].info.type))
			return true;
	}
	return false;
}

static bool always(const struct unit *u)
{
	(void)u;
	return true;
}

static bool uses_bpf_later(const struct unit *u)
{
	return u->env->bpf_takes_capability;
}

/* What the kernel asks CAP_NET_ADMIN for: is_net_admin_prog_type() of kernel/bpf/syscall.c, as far
 * as there are hooks for it. */
static bool has_network_programs(const struct unit *u)
{
	return has_type(u, HOOK_TYPE(BPF_PROG_TYPE_SCHED_CLS) | HOOK_TYPE(BPF_PROG_TYPE_SCHED_ACT) |
				   HOOK_TYPE(BPF_PROG_TYPE_XDP) |
				   HOOK_TYPE(COMPAT_BPF_PROG_TYPE_NETFILTER) |
				   HOOK_TYPE(BPF_PROG_TYPE_CGROUP_SOCK) |
				   HOOK_TYPE(BPF_PROG_TYPE_CGROUP_SOCK_ADDR) |
				   HOOK_TYPE(BPF_PROG_TYPE_CGROUP_SOCKOPT) |
				   HOOK_TYPE(BPF_PROG_TYPE_CGROUP_SYSCTL) |
				   HOOK_TYPE(BPF_PROG_TYPE_CGROUP_DEVICE) |
				   HOOK_TYPE(BPF_PROG_TYPE_CGROUP_SKB) |
				   HOOK_TYPE(BPF_PROG_TYPE_SOCK_OPS));
}

static bool has_filters(const struct unit *u)
{
	for (size_t i = 0; i < u->n_placements; i++) {
		const struct placement *p = &u->placements[i];
		bool at_tc = p->row.hook == HOOK_TC_INGRESS || p->row.hook == HOOK_TC_EGRESS;

		if (at_tc && u->env->tc_uses_filters)
			return true;
	}
	return false;
}

/* Attached again and again by perf_event_open(2), which asks each time; a link of another kind
 * asks nobody who has its program. */
static bool has_sampled_kprobes(const struct unit *u)
{
	for (size_t i = 0; i < u->n_placements; i++) {
		const struct placement *p = &u->placements[i];
		const struct program_info *program = &u->programs[p->program].info;

		if (p->in_slices && program->loaded && program->type == BPF_PROG_TYPE_KPROBE)
			return true;
	}
	return false;
}

static bool way_has_kprobes(const struct unit *u, const struct way_config *way)
{
	for (size_t i = 0; i < way->programs.count; i++) {
		struct program_info info;

		if (!object_find_program(u->object, way->programs.items[i].text, &info) &&
		    info.type == BPF_PROG_TYPE_KPROBE)
			return true;
	}
	return false;
}

/* Whether a probe goes such a way, or could not. */
static bool probe_wants_kprobes(const struct unit *u, const struct probe *p)
{
	for (size_t i = 0; i < p->config->ways.count; i++) {
		bool used = p->state == PROBE_USED && p->way == i;

		if ((used || p->failures[i].text) && way_has_kprobes(u, &p->config->ways.items[i]))
			return true;
	}
	return false;
}

/* Debian's kernels have a level of their own, 3, that lets nobody in but CAP_SYS_ADMIN. */
static bool perf_event_is_closed(void)
{
	char text[16];

	return file_read_short("/proc/sys/kernel/perf_event_paranoid", text, sizeof(text)) > 0 &&
	       strtol(text, NULL, 10) > 2;
}

static bool has_closed_kprobes(const struct unit *u)
{
	bool wants = false;

	for (size_t i = 0; i < u->n_probes; i++)
		wants |= probe_wants_kprobes(u, &u->probes[i]);
	for (size_t i = 0; i < u->n_programs; i++) {
		const struct unit_program *p = &u->programs[i];

		wants |= !p->probe && p->info.loaded &&
			 (p->info.type == BPF_PROG_TYPE_KPROBE ||
			  p->info.type == BPF_PROG_TYPE_PERF_EVENT);
	}
	return wants && perf_event_is_closed();
}

static bool is_dispatched(const struct unit *u)
{
	for (size_t i = 0; i < u->n_placements; i++) {
		const struct placement *p = &u->placements[i];

		for (size_t k = 0; p->row.hook == HOOK_XDP && k < p->n_attachments; k++) {
			if (p->attachments[k].xdp.is_dispatched)
				return true;
		}
	}
	return false;
}

static bool leaves_own_netns(const struct unit *u)
{
	return plan_leaves_own_netns(u->plan);
}

static bool has_tracefs_programs(const struct unit *u)
{
	return has_type(u, HOOK_TYPE(BPF_PROG_TYPE_TRACEPOINT));
}

static bool label_reads_symbols(const struct module *m, const struct label_config *label)
{
	if (label->when.text && !module_option_is_on(m, label->when.text))
		return false;
	for (size_t i = 0; i < label->decoders.count; i++) {
		const struct decoder *d = decoder_find(label->decoders.items[i].name.text);

		if (d && d->reads_symbols)
			return true;
	}
	return false;
}

static bool module_reads_symbols(const struct module *m)
{
	const struct config *c = m->config;

	if (c->kaddrs.count)
		return true;
	for (size_t i = 0; i < c->metrics.count; i++) {
		const struct metric_config *metric = &c->metrics.items[i];

		for (size_t k = 0; k < metric->labels.count; k++) {
			if (label_reads_symbols(m, &metric->labels.items[k]))
				return true;
		}
	}
	return false;
}

static bool reads_symbols(const struct unit *u)
{
	for (size_t i = 0; i < u->plan->n_modules; i++) {
		if (module_reads_symbols(&u->plan->modules[i]))
			return true;
	}
	return false;
}

/* ---- the table ---- */

static const struct row {
	struct privilege privilege;
	wants_fn wants;
} rows[] = {
	{{CAP_BPF, PRIVILEGE_LOAD, "makes maps, loads programs"}, always},
	{{CAP_BPF, PRIVILEGE_KEPT, "reads maps: this kernel asks everybody who does for it"},
	 uses_bpf_later},
	{{CAP_BPF, PRIVILEGE_KEPT, "makes maps for lists that change"}, parts_make_maps},
	{{CAP_PERFMON, PRIVILEGE_LOAD, "loads programs that trace, or that compute addresses"},
	 always},
	{{CAP_PERFMON, PRIVILEGE_KEPT, "attaches sampled kprobes again and again"},
	 has_sampled_kprobes},
	{{CAP_NET_ADMIN, PRIVILEGE_LOAD, "loads programs that packets go through"},
	 has_network_programs},
	{{CAP_NET_ADMIN, PRIVILEGE_KEPT,
	  "filters (clsact) at interfaces that come later, and removes them at the end"},
	 has_filters},
	{{CAP_SYS_ADMIN, PRIVILEGE_LOAD,
	  "opens kprobes while kernel.perf_event_paranoid is above 2, Debian's default", true},
	 has_closed_kprobes},
	{{CAP_SYS_ADMIN, PRIVILEGE_LOAD, "goes into libxdp's dispatcher, and out of it"},
	 is_dispatched},
	{{CAP_SYS_ADMIN, PRIVILEGE_KEPT, "enters other network namespaces"}, leaves_own_netns},
	{{CAP_NET_ADMIN, PRIVILEGE_KEPT, "hears of interfaces in other network namespaces"},
	 leaves_own_netns},
	{{CAP_NET_BROADCAST, PRIVILEGE_KEPT, "hears of interfaces in other network namespaces"},
	 leaves_own_netns},
	{{CAP_SYS_PTRACE, PRIVILEGE_KEPT,
	  "finds network namespaces without a name, at the processes in them", true},
	 leaves_own_netns},
	{{CAP_SYSLOG, PRIVILEGE_KEPT, "reads addresses of kernel symbols", true}, reads_symbols},
	{{CAP_DAC_READ_SEARCH, PRIVILEGE_LOAD, "reads numbers of tracepoints in the tracefs", true},
	 has_tracefs_programs},
};

const struct privilege *privilege_at(size_t index)
{
	return index < ARRAY_SIZE(rows) ? &rows[index].privilege : NULL;
}

bool unit_wants_privilege(const struct unit *u, size_t index)
{
	return rows[index].wants(u);
}

bool privilege_is_wanted(const struct agent *a, size_t index)
{
	for (size_t i = 0; i < a->n_units; i++) {
		if (rows[index].wants(a->units[i]))
			return true;
	}
	return false;
}

uint64_t privileges_possible(void)
{
	uint64_t all = 0;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		all |= CAPABILITY(rows[i].privilege.capability);
	return all;
}

uint64_t privileges_wanted(const struct agent *a, bool kept_only)
{
	uint64_t wanted = 0;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct privilege *p = &rows[i].privilege;

		if ((!kept_only || p->when == PRIVILEGE_KEPT) && privilege_is_wanted(a, i))
			wanted |= CAPABILITY(p->capability);
	}
	return wanted;
}
