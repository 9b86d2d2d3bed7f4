// SPDX-License-Identifier: MIT
#include "config/web.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/suggest.h"
#include "config/bind.h"
#include "config/source.h"

/* Of bcrypt: the rounds as a power of two. 16 takes seconds. */
enum { COST_MIN = 4, COST_MAX = 16 };

_Static_assert(sizeof(enum web_client_auth) == sizeof(unsigned) &&
		       sizeof(enum web_tls_version) == sizeof(unsigned),
	       "enums are bound as unsigned");

static const char *const client_auths[] = {
	[CLIENT_AUTH_NONE] = "NoClientCert",
	[CLIENT_AUTH_REQUEST] = "RequestClientCert",
	[CLIENT_AUTH_REQUIRE_ANY] = "RequireAnyClientCert",
	[CLIENT_AUTH_VERIFY_IF_GIVEN] = "VerifyClientCertIfGiven",
	[CLIENT_AUTH_REQUIRE_AND_VERIFY] = "RequireAndVerifyClientCert",
};

static const char *const tls_versions[WEB_TLS_VERSIONS] = {
	[WEB_TLS_1_0] = "TLS10",
	[WEB_TLS_1_1] = "TLS11",
	[WEB_TLS_1_2] = "TLS12",
	[WEB_TLS_1_3] = "TLS13",
};

const char *const web_header_names[WEB_HEADERS] = {
	[WEB_HEADER_CSP] = "Content-Security-Policy",
	[WEB_HEADER_FRAME_OPTIONS] = "X-Frame-Options",
	[WEB_HEADER_CONTENT_TYPE_OPTIONS] = "X-Content-Type-Options",
	[WEB_HEADER_XSS_PROTECTION] = "X-XSS-Protection",
	[WEB_HEADER_STRICT_TRANSPORT] = "Strict-Transport-Security",
};

/* ---- names of suites and curves ---- */

struct tls_name {
	const char *name;  /* of the IANA registry */
	const char *parts; /* of a priority string of GnuTLS */
};

/* clang-format off: tables are easier to read in rows. */
/* Those of TLS 1.3 may be named; they cannot be left out, as in Go. */
static const struct tls_name cipher_suites[] = {
	{"TLS_AES_128_GCM_SHA256", ""},
	{"TLS_AES_256_GCM_SHA384", ""},
	{"TLS_CHACHA20_POLY1305_SHA256", ""},
	{"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", ":+ECDHE-ECDSA:+AES-128-GCM:+AEAD"},
	{"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", ":+ECDHE-ECDSA:+AES-256-GCM:+AEAD"},
	{"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", ":+ECDHE-ECDSA:+CHACHA20-POLY1305:+AEAD"},
	{"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", ":+ECDHE-RSA:+AES-128-GCM:+AEAD"},
	{"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", ":+ECDHE-RSA:+AES-256-GCM:+AEAD"},
	{"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", ":+ECDHE-RSA:+CHACHA20-POLY1305:+AEAD"},
	{"TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", ":+ECDHE-ECDSA:+AES-128-CBC:+SHA1"},
	{"TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", ":+ECDHE-ECDSA:+AES-256-CBC:+SHA1"},
	{"TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", ":+ECDHE-RSA:+AES-128-CBC:+SHA1"},
	{"TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", ":+ECDHE-RSA:+AES-256-CBC:+SHA1"},
	{"TLS_RSA_WITH_AES_128_GCM_SHA256", ":+RSA:+AES-128-GCM:+AEAD"},
	{"TLS_RSA_WITH_AES_256_GCM_SHA384", ":+RSA:+AES-256-GCM:+AEAD"},
	{"TLS_RSA_WITH_AES_128_CBC_SHA", ":+RSA:+AES-128-CBC:+SHA1"},
	{"TLS_RSA_WITH_AES_256_CBC_SHA", ":+RSA:+AES-256-CBC:+SHA1"},
};

static const struct tls_name curves[] = {
	{"CurveP256", ":+GROUP-SECP256R1"},
	{"CurveP384", ":+GROUP-SECP384R1"},
	{"CurveP521", ":+GROUP-SECP521R1"},
	{"X25519", ":+GROUP-X25519"},
};

