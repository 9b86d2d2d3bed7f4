// SPDX-License-Identifier: MIT
#include "kernel/reason.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "kernel/mounts.h"

#define KALLSYMS    "/proc/kallsyms"
#define KPROBE_PMU  "/sys/bus/event_source/devices/kprobe"
#define LSM_LIST    "/sys/kernel/security/lsm"
#define LSM_BOOTARG "lsm="

/* --- functions of the kernel --- */

enum { SYMBOL_SIZE = 256 };

/* Whether @symbol is what a compiler makes of @function: "f.constprop.0", "f.isra.0" … */
static bool is_variant(const char *symbol, const char *function)
{
	size_t len = strlen(function);

	return strncmp(symbol, function, len) == 0 && symbol[len] == '.';
}

/* Whether the kernel has @function by just that name; if not, what became of it into @variant. */
static bool find_function(const char *function, char variant[SYMBOL_SIZE])
{
	FILE *file = fopen(KALLSYMS, "re");
	char line[512], symbol[SYMBOL_SIZE];
	bool found = false;

	variant[0] = '\0';
	while (file && !found && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%*s %*c %255s", symbol) != 1)
			continue;
		found = STREQ(symbol, function);
		if (is_variant(symbol, function))
			snprintf(variant, SYMBOL_SIZE, "%s", symbol);
	}
	if (file)
		fclose(file);
	return found;
}

static void say_function(struct buf *b, const char *function)
{
	char variant[SYMBOL_SIZE];

	if (find_function(function, variant))
		buf_printf(b, "this kernel has the function '%s', but does not let it be traced",
			   function);
	else if (*variant)
		buf_printf(b,
			   "this kernel has '%s' in the place of '%s', which the compiler changed",
			   variant, function);
	else
		buf_printf(b,
			   "this kernel has no function '%s'; it may have another name in this "
			   "version, or be inlined",
			   function);
}

bool reason_no_kprobes(void)
{
	return access(KPROBE_PMU, F_OK) != 0;
}

static bool say_missing_kprobes(struct buf *b)
{
	if (!reason_no_kprobes())
		return false;
	buf_add_str(b, "this kernel has no kprobes (CONFIG_KPROBE_EVENTS)");
	return true;
}

static void say_kprobe(struct buf *b, const char *function)
{
	if (!say_missing_kprobes(b))
		say_function(b, function);
}

static void say_kprobe_multi(struct buf *b, const char *pattern)
{
	if (!say_missing_kprobes(b))
		buf_printf(b,
			   "no function of this kernel that can be probed matches '%s' (tracefs: "
			   "available_filter_functions)",
			   pattern);
}

static void say_no_kprobe_multi(struct buf *b, const char *pattern)
{
	(void)pattern;
	if (!say_missing_kprobes(b))
		buf_add_str(b, "this kernel cannot probe several functions at once (Linux 5.18 "
			       "with CONFIG_FPROBE can)");
}

static void say_ksyscall(struct buf *b, const char *syscall)
{
	if (!say_missing_kprobes(b))
		buf_printf(b, "this kernel has no system call '%s'", syscall);
}

static void say_tracepoint(struct buf *b, const char *tracepoint)
{
	_cleanup_free_ char *tracefs = NULL;

	if (mounts_find("tracefs", &tracefs) == -ENOENT)
		buf_add_str(b, "tracefs is not mounted: mount -t tracefs tracefs "
			       "/sys/kernel/tracing (or use raw_tp/, which needs none)");
	else
		buf_printf(b, "this kernel has no tracepoint '%s'", tracepoint);
}

/* --- the rules --- */

#define TRAMPOLINES                                                                                \
	"the kernel, or what confines this process, refuses fentry, fexit, fmod_ret and lsm "      \
	"programs; kprobe/, tp_btf/ or raw_tp/ may do in their place"

#define MAP_ENTRIES                                                                                \
	"the kernel, or what confines this process, refuses iterators over the entries of maps; "  \
	"iter/bpf_map with bpf_for_each_map_elem() does in their place (Linux 5.13)"

