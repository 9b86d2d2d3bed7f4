// SPDX-License-Identifier: MIT
/* Hook iter: run when metrics are asked for, before the maps that it fills are read. */
#include <linux/bpf.h>
#include <string.h>

#include "base/clock.h"
#include "engine/hook.h"
#include "engine/placement.h"
#include "kernel/iterator.h"

static int check(const struct attach_config *row, const struct object *o,
		 const struct program_info *program, const struct source *source,
		 struct report *report)
{
	struct map_info map;

	if (strncmp(program->section, "iter", strlen("iter")) != 0)
		return report_error(report, source, row->hook_place,
				    "program '%s' is SEC(\"%s\"), and hook 'iter' takes "
				    "SEC(\"iter/…\")",
				    program->name, program->section);
	if (row->map.text && object_find_map(o, row->map.text, &map))
		return report_error(report, source, row->map.place, "the object has no map '%s'",
				    row->map.text);
	return 0;
}

static int attach(const struct hook_request *r, struct error *e)
{
	const struct program_info *program = &r->unit->programs[r->placement->program].info;
	const struct text *name = &r->placement->row.map;
	struct map_info map = {.fd = -1};
	struct attachment a;

	if (name->text)
		object_find_map(r->unit->object, name->text, &map);
	a = (struct attachment){.fd = iterator_attach(program->fd, map.fd, e)};
	if (a.fd < 0)
		return error_prefix(e, "program '%s' (%s)", program->name, program->section);
	return placement_add(r, &a, name->text ? name->text : program->section, e);
}

static const char *mechanism(const struct attachment *a)
{
	(void)a;
	return "iterator";
}

static int run(const struct hook_request *r, struct error *e)
{
	struct placement *p = r->placement;
	uint64_t now = clock_monotonic_ns();

	if (p->n_attachments == 0 || (p->ran_ns && now - p->ran_ns < p->row.interval_ns))
		return 0;
	p->ran_ns = now;
	if (iterator_run(p->attachments[0].fd, e))
		return error_prefix(e, "program '%s'", r->unit->programs[p->program].info.name);
	return 0;
}

const struct hook hook_iter = {
	.section = "SEC(\"iter/…\")",
	.check = check,
	.attach = attach,
	.detach = hook_close,
	.run = run,
	.mechanism = mechanism,
};
