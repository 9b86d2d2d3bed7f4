/* SPDX-License-Identifier: MIT */
/*
 * SEC("uprobe//proc/self/exe:post_attach_mark"): a program that the daemon itself runs, once, when
 * everything is attached. It finds the function in the dynamic symbol table, which strip(1) leaves.
 */
#pragma once

void post_attach_mark(void);
