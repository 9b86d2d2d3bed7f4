// SPDX-License-Identifier: MIT
/* The keys and decoders that come from ebpf_exporter: its language is given, only ours grows. */
#include "config/config.h"

/* clang-format off: tables are easier to read in rows. */
static const char *const exporters_keys[] = {
	"cgroup_id_map",
	"cgroup_id_map.name",
	"cgroup_id_map.regexps",
	"cgroup_id_map.type",
	"kaddrs",
	"metrics",
	"metrics.counters[]",
	"metrics.counters[].flush_interval",
	"metrics.counters[].help",
	"metrics.counters[].labels[]",
	"metrics.counters[].labels[].decoders[]",
	"metrics.counters[].labels[].decoders[].allow_unknown",
	"metrics.counters[].labels[].decoders[].name",
	"metrics.counters[].labels[].decoders[].regexps",
	"metrics.counters[].labels[].decoders[].static_map",
	"metrics.counters[].labels[].name",
	"metrics.counters[].labels[].padding",
	"metrics.counters[].labels[].size",
	"metrics.counters[].name",
	"metrics.counters[].perf_event_array",
	"metrics.histograms[]",
	"metrics.histograms[].bucket_keys",
	"metrics.histograms[].bucket_max",
	"metrics.histograms[].bucket_min",
	"metrics.histograms[].bucket_multiplier",
	"metrics.histograms[].bucket_type",
	"metrics.histograms[].help",
	"metrics.histograms[].labels[]",
	"metrics.histograms[].labels[].decoders[]",
	"metrics.histograms[].labels[].decoders[].allow_unknown",
	"metrics.histograms[].labels[].decoders[].name",
	"metrics.histograms[].labels[].decoders[].regexps",
	"metrics.histograms[].labels[].decoders[].static_map",
	"metrics.histograms[].labels[].name",
	"metrics.histograms[].labels[].padding",
	"metrics.histograms[].labels[].size",
	"metrics.histograms[].name",
	"tracing",
};

static const char *const exporters_decoders[] = {
	"cgroup",     "dname",  "errno",      "hex",       "ifname",     "inet_ip",
	"kstack",     "ksym",   "majorminor", "pci_class", "pci_device", "pci_subclass",
	"pci_vendor", "regexp", "static_map", "string",    "syscall",    "uint",
};

/* clang-format on */

static bool is_among(const char *const *rows, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (STREQ(rows[i], name))
			return true;
	}
	return false;
}

bool config_key_is_exporters(const char *path)
{
	return is_among(exporters_keys, ARRAY_SIZE(exporters_keys), path);
}

bool config_decoder_is_exporters(const char *name)
{
	return is_among(exporters_decoders, ARRAY_SIZE(exporters_decoders), name);
}
