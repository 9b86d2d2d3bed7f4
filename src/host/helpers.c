// SPDX-License-Identifier: MIT
#include "host/helpers.h"

#include <bpf/btf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>

#include "kernel/kernel_btf.h"
#include "kernel/tiny_program.h"

enum { RANK = 130 * ABILITY_ROWS_MAX }; /* behind the kinds of maps */

#define NAME(name) #name
static const char *const names[] = {__BPF_FUNC_MAPPER(NAME)};

/* Where a program of tracing is tried: a place that each kernel has. */
static const struct {
	uint32_t attach_type;
	const char *name;
	uint32_t kind;
} places[] = {
	{BPF_TRACE_RAW_TP, "btf_trace_sched_process_exec", BTF_KIND_TYPEDEF},
	{BPF_TRACE_ITER, "bpf_iter_bpf_map", BTF_KIND_FUNC},
};

/* Those that are at functions may call what those at tracepoints may, and are not taken by all
 * kernels that know the helper. */
static uint32_t attach_type_of(const struct helper_use *use)
{
	if (use->type != BPF_PROG_TYPE_TRACING)
		return use->attach_type;
	return use->attach_type == BPF_TRACE_ITER ? BPF_TRACE_ITER : BPF_TRACE_RAW_TP;
}

static uint32_t find_place(const struct ability_env *env, uint32_t attach_type)
{
	const struct btf *btf = kernel_btf_get_running(env->btf);

	for (size_t i = 0; btf && i < ARRAY_SIZE(places); i++) {
		int id;

		if (places[i].attach_type != attach_type)
			continue;
		id = btf__find_by_name_kind(btf, places[i].name, places[i].kind);
		return id > 0 ? (uint32_t)id : 0;
	}
	return 0;
}

static void judge(struct finding *f, int answer)
{
	char lacks[64];

	if (answer > 0) {
		finding_set(f, FINDING_OK, "programs may call it");
	} else if (answer == 0) {
		finding_set(f, FINDING_MISSING,
			    "this kernel has no such helper, or lets nobody call it (lockdown): "
			    "programs that can do without it");
	} else if ((answer == -EPERM || answer == -EACCES) &&
		   !capabilities_held("bpf perfmon net_admin", lacks)) {
		finding_set(f, FINDING_UNTRIED, "whether programs may call it; to try it takes %s",
			    lacks);
		finding_advise(f, "run it as root");
	} else {
		finding_set(f, FINDING_MISSING, "the programs that call it are not taken: %s",
			    error_words(answer));
	}
}

void helper_try(const struct ability_env *env, const struct helper_use *use, struct findings *f)
{
	struct tiny_program program = {.type = use->type, .attach_type = attach_type_of(use)};
	const char *name = use->helper < ARRAY_SIZE(names) ? names[use->helper] : "unknown";
	struct finding *finding;
	char id[128];

	snprintf(id, sizeof(id), "helper.%s", name);
	finding = findings_add(f, FINDING_KERNEL, id, name);
	finding->rank = RANK;
	finding_set_family(finding, "helpers");
	if (strv_add_all(&finding->users, &use->users))
		f->failed = true;
	if (use->type == BPF_PROG_TYPE_TRACING)
		program.btf_id = find_place(env, program.attach_type);
	judge(finding, tiny_program_may_call(&program, use->helper));
}
