/* SPDX-License-Identifier: MIT */
/* Names of ports, from services(5); read at the first question, not before. */
#pragma once

#include <stdint.h>

#include "config/config.h"

struct services; /* opaque */

/* @path must outlive it; NULL: /etc/services. -ENOMEM without memory. */
int services_new(const char *path, struct services **ret);
void services_free(struct services *s);

/*
 * The name of @port, which lives as long as @s; NULL where it has none, and where the file cannot
 * be read. PROTOCOL_ANY is the first that has one of TCP, UDP, SCTP and DCCP. Thread-safe.
 */
const char *services_name(struct services *s, uint16_t port, enum port_protocol protocol);