static const char *find_parts(const struct tls_name *rows, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (STREQ(rows[i].name, name))
			return rows[i].parts;
	}
	return NULL;
}

const char *web_cipher_suite_parts(const char *name)
{
	return find_parts(cipher_suites, ARRAY_SIZE(cipher_suites), name);
}

const char *web_curve_parts(const char *name)
{
	return find_parts(curves, ARRAY_SIZE(curves), name);
}

/* ---- checks ---- */

static void check_names(struct binding *at, const char *what, const struct text_list *list,
			const struct tls_name *rows, size_t count)
{
	const char *names[ARRAY_SIZE(cipher_suites)];

	for (size_t i = 0; i < count; i++)
		names[i] = rows[i].name;
	for (size_t i = 0; i < list->count; i++) {
		const char *name = list->items[i].text, *nearest;

		if (!name || find_parts(rows, count, name))
			continue;
		nearest = suggest_nearest(name, names, count);
		binding_error(at, list->items[i].place, "unknown %s '%s'%s%s%s", what,
			      shown(name).text, nearest ? ", did you mean '" : "",
			      nearest ? nearest : "", nearest ? "'?" : "");
	}
}

/* Of what can be in the file or in one of its own: one of the two. */
static bool check_either(struct binding *at, const char *key, const char *file_key, bool required)
{
	bool inline_ = binding_has(at, key), file = binding_has(at, file_key);

	if (inline_ && file)
		binding_error(at, binding_place(at, file_key),
			      "'%s' and '%s' say the same: give one of them", key, file_key);
	if (required && binding_is_missing(at, key) && binding_is_missing(at, file_key))
		binding_error(at, at->place, "missing key '%s' in %s", file_key, at->schema->one);
	return inline_ || file;
}

static int check_tls(struct binding *at, void *item)
{
	const struct web_tls *t = item;
	bool verifies = t->client_auth >= CLIENT_AUTH_VERIFY_IF_GIVEN;
	bool has_ca;

	check_either(at, "cert", "cert_file", true);
	check_either(at, "key", "key_file", true);
	has_ca = check_either(at, "client_ca", "client_ca_file", false);
	if (verifies && !has_ca)
		binding_error(at, binding_place(at, "client_auth_type"),
			      "'client_auth_type: %s' needs 'client_ca_file': whose certificates "
			      "are good?",
			      client_auths[t->client_auth]);
	if (has_ca && t->client_auth == CLIENT_AUTH_NONE)
		binding_error(at,
			      binding_place(at, t->client_ca.text ? "client_ca" : "client_ca_file"),
			      "nobody is asked for a certificate without a 'client_auth_type', "
			      "such as %s",
			      client_auths[CLIENT_AUTH_REQUIRE_AND_VERIFY]);
	if (t->client_allowed_sans.count && !verifies)
		binding_error(at, binding_place(at, "client_allowed_sans"),
			      "names in certificates mean nothing unless these are verified; see "
			      "'client_auth_type'");
	if (t->min_version > t->max_version)
		binding_error(at, binding_place(at, "max_version"),
			      "'max_version' %s is below 'min_version' %s",
			      tls_versions[t->max_version], tls_versions[t->min_version]);
	check_names(at, "cipher suite", &t->cipher_suites, cipher_suites,
		    ARRAY_SIZE(cipher_suites));
	check_names(at, "curve", &t->curves, curves, ARRAY_SIZE(curves));
	return 0;
}

static void init_tls(void *item)
{
	struct web_tls *t = item;

	t->min_version = WEB_TLS_1_2;
	t->max_version = WEB_TLS_1_3;
}

static bool is_one_of(const char *text, const char *const *words)
{
	for (; *words; words++) {
		if (strcasecmp(text, *words) == 0)
			return true;
	}
	return false;
}

