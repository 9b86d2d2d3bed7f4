// SPDX-License-Identifier: MIT
/* Kinds of programs: each is loaded and attached, does nothing, and is gone again. */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "host/ability.h"
#include "kernel/cgroup_link.h"
#include "kernel/compat.h"
#include "kernel/kernel_btf.h"
#include "kernel/libbpf_log.h"
#include "kernel/mounts.h"
#include "kernel/netfilter.h"
#include "kernel/reason.h"
#include "kernel/tc.h"
#include "kernel/tiny_program.h"
#include "kernel/xdp.h"

/* Seldom enough that it does not matter who looks: a process executes another program. */
#define TRACEPOINT "sched_process_exec"
/* Called by nobody but tests of BPF itself (net/bpf/test_run.c, Linux 5.5). */
#define FUNCTION "bpf_fentry_test1"

#define PERF_DEVICES "/sys/bus/event_source/devices/"

#define REFUSED "the kernel, or what confines this process, refuses such programs"

/* ---- what is attached by its BTF ---- */

/* An empty program at the BTF type @name, into *ret. */
static int load_at_type(const struct ability_env *env, const char *name, uint32_t kind,
			enum bpf_attach_type attach_type, int *ret)
{
	struct tiny_program program = {.type = BPF_PROG_TYPE_TRACING, .attach_type = attach_type};
	const struct btf *btf = kernel_btf_get_running(env->btf);
	int id = btf ? btf__find_by_name_kind(btf, name, kind) : -ENOENT;

	if (id <= 0)
		return -ENOENT;
	program.btf_id = (uint32_t)id;
	*ret = tiny_program_load(&program);
	return *ret < 0 ? *ret : 0;
}

/* A link of what was loaded for its place: made, and gone again. */
static int link_for_a_moment(const char *name, int program)
{
	_cleanup_libbpf_log_ struct libbpf_log log;
	int link;

	libbpf_log_begin(&log);
	link = bpf_raw_tracepoint_open(name, program);
	if (link < 0)
		return link;
	close(link);
	return 0;
}

static int try_raw_tp(const struct ability_env *env, const struct ability *a, struct finding *f)
{
	const struct tiny_program program = {.type = BPF_PROG_TYPE_RAW_TRACEPOINT};
	_cleanup_close_ int fd = tiny_program_load(&program);

	(void)env, (void)a, (void)f;
	return fd < 0 ? fd : link_for_a_moment(TRACEPOINT, fd);
}

static int try_tp_btf(const struct ability_env *env, const struct ability *a, struct finding *f)
{
	_cleanup_close_ int fd = -1;
	int err =
		load_at_type(env, "btf_trace_" TRACEPOINT, BTF_KIND_TYPEDEF, BPF_TRACE_RAW_TP, &fd);

	(void)a, (void)f;
	return err ? err : link_for_a_moment(NULL, fd);
}

static int try_function(const struct ability_env *env, enum bpf_attach_type attach_type,
			const struct ability *a, struct finding *f)
{
	_cleanup_close_ int fd = -1;
	int err = load_at_type(env, FUNCTION, BTF_KIND_FUNC, attach_type, &fd);
	char lacks[64];

	if (!err)
		err = link_for_a_moment(NULL, fd);
	if (err == -EPERM && capabilities_held(a->capabilities, lacks))
		finding_set(f, FINDING_MISSING, REFUSED);
	else if (err == -EOPNOTSUPP || err == -COMPAT_ENOTSUPP)
		finding_set(f, FINDING_MISSING, "this kernel has no trampolines for them");
	return err;
}

static int try_fentry(const struct ability_env *env, const struct ability *a, struct finding *f)
{
	return try_function(env, BPF_TRACE_FENTRY, a, f);
}

static int try_fexit(const struct ability_env *env, const struct ability *a, struct finding *f)
{
	return try_function(env, BPF_TRACE_FEXIT, a, f);
}

/* The iterator of the BTF function @name is run; @map: whose entries it is for, or -1. */
static int run_iterator(const struct ability_env *env, const char *name, int map)
{
	union bpf_iter_link_info info = {.map.map_fd = (uint32_t)map};
	LIBBPF_OPTS(bpf_link_create_opts, options, .iter_info = map < 0 ? NULL : &info,
		    .iter_info_len = map < 0 ? 0 : sizeof(info));
	_cleanup_close_ int fd = -1, link = -1, iterator = -1;
	int err = load_at_type(env, name, BTF_KIND_FUNC, BPF_TRACE_ITER, &fd);
	char text[16];

	if (err)
		return err;
	link = bpf_link_create(fd, 0, BPF_TRACE_ITER, &options);
	if (link < 0)
		return link;
	iterator = bpf_iter_create(link);
	if (iterator < 0)
		return iterator;
	return read(iterator, text, sizeof(text)) < 0 ? -errno : 0;
}

