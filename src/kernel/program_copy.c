// SPDX-License-Identifier: MIT
#include "kernel/program_copy.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <string.h>

enum { FUNCTIONS_MAX = 256 }; /* BPF_MAX_SUBPROGS of include/linux/bpf_verifier.h */

/* Where functions begin, ascending. */
struct starts {
	uint32_t at[FUNCTIONS_MAX];
	size_t count;
	bool are_too_many;
};

static void add_start(struct starts *s, uint32_t at)
{
	size_t i = s->count;

	while (i > 0 && s->at[i - 1] > at)
		i--;
	if (i > 0 && s->at[i - 1] == at)
		return;
	if (s->count == FUNCTIONS_MAX) {
		s->are_too_many = true;
		return;
	}
	memmove(&s->at[i + 1], &s->at[i], (s->count - i) * sizeof(s->at[0]));
	s->at[i] = at;
	s->count++;
}

static bool is_wide(const struct bpf_insn *insn)
{
	return insn->code == (BPF_LD | BPF_IMM | BPF_DW);
}

/* A call of a function of the program's own, or its address, for a helper to call. */
static bool names_function(const struct bpf_insn *insn)
{
	if (is_wide(insn))
		return insn->src_reg == BPF_PSEUDO_FUNC;
	return insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == BPF_PSEUDO_CALL;
}

static void find_starts(const struct bpf_insn *insns, size_t count, struct starts *s)
{
	add_start(s, 0);
	for (size_t i = 0; i < count; i++) {
		if (names_function(&insns[i]))
			add_start(s, (uint32_t)(i + 1 + (size_t)insns[i].imm));
		i += is_wide(&insns[i]);
	}
}

/*
 * Which function has which type, as the kernel has it of the program: without, the verifier follows
 * a function from each of its callers anew, also one that it could look at once (a global one), and
 * what it has the patience for comes to an end. Where they stand it says of the code as it is after
 * that; in what order is the same. False: functions are missing there, as nothing reaches them.
 */
static bool fill_functions(int program, const struct starts *s,
			   struct bpf_func_info functions[FUNCTIONS_MAX])
{
	struct bpf_prog_info info = {
		.func_info = (uintptr_t)functions,
		.nr_func_info = FUNCTIONS_MAX,
		.func_info_rec_size = sizeof(functions[0]),
	};
	uint32_t size = sizeof(info);

	if (bpf_obj_get_info_by_fd(program, &info, &size) || s->are_too_many ||
	    info.nr_func_info != s->count || info.func_info_rec_size != sizeof(functions[0]))
		return false;
	for (size_t i = 0; i < s->count; i++)
		functions[i].insn_off = s->at[i];
	return true;
}

static const char *license_of(int program)
{
	struct bpf_prog_info info = {};
	uint32_t size = sizeof(info);

	return bpf_obj_get_info_by_fd(program, &info, &size) == 0 && info.gpl_compatible ? "GPL"
											 : "";
}

int program_copy(const struct bpf_program *p, int btf_fd, uint32_t flags, uint32_t attach_type)
{
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = attach_type,
		    .prog_flags = flags);
	const struct bpf_insn *insns = bpf_program__insns(p);
	size_t count = bpf_program__insn_cnt(p);
	struct bpf_func_info functions[FUNCTIONS_MAX];
	struct starts starts = {.count = 0};

	find_starts(insns, count, &starts);
	if (btf_fd >= 0 && fill_functions(bpf_program__fd(p), &starts, functions)) {
		options.prog_btf_fd = (uint32_t)btf_fd;
		options.func_info = functions;
		options.func_info_cnt = (uint32_t)starts.count;
		options.func_info_rec_size = sizeof(functions[0]);
	}
	return bpf_prog_load(bpf_program__type(p), bpf_program__name(p),
			     license_of(bpf_program__fd(p)), insns, count, &options);
}
