// SPDX-License-Identifier: MIT
/* Abilities of the kernel as such. */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "host/ability.h"
#include "kernel/kernel_btf.h"
#include "kernel/libbpf_log.h"
#include "kernel/mapread.h"
#include "kernel/tiny_program.h"

static int tell_release(const struct ability_env *env, const struct ability *a, struct finding *f)
{
	struct utsname host;

	(void)env, (void)a;
	if (uname(&host))
		return -errno;
	finding_set(f, FINDING_OK, "%s %s, %s", host.sysname, host.release, host.machine);
	return 0;
}

static int make_map(void)
{
	_cleanup_libbpf_log_ struct libbpf_log log;
	int fd;

	libbpf_log_begin(&log);
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, NULL, 4, 8, 1, NULL);
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static int try_bpf(const struct ability_env *env, const struct ability *a, struct finding *f)
{
	(void)env, (void)a, (void)f;
	return make_map();
}

static int try_btf(const struct ability_env *env, const struct ability *a, struct finding *f)
{
	const char *path = kernel_btf_path(env->btf);
	const struct btf *btf = kernel_btf_get(env->btf);

	(void)a;
	if (!btf) {
		finding_set(f, FINDING_MISSING,
			    "no type information in %s: programs cannot be fitted to this kernel",
			    path ? path : "/sys/kernel/btf/vmlinux");
		return -ENOENT;
	}
	finding_set(f, FINDING_OK, "%u types in %s", btf__type_cnt(btf),
		    path ? path : "/sys/kernel/btf/vmlinux");
	return 0;
}

/* ---- the just-in-time compiler ---- */

static int read_number(const char *path, long *ret)
{
	char text[32], *end;
	ssize_t got = file_read_short(path, text, sizeof(text));

	if (got < 0)
		return (int)got;
	*ret = strtol(text, &end, 10);
	return end == text ? -EINVAL : 0;
}

static int try_jit(const struct ability_env *env, const struct ability *a, struct finding *f)
{
	const struct tiny_program program = {.type = BPF_PROG_TYPE_SOCKET_FILTER};
	_cleanup_close_ int fd = tiny_program_load(&program);
	struct bpf_prog_info info = {};
	uint32_t size = sizeof(info);
	int err;

	(void)env, (void)a, (void)f;
	if (fd < 0)
		return fd;
	err = bpf_obj_get_info_by_fd(fd, &info, &size);
	if (err)
		return err;
	return info.jited_prog_len ? 0 : -EOPNOTSUPP;
}

#define JIT_HARDEN "/proc/sys/net/core/bpf_jit_harden"

static int look_at_hardening(const struct ability_env *env, const struct ability *a,
			     struct finding *f)
{
	long number = 0;
	int err = read_number(JIT_HARDEN, &number);

	(void)env;
	if (err == -ENOENT) { /* no JIT, or not in this network namespace */
		finding_set(f, FINDING_OK, "%s: this kernel hides none here", a->purpose);
		return 0;
	}
	if (err)
		return err;
	if (number >= 2) {
		finding_set(f, FINDING_DEGRADED,
			    "each constant in a program of root's is hidden, too: programs are "
			    "larger and slower");
		finding_advise(f, "sysctl net.core.bpf_jit_harden=1, which hides those of others");
		return 0;
	}
	finding_set(f, FINDING_OK, "%s: none in programs of root's (%ld)", a->purpose, number);
	return 0;
}

/* ---- what others may, and what is counted ---- */

static int try_statistics(const struct ability_env *env, const struct ability *a, struct finding *f)
{
	long number = 0;
	int err = read_number("/proc/sys/kernel/bpf_stats_enabled", &number);

	(void)env, (void)a;
	if (err || number)
		return err;
	finding_set(f, FINDING_DEGRADED,
		    "the kernel does not count what programs cost: their run times are 0 in "
		    "metrics and in the status");
	finding_advise(f, "sysctl kernel.bpf_stats_enabled=1, which costs each run of a program a "
			  "little");
	return 0;
}

static int try_reading(const struct ability_env *env, const struct ability *a, struct finding *f)
{
	int err = make_map();

	(void)env;
	if (err)
		return err;
	if (mapread_needs_capability())
		finding_set(f, FINDING_DEGRADED,
			    "this kernel lets nobody without cap_bpf read maps, not even his own: "
			    "the daemon keeps it also where --capabilities.keep does not say so");
	else
		finding_set(f, FINDING_OK, "%s: none", a->purpose);
	return 0;
}

/* As the kernel writes it: "none [integrity] confidentiality". */
static int look_at_lockdown(const struct ability_env *env, const struct ability *a,
			    struct finding *f)
{
	char text[128], level[32] = "none";
	ssize_t got = file_read_short("/sys/kernel/security/lockdown", text, sizeof(text));
	const char *chosen;

