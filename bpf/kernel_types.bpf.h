/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The kernel's own structs, cut down to the fields that programs here read. Where a field really is
 * on the running kernel is found at load time from its BTF (CO-RE: preserve_access_index), so
 * neither the order nor what is left out matters; the names and types must be the kernel's.
 *
 * Add the field you need to the struct it is in, or the struct in the order of the alphabet. A
 * field that not every kernel has: bpf_core_field_exists() before it is read. A type that was
 * changed: a second struct with the suffix ___name, which libbpf ignores when it looks for the
 * kernel's.
 */
#pragma once

#include <linux/bpf.h>
#include <linux/types.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* include/linux/sched.h */
struct task_struct {
	int pid;
};

/* include/linux/timer_types.h (include/linux/timer.h before 6.8) */
struct timer_list {
	void (*function)(struct timer_list *timer);
};

#pragma clang attribute pop

/* include/linux/interrupt.h: softirq vectors are 0 … NR_SOFTIRQS - 1, unchanged since 4.x. */
#define NR_SOFTIRQS 10
