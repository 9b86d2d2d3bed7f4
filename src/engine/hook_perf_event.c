// SPDX-License-Identifier: MIT
/* Hook perf_event: a perf event on each CPU that is online. */
#include <linux/bpf.h>
#include <stdio.h>

#include "engine/hook.h"
#include "engine/placement.h"
#include "kernel/perf_event.h"

static int check(const struct attach_config *row, const struct object *o,
		 const struct program_info *program, const struct source *source,
		 struct report *report)
{
	struct perf_event_attr attr;
	struct error error;

	(void)o, (void)program;
	if (perf_event_parse(row->event.text, &attr, &error))
		return report_error(report, source, row->event.place, "%s", error.text);
	return 0;
}

static int attach_on(const struct hook_request *r, const struct perf_event_attr *attr, int cpu,
		     struct error *e)
{
	struct attachment a = {.fd = perf_event_attach(attr, cpu, hook_program_fd(r), e)};
	char where[24];

	if (a.fd < 0)
		return a.fd;
	snprintf(where, sizeof(where), "cpu %d", cpu);
	return placement_add(r, &a, where, e);
}

static int attach(const struct hook_request *r, struct error *e)
{
	const struct program_info *program = &r->unit->programs[r->placement->program].info;
	struct perf_event_attr attr;
	int err = perf_event_parse(r->placement->row.event.text, &attr, e);

	for (int cpu = 0; !err && (cpu = perf_event_next_cpu(cpu)) >= 0; cpu++)
		err = attach_on(r, &attr, cpu, e);
	if (!err)
		return 0;
	placement_detach_all(r->unit, r->placement);
	return error_prefix(e, "program '%s'", program->name);
}

static const char *mechanism(const struct attachment *a)
{
	(void)a;
	return "perf event";
}

const struct hook hook_perf_event = {
	.types = HOOK_TYPE(BPF_PROG_TYPE_PERF_EVENT),
	.section = "SEC(\"perf_event\")",
	.check = check,
	.attach = attach,
	.detach = hook_close,
	.mechanism = mechanism,
};