static int check_headers(struct binding *at, void *item)
{
	static const char *const frame_options[] = {"deny", "sameorigin", NULL};
	static const char *const type_options[] = {"nosniff", NULL};
	static const char *const *const words[WEB_HEADERS] = {
		[WEB_HEADER_FRAME_OPTIONS] = frame_options,
		[WEB_HEADER_CONTENT_TYPE_OPTIONS] = type_options,
	};
	const struct text *headers = item;

	for (size_t i = 0; i < WEB_HEADERS; i++) {
		const char *text = headers[i].text;

		if (!text)
			continue;
		for (const char *c = text; *c; c++) {
			if (iscntrl((unsigned char)*c)) {
				binding_error(at, headers[i].place,
					      "'%s': a control character cannot be in a header",
					      web_header_names[i]);
				break;
			}
		}
		if (words[i] && !is_one_of(text, words[i]))
			binding_error(at, headers[i].place, "'%s' is %s%s%s, not '%s'",
				      web_header_names[i], words[i][0], words[i][1] ? " or " : "",
				      words[i][1] ? words[i][1] : "", shown(text).text);
	}
	return 0;
}

/* "$2y$10$" and 53 characters more: the cost, or 0. */
static int bcrypt_cost(const char *hash)
{
	static const char alphabet[] =
		"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	enum { PREFIX = 7, LENGTH = 60 };

	if (strlen(hash) != LENGTH || strncmp(hash, "$2", 2) != 0 || !strchr("aby", hash[2]) ||
	    hash[3] != '$' || hash[6] != '$' || !isdigit((unsigned char)hash[4]) ||
	    !isdigit((unsigned char)hash[5]) || strspn(hash + PREFIX, alphabet) != LENGTH - PREFIX)
		return 0;
	return (hash[4] - '0') * 10 + hash[5] - '0';
}

/* Its line may hold a password where the hash should be: it is not shown. */
static void check_user(const struct binding *at, const struct mapping_row *user)
{
	const struct source unshown = {.name = at->source->name};
	const struct shown name = shown(user->from);
	int cost = bcrypt_cost(user->to);

	if (strchr(user->from, ':'))
		report_error(at->report, &unshown, user->place,
			     "user '%s': a name cannot have a colon", name.text);
	if (cost < COST_MIN)
		report_error(at->report, &unshown, user->place,
			     "user '%s': expected a bcrypt hash, which begins with $2y$, as "
			     "'htpasswd -nBC 10 NAME' makes it",
			     name.text);
	else if (cost > COST_MAX)
		report_error(at->report, &unshown, user->place,
			     "user '%s': a hash of cost %d takes too long to check; %d is the "
			     "most, 10 is usual",
			     name.text, cost, COST_MAX);
}

static int check_web(struct binding *at, void *item)
{
	const struct web_config *c = item;

	for (size_t i = 0; i < c->users.count; i++) {
		if (c->users.items[i].from && c->users.items[i].to)
			check_user(at, &c->users.items[i]);
	}
	return 0;
}

/* ---- the keys ---- */

#define AT(member) .offset = offsetof(struct web_tls, member)

static const struct key tls_keys[] = {
	{"cert_file", KEY_TEXT, AT(cert_file),
	 .doc = "file with the certificate and its chain, PEM"},
	{"key_file", KEY_TEXT, AT(key_file), .doc = "file with the key of the certificate, PEM"},
	{"cert", KEY_TEXT, AT(cert), .doc = "the certificate itself, instead of cert_file"},
	{"key", KEY_TEXT, AT(key), .doc = "the key itself, instead of key_file"},
	{"client_auth_type", KEY_ENUM, AT(client_auth), NAMES(client_auths),
	 .doc = "whether clients show a certificate, and whether it is verified"},
	{"client_ca_file", KEY_TEXT, AT(client_ca_file),
	 .doc = "file with the certificates that sign those of clients, PEM"},
	{"client_ca", KEY_TEXT, AT(client_ca), .doc = "the same itself, instead of client_ca_file"},
	{"client_allowed_sans", KEY_TEXTS, AT(client_allowed_sans),
	 .doc = "names one of which a client's certificate must have: DNS, mail, IP or URI"},
	{"min_version", KEY_ENUM, AT(min_version), NAMES(tls_versions),
	 .doc = "TLS12 unless given"},
	{"max_version", KEY_ENUM, AT(max_version), NAMES(tls_versions),
	 .doc = "TLS13 unless given"},
	{"cipher_suites", KEY_TEXTS, AT(cipher_suites),
	 .doc = "which suites are spoken before TLS 1.3, by their IANA names"},
	{"prefer_server_cipher_suites", KEY_BOOL, AT(prefer_server_ciphers),
	 .doc = "accepted; our order of suites always counts"},
	{"curve_preferences", KEY_TEXTS, AT(curves),
	 .doc = "CurveP256, CurveP384, CurveP521, X25519, in the order of preference"},
};

