/* SPDX-License-Identifier: MIT */
/* Markdown on stdout, for the references under docs/. */
#pragma once

/* Text in a cell of a table. */
void markdown_cell(const char *text);