/* The first that fits. */
static const struct rule {
	const char *section; /* what SEC() begins with */
	int code;            /* 0: any but EPERM */
	const char *message; /* of libbpf; NULL: any */
	enum exit_code exit;
	const char *text;
	void (*say)(struct buf *b, const char *target); /* in its place */
} rules[] = {
	{"fentry", -EPERM, NULL, EXIT_DENIED, TRAMPOLINES},
	{"fexit", -EPERM, NULL, EXIT_DENIED, TRAMPOLINES},
	{"fmod_ret", -EPERM, NULL, EXIT_DENIED, TRAMPOLINES},
	{"lsm", -EPERM, NULL, EXIT_DENIED, TRAMPOLINES},
	{"iter/bpf_map_elem", -EPERM, NULL, EXIT_DENIED, MAP_ENTRIES},
	{"", 0, "-- END PROG LOAD LOG --", EXIT_FAILED, "the kernel's verifier refuses a program"},
	{"", 0, "missing BPF prog type", EXIT_USAGE,
	 "no kind of program that is known here has such a SEC()"},
	{"tp_btf", 0, "failed to find kernel BTF type ID of", EXIT_HOST_LACKS,
	 "this kernel has no such tracepoint"},
	{"lsm", 0, "failed to find kernel BTF type ID of", EXIT_HOST_LACKS,
	 "this kernel has no such LSM hook, or no LSM for BPF (CONFIG_BPF_LSM)"},
	{"iter", 0, "failed to find kernel BTF type ID of", EXIT_HOST_LACKS,
	 "this kernel has no such iterator"},
	{"f", 0, "failed to find kernel BTF type ID of", EXIT_HOST_LACKS, NULL, say_function},
	{"", 0, "failed to find kernel BTF type ID of", EXIT_HOST_LACKS,
	 "this kernel has no such tracepoint or function"},
	{"raw_t", 0, "failed to attach to raw tracepoint", EXIT_HOST_LACKS,
	 "this kernel has no such tracepoint"},
	{"t", 0, "failed to determine tracepoint", EXIT_HOST_LACKS, NULL, say_tracepoint},
	{"kprobe.multi", -ENOENT, NULL, EXIT_HOST_LACKS, NULL, say_kprobe_multi},
	{"kretprobe.multi", -ENOENT, NULL, EXIT_HOST_LACKS, NULL, say_kprobe_multi},
	{"kprobe.multi", -EINVAL, NULL, EXIT_HOST_LACKS, NULL, say_no_kprobe_multi},
	{"kretprobe.multi", -EINVAL, NULL, EXIT_HOST_LACKS, NULL, say_no_kprobe_multi},
	{"kprobe.multi", -EOPNOTSUPP, NULL, EXIT_HOST_LACKS, NULL, say_no_kprobe_multi},
	{"kretprobe.multi", -EOPNOTSUPP, NULL, EXIT_HOST_LACKS, NULL, say_no_kprobe_multi},
	{"ksyscall", -ENOENT, NULL, EXIT_HOST_LACKS, NULL, say_ksyscall},
	{"kretsyscall", -ENOENT, NULL, EXIT_HOST_LACKS, NULL, say_ksyscall},
	/* Debian's kernels have a level of their own, and begin with it. */
	{"k", -EACCES, "perf event", EXIT_DENIED,
	 "kernel.perf_event_paranoid is above 2, where it takes CAP_SYS_ADMIN; with 2, CAP_PERFMON "
	 "does"},
	{"k", 0, "failed to create k", EXIT_HOST_LACKS, NULL, say_kprobe},
	{"k", 0, "failed to add legacy kprobe", EXIT_HOST_LACKS, NULL, say_kprobe},
	{"u", 0, "failed to find symbol", EXIT_HOST_LACKS,
	 "the file has no such function (one that is stripped has only what it exports)"},
	{"u", -ENOENT, "failed to open", EXIT_HOST_LACKS, "there is no such file"},
	{"usdt", 0, "failed to find USDT support BPF maps", EXIT_USAGE,
	 "its source must include <bpf/usdt.bpf.h>"},
	{"usdt", -ENOENT, NULL, EXIT_HOST_LACKS, "the file has no such probe"},
	{"usdt", -EOPNOTSUPP, "without specific PID", EXIT_HOST_LACKS,
	 "this kernel cannot tell apart the probes of files that are loaded anywhere, shared "
	 "libraries and position-independent programs (Linux 5.15 can)"},
};

/* What comes after these in the log only follows from them. */
int reason_shortage(int code, struct libbpf_log *log)
{
	if (code == -EPERM)
		return 0;
	if (libbpf_log_has(log, "Too many open files"))
		return -EMFILE;
	return libbpf_log_has(log, "Cannot allocate memory") ? -ENOMEM : 0;
}

static bool fits(const struct rule *r, const char *section, int code, struct libbpf_log *log)
{
	return strncmp(section, r->section, strlen(r->section)) == 0 &&
	       (r->code ? r->code == code : code != -EPERM) &&
	       (!r->message || libbpf_log_has(log, r->message));
}

/* "tcp_connect" of "kprobe/tcp_connect+0x10" */
static char *target_of(const char *section)
{
	const char *slash = strchr(section, '/');

	return slash ? strndup(slash + 1, strcspn(slash + 1, "+")) : strdup("");
}

bool reason_add(struct buf *b, const char *section, int code, struct libbpf_log *log,
		enum exit_code *ret_exit)
{
	_cleanup_free_ char *target = target_of(section);

	for (size_t i = 0; target && i < ARRAY_SIZE(rules); i++) {
		if (!fits(&rules[i], section, code, log))
			continue;
		if (rules[i].say)
			rules[i].say(b, target);
		else
			buf_add_str(b, rules[i].text);
		*ret_exit = rules[i].exit;
		return true;
	}
	return false;
}

/* --- LSM --- */

/* Whether @name is among the words of @list, separated by commas. */
static bool has_word(const char *list, const char *name)
{
	for (const char *at = list; at; at = strchr(at, ',')) {
		at += *at == ',';
		if (strncmp(at, name, strlen(name)) == 0 && strchr(", \n", at[strlen(name)]))
			return true;
	}
	return false;
}

bool reason_lsm_runs(char **ret)
{
	char text[4096], *list = text;

	if (file_read_short(LSM_LIST, text, sizeof(text)) < 0) {
		if (file_read_short("/proc/cmdline", text, sizeof(text)) < 0)
			return true;
		list = strstr(text, LSM_BOOTARG);
		if (!list || (list > text && list[-1] != ' '))
			return true; /* what the kernel was built with is not said anywhere */
		list += strlen(LSM_BOOTARG);
	}
	if (has_word(list, "bpf"))
		return true;
	*ret = strndup(list, strcspn(list, " \n"));
	return !*ret;
}