static const struct schema tls_schema = {"tls_server_config",    "tls_server_configs",
					 sizeof(struct web_tls), .placed = true,
					 KEYS(tls_keys),         .init = init_tls,
					 .check = check_tls};

#define HEADER(index) .offset = (index) * sizeof(struct text)

static const struct key header_keys[] = {
	{"Content-Security-Policy", KEY_TEXT, HEADER(WEB_HEADER_CSP), .doc = "sent as it is"},
	{"X-Frame-Options", KEY_TEXT, HEADER(WEB_HEADER_FRAME_OPTIONS),
	 .doc = "deny or sameorigin"},
	{"X-Content-Type-Options", KEY_TEXT, HEADER(WEB_HEADER_CONTENT_TYPE_OPTIONS),
	 .doc = "nosniff"},
	{"X-XSS-Protection", KEY_TEXT, HEADER(WEB_HEADER_XSS_PROTECTION), .doc = "sent as it is"},
	{"Strict-Transport-Security", KEY_TEXT, HEADER(WEB_HEADER_STRICT_TRANSPORT),
	 .doc = "sent as it is"},
};

static const struct schema headers_schema = {"headers", "headers",
					     sizeof(struct text) * WEB_HEADERS, KEYS(header_keys),
					     .check = check_headers};

static const struct key http_keys[] = {
	{"http2", KEY_BOOL, .offset = offsetof(struct web_http, http2),
	 .doc = "accepted; only HTTP/1.1 is spoken"},
	{"headers", KEY_MAPPING, .offset = offsetof(struct web_http, headers),
	 .sub = &headers_schema, .doc = "headers of every answer"},
};

static const struct schema http_schema = {"http_server_config", "http_server_configs",
					  sizeof(struct web_http), KEYS(http_keys)};

static const struct key web_keys[] = {
	{"tls_server_config", KEY_MAPPING, .offset = offsetof(struct web_config, tls),
	 .has = offsetof(struct web_config, has_tls), .sub = &tls_schema,
	 .doc = "serve by TLS alone"},
	{"http_server_config", KEY_MAPPING, .offset = offsetof(struct web_config, http),
	 .sub = &http_schema, .doc = "HTTP"},
	{"basic_auth_users", KEY_PAIRS, .offset = offsetof(struct web_config, users),
	 .doc = "user's name to bcrypt hash; who is none of them gets 401"},
};
/* clang-format on */

static const struct schema web_schema = {"the web config file", "web config files",
					 sizeof(struct web_config), KEYS(web_keys),
					 .check = check_web};

int web_config_parse(struct source source, struct report *r, struct web_config **ret)
{
	struct web_config *c = calloc(1, sizeof(*c));
	bool empty;
	int err;

	if (!c) {
		source_free(&source);
		return -ENOMEM;
	}
	c->source = source;
	err = bind_source(&web_schema, &c->source, r, c, &empty);
	if (err)
		web_config_free(c);
	else
		*ret = c;
	return err;
}

int web_config_parse_file(const char *path, struct report *r, struct web_config **ret)
{
	struct source source;
	int err = source_read(path, r, &source);

	return err ? err : web_config_parse(source, r, ret);
}

void web_config_free(struct web_config *c)
{
	if (!c)
		return;
	schema_free(&web_schema, c);
	source_free(&c->source);
	free(c);
}

bool web_config_is_likely(const char *path)
{
	return schema_is_likely(&web_schema, path);
}

void web_config_describe(void (*row)(void *ctx, const struct key_doc *key), void *ctx)
{
	schema_describe(&web_schema, row, ctx);
}