	(void)env;
	if (got < 0 && got != -ENOENT)
		return (int)got;
	chosen = got > 0 ? strchr(text, '[') : NULL;
	if (chosen)
		sscanf(chosen, "[%31[a-z]]", level);
	if (STREQ(level, "confidentiality")) {
		finding_set(f, FINDING_MISSING,
			    "lockdown is at confidentiality: programs may not read the kernel's "
			    "memory, so that most of it cannot be traced");
		finding_advise(f, "boot with lockdown=integrity, or without it");
	} else {
		finding_set(f, FINDING_OK, "%s: %s", a->purpose,
			    got < 0 ? "this kernel has none, or securityfs is not mounted" : level);
	}
	return 0;
}

/* ---- memory ---- */

/* With no memory that may be locked, as before Linux 5.11 maps are counted as such. */
static int make_map_without_memlock(void)
{
	struct rlimit before, none;
	int err;

	if (getrlimit(RLIMIT_MEMLOCK, &before))
		return -errno;
	none = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
	if (setrlimit(RLIMIT_MEMLOCK, &none))
		return -errno;
	err = make_map();
	setrlimit(RLIMIT_MEMLOCK, &before);
	return err;
}

static int try_memory(const struct ability_env *env, const struct ability *a, struct finding *f)
{
	struct rlimit limit;
	char lacks[64];
	int err = make_map();

	(void)env;
	if (err)
		return err;
	if (!make_map_without_memlock()) {
		finding_set(f, FINDING_OK, "%s: of the memory cgroup", a->purpose);
		return 0;
	}
	if (getrlimit(RLIMIT_MEMLOCK, &limit))
		return -errno;
	if (limit.rlim_max == RLIM_INFINITY || capabilities_held("sys_resource", lacks)) {
		finding_set(f, FINDING_OK,
			    "%s: locked memory (RLIMIT_MEMLOCK), which the daemon raises",
			    a->purpose);
		return 0;
	}
	finding_set(f, FINDING_MISSING,
		    "maps count as locked memory on this kernel, of which %llu bytes are allowed",
		    (unsigned long long)limit.rlim_max);
	finding_advise(f, "LimitMEMLOCK=infinity in the unit, or cap_sys_resource");
	return 0;
}

/* ---- names of its functions ---- */

static bool has_addresses(FILE *file)
{
	unsigned long long address = 0;
	char line[512];

	while (!address && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%llx", &address) != 1)
			break;
	}
	return address != 0;
}

static int try_symbols(const struct ability_env *env, const struct ability *a, struct finding *f)
{
	FILE *file = fopen("/proc/kallsyms", "re");
	bool found;

	(void)env, (void)a, (void)f;
	if (!file)
		return -errno;
	found = has_addresses(file);
	fclose(file);
	return found ? 0 : -EPERM;
}

static const struct ability rows[] = {
	{.id = "kernel.release",
	 .name = "kernel",
	 .purpose = "its release",
	 .attempt = tell_release},
	{.id = "kernel.bpf",
	 .name = "bpf(2)",
	 .purpose = "maps and programs in the kernel",
	 .capabilities = "bpf",
	 .remedy = "a kernel with CONFIG_BPF_SYSCALL",
	 .attempt = try_bpf},
	{.id = "kernel.btf",
	 .name = "BTF",
	 .purpose = "type information of the kernel",
	 .remedy = "a kernel with CONFIG_DEBUG_INFO_BTF, or --btf.path FILE",
	 .attempt = try_btf},
	{.id = "kernel.jit",
	 .name = "JIT",
	 .purpose = "programs run as machine code",
	 .capabilities = "bpf",
	 .loss = "programs are interpreted: several times slower",
	 .remedy = "sysctl net.core.bpf_jit_enable=1",
	 .attempt = try_jit},
	{.id = "kernel.jit_hardening",
	 .name = "JIT hardening",
	 .purpose = "constants that are hidden",
	 .capabilities = "sys_admin",
	 .attempt = look_at_hardening},
	{.id = "kernel.lockdown",
	 .name = "lockdown",
	 .purpose = "what is kept even from root",
	 .attempt = look_at_lockdown},
	{.id = "kernel.symbols",
	 .name = "kallsyms",
	 .purpose = "addresses of the kernel's functions",
	 .loss = "addresses are hidden: places in the kernel are numbers instead of names",
	 .remedy = "sysctl kernel.kptr_restrict=1 and cap_syslog",
	 .attempt = try_symbols},
	{.id = "kernel.statistics",
	 .name = "run times",
	 .purpose = "the kernel counts what programs cost",
	 .loss = "this kernel does not count what programs cost (Linux 5.1 does)",
	 .attempt = try_statistics},
	{.id = "kernel.map_reading",
	 .name = "reading maps",
	 .purpose = "capabilities that it takes once they are open",
	 .capabilities = "bpf",
	 .attempt = try_reading},
	{.id = "kernel.map_memory",
	 .name = "memory of maps",
	 .purpose = "what it is counted as",
	 .capabilities = "bpf",
	 .attempt = try_memory},
};

ABILITIES(kernel, FINDING_KERNEL, 100, rows);
