// SPDX-License-Identifier: MIT
#include "kernel/tiny_program.h"

#include <bpf/bpf.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/macro.h"
#include "kernel/libbpf_log.h"

static int load(const struct tiny_program *p, const struct bpf_insn *insns, size_t n, char *log,
		size_t log_size)
{
	_cleanup_libbpf_log_ struct libbpf_log said;
	LIBBPF_OPTS(bpf_prog_load_opts, options,
		    .expected_attach_type = (enum bpf_attach_type)p->attach_type,
		    .attach_btf_id = p->btf_id, .prog_flags = p->flags, .log_buf = log,
		    .log_size = (uint32_t)log_size, .log_level = log ? 1 : 0);

	libbpf_log_begin(&said);
	return bpf_prog_load((enum bpf_prog_type)p->type, NULL, "GPL", insns, n, &options);
}

int tiny_program_load(const struct tiny_program *p)
{
	const struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = p->result},
		{.code = BPF_JMP | BPF_EXIT},
	};

	return load(p, insns, ARRAY_SIZE(insns), NULL, 0);
}

/* What the verifier says of a helper that it does not know, or does not give to such programs; of
 * one that it knows it only finds fault with the arguments, as there are none. */
static bool is_refusal(const char *log)
{
	static const char *const sentences[] = {"invalid func ", "unknown func ",
						"cannot use helper"};

	for (size_t i = 0; i < ARRAY_SIZE(sentences); i++) {
		if (strstr(log, sentences[i]))
			return true;
	}
	return false;
}

int tiny_program_may_call(const struct tiny_program *p, uint32_t helper)
{
	const struct bpf_insn insns[] = {
		{.code = BPF_JMP | BPF_CALL, .imm = (int32_t)helper},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = p->result},
		{.code = BPF_JMP | BPF_EXIT},
	};
	char log[4096] = "";
	int fd = load(p, insns, ARRAY_SIZE(insns), log, sizeof(log));

	if (fd >= 0) {
		close(fd);
		return 1;
	}
	if (!*log)
		return fd;
	return !is_refusal(log);
}
