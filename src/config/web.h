/* SPDX-License-Identifier: MIT */
/*
 * The web config file (--web.config.file): TLS, users and headers of the HTTP listener, in the
 * format that Prometheus's own exporters have for it.
 *
 *	tls_server_config:
 *	  cert_file: server.crt
 *	  key_file: server.key
 *	basic_auth_users:
 *	  prometheus: $2y$10$…
 */
#pragma once

#include "config/config.h"

enum web_client_auth {
	CLIENT_AUTH_NONE,
	CLIENT_AUTH_REQUEST,
	CLIENT_AUTH_REQUIRE_ANY,
	CLIENT_AUTH_VERIFY_IF_GIVEN,
	CLIENT_AUTH_REQUIRE_AND_VERIFY,
};

enum web_tls_version { WEB_TLS_1_0, WEB_TLS_1_1, WEB_TLS_1_2, WEB_TLS_1_3, WEB_TLS_VERSIONS };

struct web_tls {
	struct place place;
	struct text cert, cert_file;
	struct text key, key_file;
	struct text client_ca, client_ca_file;
	enum web_client_auth client_auth;
	struct place client_auth_place;
	struct text_list client_allowed_sans;
	enum web_tls_version min_version, max_version;
	struct place max_version_place;
	struct text_list cipher_suites;
	struct text_list curves;
	bool prefer_server_ciphers; /* always so */
};

enum {
	WEB_HEADER_CSP,
	WEB_HEADER_FRAME_OPTIONS,
	WEB_HEADER_CONTENT_TYPE_OPTIONS,
	WEB_HEADER_XSS_PROTECTION,
	WEB_HEADER_STRICT_TRANSPORT,
	WEB_HEADERS,
};

struct web_http {
	bool http2; /* accepted, and never spoken */
	struct text headers[WEB_HEADERS];
};

struct web_config {
	struct source source;
	bool has_tls;
	struct web_tls tls;
	struct web_http http;
	struct {
		struct mapping_row *items; /* name to hash */
		size_t count;
	} users;
};

/* Names of what struct web_http has. */
extern const char *const web_header_names[WEB_HEADERS];

/* What GnuTLS calls a suite or curve that a file may name; NULL: no such. */
const char *web_cipher_suite_parts(const char *name);
const char *web_curve_parts(const char *name);

/* Parse @source (taken over in any case), or the file @path; errors into @r, as config_parse(). */
int web_config_parse(struct source source, struct report *r, struct web_config **ret);
int web_config_parse_file(const char *path, struct report *r, struct web_config **ret);
void web_config_free(struct web_config *c);

/* Calls @row for each key of the file, as config_describe(). */
void web_config_describe(void (*row)(void *ctx, const struct key_doc *key), void *ctx);

/* Whether the file at @path has a key that only this format has. */
bool web_config_is_likely(const char *path);