static int try_iterator(const struct ability_env *env, const struct ability *a, struct finding *f)
{
	(void)a, (void)f;
	return run_iterator(env, "bpf_iter_bpf_map", -1);
}

static int try_entries(const struct ability_env *env, const struct ability *a, struct finding *f)
{
	_cleanup_close_ int map = bpf_map_create(BPF_MAP_TYPE_ARRAY, NULL, 4, 8, 1, NULL);
	char lacks[64];
	int err;

	if (map < 0)
		return map;
	err = run_iterator(env, "bpf_iter_bpf_map_elem", map);
	if (err == -EPERM && capabilities_held(a->capabilities, lacks))
		finding_set(f, FINDING_MISSING, REFUSED);
	return err;
}

/* ---- what is attached to a perf event ---- */

/* The event is this process's own, on any CPU, unless @everywhere. */
static int attach_to_event(struct perf_event_attr *attr, bool everywhere, int program)
{
	_cleanup_close_ int event = -1;

	attr->size = sizeof(*attr);
	event = (int)syscall(SYS_perf_event_open, attr, everywhere ? -1 : 0, everywhere ? 0 : -1,
			     -1, PERF_FLAG_FD_CLOEXEC);
	if (event < 0)
		return -errno;
	return ioctl(event, PERF_EVENT_IOC_SET_BPF, program) ? -errno : 0;
}

/* The number behind @before in a file of the perf device @device. */
static int read_device(const char *device, const char *file, const char *before, unsigned *ret)
{
	char path[128], text[64], *end;
	size_t skipped = strlen(before);
	ssize_t got;

	snprintf(path, sizeof(path), PERF_DEVICES "%s/%s", device, file);
	got = file_read_short(path, text, sizeof(text));
	if (got < 0)
		return (int)got;
	if (strncmp(text, before, skipped) != 0)
		return -EINVAL;
	*ret = (unsigned)strtoul(text + skipped, &end, 10);
	return end == text + skipped ? -EINVAL : 0;
}

/* A probe of the perf device "kprobe" or "uprobe" at @name + @offset. */
static int attach_probe(const char *device, bool at_return, const char *name, uint64_t offset)
{
	const struct tiny_program program = {.type = BPF_PROG_TYPE_KPROBE};
	_cleanup_close_ int fd = tiny_program_load(&program);
	struct perf_event_attr attr = {.config1 = (uintptr_t)name, .config2 = offset};
	unsigned bit = 0;
	int err;

	if (fd < 0)
		return fd;
	err = read_device(device, "type", "", &attr.type);
	if (!err && at_return)
		err = read_device(device, "format/retprobe", "config:", &bit);
	if (err)
		return err;
	attr.config = at_return ? UINT64_C(1) << bit : 0;
	/* The kernel's own functions are of no process. */
	return attach_to_event(&attr, STREQ(device, "kprobe"), fd);
}

static int try_kernel_probe(bool at_return, struct finding *f)
{
	int err = attach_probe("kprobe", at_return, FUNCTION, 0);

	if (err && reason_no_kprobes())
		finding_set(f, FINDING_MISSING,
			    "this kernel has no kprobes (CONFIG_KPROBE_EVENTS)");
	return err;
}

static int try_kprobe(const struct ability_env *env, const struct ability *a, struct finding *f)
{
	(void)env, (void)a;
	return try_kernel_probe(false, f);
}

static int try_kretprobe(const struct ability_env *env, const struct ability *a, struct finding *f)
{
	(void)env, (void)a;
	return try_kernel_probe(true, f);
}

static int try_kprobe_multi(const struct ability_env *env, const struct ability *a,
			    struct finding *f)
{
	const struct tiny_program program = {.type = BPF_PROG_TYPE_KPROBE,
					     .attach_type = BPF_TRACE_KPROBE_MULTI};
	_cleanup_close_ int fd = tiny_program_load(&program);
	_cleanup_close_ int link = -1;
	const char *functions[] = {FUNCTION};
	LIBBPF_OPTS(bpf_link_create_opts, options, .kprobe_multi.syms = functions,
		    .kprobe_multi.cnt = ARRAY_SIZE(functions));

