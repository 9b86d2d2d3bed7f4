/* SPDX-License-Identifier: MIT */
/* BPF iterators: programs that the kernel runs once for each task, socket, entry of a map … */
#pragma once

#include "base/error.h"

/* A link's descriptor, or a negative errno. @map_fd: whose entries a bpf_map_elem iterator is for;
 * else -1. */
int iterator_attach(int prog_fd, int map_fd, struct error *e);

/* Runs it over all there is. What it prints is thrown away. */
int iterator_run(int link_fd, struct error *e);
