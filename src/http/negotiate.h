/* SPDX-License-Identifier: MIT */
/* What a client that asks for metrics wants to get: RFC 9110, section 12.5. Nothing is refused:
 * whoever takes nothing of what there is gets the text format. */
#pragma once

#include "metrics/exposition.h"

struct negotiated {
	enum exposition_format format;
	const char *content_type; /* with the version that was asked for */
};

/* @accept: the field Accept, or NULL. */
struct negotiated negotiate_format(const char *accept);

/* Whether who sent the field Accept-Encoding (NULL: none) takes gzip. */
bool negotiate_gzip(const char *accept_encoding);