	(void)env, (void)a;
	if (fd < 0)
		return fd;
	link = bpf_link_create(fd, 0, BPF_TRACE_KPROBE_MULTI, &options);
	if (link < 0 && link != -EPERM)
		finding_set(f, FINDING_MISSING,
			    "this kernel cannot probe several functions at once (Linux 5.18 with "
			    "CONFIG_FPROBE can)");
	return link < 0 ? link : 0;
}

/* Where in our own file @function is, to probe what only this process runs. */
static int find_offset(const void *function, uint64_t *ret)
{
	FILE *file = fopen("/proc/self/maps", "re");
	unsigned long long start, end, offset;
	int err = -ENOENT;
	char line[512];

	if (!file)
		return -errno;
	while (err && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%llx-%llx %*s %llx", &start, &end, &offset) != 3 ||
		    (uintptr_t)function < start || (uintptr_t)function >= end)
			continue;
		*ret = (uintptr_t)function - start + offset;
		err = 0;
	}
	fclose(file);
	return err;
}

static int try_uprobe(const struct ability_env *env, const struct ability *a, struct finding *f)
{
	uint64_t offset = 0;
	int err = find_offset((const void *)(uintptr_t)find_offset, &offset);

	(void)env, (void)a, (void)f;
	return err ? err : attach_probe("uprobe", false, "/proc/self/exe", offset);
}

static int find_tracepoint(uint64_t *ret, struct finding *f)
{
	_cleanup_free_ char *tracefs = NULL;
	char path[256], text[32];
	ssize_t got;
	int err = mounts_find("tracefs", &tracefs);

	if (err == -ENOENT) {
		finding_set(f, FINDING_MISSING, "tracefs is not mounted (raw_tp/ needs none)");
		finding_advise(f, "mount -t tracefs tracefs /sys/kernel/tracing");
	}
	if (err)
		return err;
	snprintf(path, sizeof(path), "%s/events/sched/" TRACEPOINT "/id", tracefs);
	got = file_read_short(path, text, sizeof(text));
	if (got < 0)
		return (int)got;
	*ret = strtoull(text, NULL, 10);
	return 0;
}

static int try_tracepoint(const struct ability_env *env, const struct ability *a, struct finding *f)
{
	const struct tiny_program program = {.type = BPF_PROG_TYPE_TRACEPOINT};
	_cleanup_close_ int fd = tiny_program_load(&program);
	struct perf_event_attr attr = {.type = PERF_TYPE_TRACEPOINT};
	uint64_t id = 0;
	int err;

	(void)env, (void)a;
	if (fd < 0)
		return fd;
	err = find_tracepoint(&id, f);
	if (err)
		return err;
	attr.config = id;
	return attach_to_event(&attr, true, fd);
}

static int try_perf_event(const struct ability_env *env, const struct ability *a, struct finding *f)
{
	const struct tiny_program program = {.type = BPF_PROG_TYPE_PERF_EVENT};
	_cleanup_close_ int fd = tiny_program_load(&program);
	struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE,
				       .config = PERF_COUNT_SW_CPU_CLOCK,
				       .sample_period = 1000000,
				       .disabled = 1};

	(void)env, (void)a, (void)f;
	return fd < 0 ? fd : attach_to_event(&attr, false, fd);
}

/* ---- what is attached in the network stack ---- */

static int try_netfilter(const struct ability_env *env, const struct ability *a, struct finding *f)
{
	const struct tiny_program program = {.type = COMPAT_BPF_PROG_TYPE_NETFILTER,
					     .attach_type = COMPAT_BPF_NETFILTER,
					     .result = NF_ACCEPT};
	struct compat_netfilter where = {.family = NFPROTO_IPV4,
					 .hook = NF_INET_LOCAL_IN,
					 .priority = 1};
	_cleanup_close_ int fd = tiny_program_load(&program);
	_cleanup_close_ int link = -1;

	(void)env, (void)a;
	if (fd >= 0)
		link = netfilter_attach(fd, &where, NULL);
	if (fd == -EINVAL || (fd >= 0 && link < 0 && link != -EPERM))
		finding_set(f, FINDING_MISSING,
			    "this kernel has no BPF programs of netfilter (Linux 6.4 with "
			    "CONFIG_NETFILTER_BPF_LINK has them)");
	return fd < 0 ? fd : MIN(link, 0);
}

