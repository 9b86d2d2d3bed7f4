/* SPDX-License-Identifier: MIT */
#pragma once

struct builtin_module;
struct config;

/* The manifest of @b, the caller's; NULL with what is wrong on stderr. */
struct config *modules_parse(const struct builtin_module *b);