static int attach_tc(const struct ability_env *env, enum tc_mechanism mechanism)
{
	const struct tiny_program program = {.type = BPF_PROG_TYPE_SCHED_CLS, .result = -1};
	_cleanup_close_ int fd = tiny_program_load(&program);
	struct tc_attachment at;
	int err;

	if (fd < 0)
		return fd;
	err = tc_attach(mechanism, fd, env->scratch->ifindex, TC_EGRESS, &at, NULL);
	return err ? err : tc_detach(&at, NULL);
}

static int try_clsact(const struct ability_env *env, const struct ability *a, struct finding *f)
{
	(void)a, (void)f;
	return attach_tc(env, TC_CLSACT);
}

static int try_tcx(const struct ability_env *env, const struct ability *a, struct finding *f)
{
	(void)a, (void)f;
	return attach_tc(env, TC_TCX);
}

static int attach_xdp(const struct ability_env *env, enum xdp_mode mode, uint32_t flags)
{
	const struct tiny_program program = {.type = BPF_PROG_TYPE_XDP,
					     .attach_type = BPF_XDP,
					     .flags = flags,
					     .result = XDP_PASS};
	_cleanup_close_ int fd = tiny_program_load(&program);
	struct xdp_attachment at;
	int err;

	if (fd < 0)
		return fd;
	err = xdp_attach(mode, fd, env->scratch->ifindex, &at, NULL);
	if (!err)
		xdp_detach(&at);
	return err;
}

static int try_xdp_native(const struct ability_env *env, const struct ability *a, struct finding *f)
{
	(void)a, (void)f;
	return attach_xdp(env, XDP_NATIVE, 0);
}

static int try_xdp_generic(const struct ability_env *env, const struct ability *a,
			   struct finding *f)
{
	(void)a, (void)f;
	return attach_xdp(env, XDP_GENERIC, 0);
}

static int try_xdp_frags(const struct ability_env *env, const struct ability *a, struct finding *f)
{
	(void)a, (void)f;
	return attach_xdp(env, XDP_NATIVE, BPF_F_XDP_HAS_FRAGS);
}

/* ---- cgroups ---- */

/* The directory of the cgroup that this process is in, the caller's. */
static int find_own_cgroup(char **ret)
{
	_cleanup_free_ char *mounted = NULL;
	char text[4096];
	ssize_t got = file_read_short("/proc/self/cgroup", text, sizeof(text));
	const char *own = got > 0 ? strstr(text, "0::/") : NULL;
	int err = mounts_find("cgroup2", &mounted);

	if (err)
		return err;
	own = own ? own + strlen("0::") : "/";
	if (asprintf(ret, "%s%.*s", mounted, (int)strcspn(own, "\n"), own) < 0)
		return -ENOMEM;
	if (access(*ret, F_OK) == 0)
		return 0;
	/* It is above what is mounted here. */
	free(*ret);
	*ret = TAKE_PTR(mounted);
	return 0;
}

/* At the cgroup of this process, where it lets everything pass for a moment. */
static int attach_to_cgroup(uint32_t type, uint32_t attach_type, struct finding *f)
{
	const struct tiny_program program = {.type = type, .attach_type = attach_type, .result = 1};
	_cleanup_close_ int fd = tiny_program_load(&program);
	_cleanup_close_ int link = -1;
	_cleanup_free_ char *own = NULL, *where = NULL;
	int err;

	if (fd < 0)
		return fd;
	err = find_own_cgroup(&own);
	if (err == -ENOENT) {
		finding_set(f, FINDING_MISSING, "no cgroup2 is mounted");
		finding_advise(f, "mount -t cgroup2 cgroup2 /sys/fs/cgroup");
	}
	return err ? err : cgroup_attach(fd, attach_type, own, &link, &where, NULL);
}

static int try_cgroup_skb(const struct ability_env *env, const struct ability *a, struct finding *f)
{
	(void)env, (void)a;
	return attach_to_cgroup(BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_INGRESS, f);
}

static int try_sock_ops(const struct ability_env *env, const struct ability *a, struct finding *f)
{
	(void)env, (void)a;
	return attach_to_cgroup(BPF_PROG_TYPE_SOCK_OPS, BPF_CGROUP_SOCK_OPS, f);
}

/* ---- all of them ---- */

/* Some kernels want CAP_SYS_ADMIN where others are content with CAP_PERFMON. */
#define TRACING(name_, sections_, purpose_, attempt_)                                              \
	.name = name_, .sections = sections_, .purpose = purpose_,                                 \
	.capabilities = "bpf perfmon sys_admin", .attempt = attempt_

#define NETWORK(name_, sections_, purpose_, attempt_)                                              \
	.name = name_, .sections = sections_, .purpose = purpose_,                                 \
	.capabilities = "bpf net_admin", .attempt = attempt_

#define NO_TCX                                                                                     \
	"this kernel has no TCX (Linux 6.6 has it): clsact is used in its place, where the "       \
	"filters of a daemon that is killed stay until the next start"

#define NO_FRAGS                                                                                   \
	"this kernel has no XDP for packets of more than a page (Linux 5.18 has it): an "          \
	"interface with a large MTU may refuse native XDP"

static const struct ability rows[] = {
	{.id = "program.tp_btf",
	 TRACING("tp_btf", "tp_btf/", "programs at tracepoints, by their BTF", try_tp_btf),
	 .remedy = "a kernel with CONFIG_DEBUG_INFO_BTF"},
	{.id = "program.raw_tp",
	 TRACING("raw_tp", "raw_tp raw_tracepoint", "programs at tracepoints", try_raw_tp)},
	{.id = "program.tracepoint",
	 TRACING("tracepoint", "tp/ tracepoint/", "programs at tracepoints, by tracefs",
		 try_tracepoint)},
	{.id = "program.fentry",
	 TRACING("fentry", "fentry", "programs where functions begin", try_fentry)},
	{.id = "program.fexit",
	 TRACING("fexit", "fexit", "programs where functions end", try_fexit)},
	{.id = "program.kprobe",
	 TRACING("kprobe", "kprobe/ ksyscall/", "programs where functions begin", try_kprobe)},
	{.id = "program.kretprobe",
	 TRACING("kretprobe", "kretprobe/ kretsyscall/", "programs where functions end",
		 try_kretprobe)},
	{.id = "program.kprobe_multi",
	 TRACING("kprobe.multi", "kprobe.multi kretprobe.multi",
		 "programs at many functions at once", try_kprobe_multi)},
	{.id = "program.uprobe",
	 TRACING("uprobe", "uprobe uretprobe usdt", "programs in processes", try_uprobe)},
	{.id = "program.perf_event",
	 TRACING("perf_event", "perf_event", "programs at perf events", try_perf_event)},
	{.id = "program.iter",
	 TRACING("iter", "iter", "programs that go through what there is", try_iterator)},
	{.id = "program.iter_map_elem",
	 TRACING("iter map_elem", "iter/bpf_map_elem",
		 "programs that go through the entries of a map", try_entries),
	 .remedy = "in your own configs: iter/bpf_map and bpf_for_each_map_elem(), Linux 5.13"},
	{.id = "program.netfilter",
	 NETWORK("netfilter link", "netfilter", "programs in netfilter", try_netfilter),
	 .in_scratch = true},
	{.id = "program.tcx",
	 NETWORK("TCX", "tc classifier", "programs in traffic control, by links", try_tcx),
	 .in_scratch = true,
	 .loss = NO_TCX,
	 .remedy = "after a kill: wiregauge cleanup"},
	{.id = "program.clsact",
	 NETWORK("clsact", "tc classifier", "programs in traffic control, by filters", try_clsact),
	 .in_scratch = true,
	 .remedy = "a kernel with CONFIG_NET_CLS_BPF and CONFIG_NET_SCH_INGRESS"},
	{.id = "program.xdp_native",
	 NETWORK("XDP native", "xdp", "programs in drivers, tried with veth", try_xdp_native),
	 .in_scratch = true},
	{.id = "program.xdp_generic",
	 NETWORK("XDP generic", "xdp", "programs behind drivers that have no native XDP",
		 try_xdp_generic),
	 .in_scratch = true},
	{.id = "program.xdp_frags",
	 NETWORK("XDP frags", "xdp",
		 "XDP programs for packets of more than a page, tried with veth", try_xdp_frags),
	 .in_scratch = true,
	 .loss = NO_FRAGS},
	{.id = "program.cgroup_skb",
	 NETWORK("cgroup_skb", "cgroup_skb", "programs at packets of cgroups", try_cgroup_skb)},
	{.id = "program.sock_ops",
	 NETWORK("sockops", "sockops", "programs at sockets of cgroups", try_sock_ops)},
};

ABILITIES(programs, FINDING_KERNEL, 110, rows);
