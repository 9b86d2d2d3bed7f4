// SPDX-License-Identifier: MIT
#include "http/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/x509.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"

enum { PEM_MAX = 1 << 20, SAN_MAX = 512 };

struct tls {
	const struct web_tls *config; /* of a struct web_config that lives longer */
	gnutls_certificate_credentials_t credentials;
	gnutls_priority_t priority;
};

char *tls_path(const struct web_config *c, const char *name)
{
	_cleanup_free_ char *copy = strdup(c->source.name);
	char *path = NULL;

	if (!copy)
		return NULL;
	if (name[0] == '/')
		return strdup(name);
	return asprintf(&path, "%s/%s", dirname(copy), name) < 0 ? NULL : path;
}

/* ---- reading certificates ---- */

/* A PEM text, from the config itself or from the file that it names. */
struct pem {
	gnutls_datum_t data;
	struct place place; /* of what named it */
	void *memory;
};

static void pem_free(struct pem *p)
{
	if (p->memory)
		gnutls_memset(p->memory, 0, p->data.size);
	free(p->memory);
}

static int pem_read(const struct web_config *c, struct report *r, const struct text *text,
		    const struct text *file, struct pem *ret)
{
	_cleanup_free_ char *path = NULL;
	struct error error;
	size_t len;

	*ret = (struct pem){.place = text->text ? text->place : file->place};
	if (text->text) {
		ret->data =
			(gnutls_datum_t){(unsigned char *)text->text, (unsigned)strlen(text->text)};
		return 0;
	}
	path = tls_path(c, file->text);
	if (!path)
		return -ENOMEM;
	if (file_read(path, PEM_MAX, &ret->memory, &len, &error))
		return report_error(r, &c->source, file->place, "%s", error.text);
	ret->data = (gnutls_datum_t){ret->memory, (unsigned)len};
	return 0;
}

/* Why GnuTLS does not take a certificate and its key, in words that say what to do. */
static const char *explain(int code)
{
	if (code == GNUTLS_E_CERTIFICATE_KEY_MISMATCH)
		return "the key is not the one of this certificate";
	if (code == GNUTLS_E_BASE64_DECODING_ERROR || code == GNUTLS_E_ASN1_TAG_ERROR ||
	    code == GNUTLS_E_BASE64_UNEXPECTED_HEADER_ERROR ||
	    code == GNUTLS_E_NO_CERTIFICATE_FOUND)
		return "there is no PEM ('-----BEGIN …') of a certificate and its key";
	if (code == GNUTLS_E_DECRYPTION_FAILED)
		return "the key is protected by a password";
	return gnutls_strerror(code);
}

static int read_certificate(struct tls *t, const struct web_config *c, struct report *r)
{
	_cleanup_(pem_free) struct pem cert = {{0}}, key = {{0}};
	int err = pem_read(c, r, &c->tls.cert, &c->tls.cert_file, &cert);
	int code;

	if (!err)
		err = pem_read(c, r, &c->tls.key, &c->tls.key_file, &key);
	if (err)
		return err;
	code = gnutls_certificate_set_x509_key_mem(t->credentials, &cert.data, &key.data,
						   GNUTLS_X509_FMT_PEM);
	if (code < 0)
		return report_error(r, &c->source, cert.place, "the certificate is refused: %s",
				    explain(code));
	return 0;
}

static int read_client_ca(struct tls *t, const struct web_config *c, struct report *r)
{
	_cleanup_(pem_free) struct pem ca = {{0}};
	int err, code;

	if (!c->tls.client_ca.text && !c->tls.client_ca_file.text)
		return 0;
	err = pem_read(c, r, &c->tls.client_ca, &c->tls.client_ca_file, &ca);
	if (err)
		return err;
	code = gnutls_certificate_set_x509_trust_mem(t->credentials, &ca.data, GNUTLS_X509_FMT_PEM);
	if (code > 0)
		return 0;
	return report_error(r, &c->source, ca.place, "there is no PEM of a certificate: %s",
			    code ? gnutls_strerror(code) : "nothing at all");
}

/* ---- versions, suites, curves ---- */

static const char *const versions[WEB_TLS_VERSIONS] = {
	[WEB_TLS_1_0] = ":+VERS-TLS1.0",
	[WEB_TLS_1_1] = ":+VERS-TLS1.1",
	[WEB_TLS_1_2] = ":+VERS-TLS1.2",
	[WEB_TLS_1_3] = ":+VERS-TLS1.3",
};

static void add_suites(struct buf *b, const struct web_tls *config)
{
	buf_add_str(b, ":-KX-ALL:-CIPHER-ALL:-MAC-ALL");
	for (size_t i = 0; i < config->cipher_suites.count; i++)
		buf_add_str(b, web_cipher_suite_parts(config->cipher_suites.items[i].text));
	/* TLS 1.3 has its own, which no list leaves out. */
	buf_add_str(b, ":+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:+AEAD");
}

static int set_priority(struct tls *t)
{
	const struct web_tls *config = t->config;
	_cleanup_buf_ struct buf b = {0};
	const char *wrong;
	int code;

	buf_add_str(&b, "NORMAL:%SERVER_PRECEDENCE:-VERS-ALL");
	for (size_t v = config->min_version; v <= config->max_version; v++)
		buf_add_str(&b, versions[v]);
	if (config->cipher_suites.count)
		add_suites(&b, config);
	if (config->curves.count)
		buf_add_str(&b, ":-GROUP-ALL");
	for (size_t i = 0; i < config->curves.count; i++)
		buf_add_str(&b, web_curve_parts(config->curves.items[i].text));
	code = gnutls_priority_init(&t->priority, buf_str(&b), &wrong);
	if (code)
		log_error("GnuTLS does not take '%s': %s", buf_str(&b), gnutls_strerror(code));
	return code ? -EINVAL : 0;
}

bool tls_is_acceptable(const struct tls *t, gnutls_session_t session)
{
	const struct text_list *suites = &t->config->cipher_suites;
	const char *name = gnutls_ciphersuite_get(session);

	if (suites->count == 0 || gnutls_protocol_get_version(session) == GNUTLS_TLS1_3)
		return true;
	/* GnuTLS takes any combination of the parts of the suites. */
	for (size_t i = 0; i < suites->count; i++) {
		if (name && STREQ(suites->items[i].text, name))
			return true;
	}
	return false;
}

/* ---- clients' certificates ---- */

static bool is_allowed(const struct web_tls *config, const char *name)
{
	const struct text_list *allowed = &config->client_allowed_sans;

	for (size_t i = 0; i < allowed->count; i++) {
		if (STREQ(allowed->items[i].text, name))
			return true;
	}
	return false;
}

/* The name @index of @cert as text; false past the last one. What is no text gives "". */
static bool get_name(gnutls_x509_crt_t cert, unsigned index, char *to)
{
	char name[SAN_MAX];
	size_t len = sizeof(name) - 1;
	int type = gnutls_x509_crt_get_subject_alt_name(cert, index, name, &len, NULL);
	bool is_text = type == GNUTLS_SAN_DNSNAME || type == GNUTLS_SAN_RFC822NAME ||
		       type == GNUTLS_SAN_URI;

	to[0] = '\0';
	if (type == GNUTLS_SAN_IPADDRESS && (len == 4 || len == 16)) {
		inet_ntop(len == 4 ? AF_INET : AF_INET6, name, to, SAN_MAX);
	} else if (is_text && !memchr(name, '\0', len)) {
		memcpy(to, name, len);
		to[len] = '\0';
	}
	return type >= 0 || type == GNUTLS_E_SHORT_MEMORY_BUFFER;
}

static bool has_allowed_name(const struct web_tls *config, const gnutls_datum_t *leaf)
{
	char name[SAN_MAX];
	gnutls_x509_crt_t cert;
	bool found = false;

	if (gnutls_x509_crt_init(&cert))
		return false;
	if (gnutls_x509_crt_import(cert, leaf, GNUTLS_X509_FMT_DER) == 0) {
		for (unsigned i = 0; !found && get_name(cert, i, name); i++)
			found = name[0] && is_allowed(config, name);
	}
	gnutls_x509_crt_deinit(cert);
	return found;
}

/* Called within the handshake: 0 lets the client in. */
static int verify_client(gnutls_session_t session)
{
	gnutls_typed_vdata_st purpose = {GNUTLS_DT_KEY_PURPOSE_OID,
					 (unsigned char *)GNUTLS_KP_TLS_WWW_CLIENT, 0};
	const struct tls *t = gnutls_session_get_ptr(session);
	const gnutls_datum_t *certs;
	unsigned n = 0, status = 0;

	certs = gnutls_certificate_get_peers(session, &n);
	if (t->config->client_auth < CLIENT_AUTH_VERIFY_IF_GIVEN || !certs || n == 0)
		return 0; /* one that is required and missing has failed already */
	if (gnutls_certificate_verify_peers(session, &purpose, 1, &status) || status) {
		log_debug("a client's certificate is not trusted: status %#x", status);
		return GNUTLS_E_CERTIFICATE_ERROR;
	}
	if (t->config->client_allowed_sans.count && !has_allowed_name(t->config, &certs[0])) {
		log_debug("a client's certificate has none of the allowed names");
		return GNUTLS_E_CERTIFICATE_ERROR;
	}
	return 0;
}

/* ---- life ---- */

/* Where nothing wants GnuTLS it stays as it was linked: to be made ready takes 1 MB. */
GNUTLS_SKIP_GLOBAL_INIT

int tls_start_library(void)
{
	return gnutls_global_init() ? -ENOMEM : 0;
}

int tls_new(const struct web_config *c, struct report *r, struct tls **ret)
{
	struct tls *t = calloc(1, sizeof(*t));
	int err;

	if (!t)
		return -ENOMEM;
	t->config = &c->tls;
	err = tls_start_library();
	if (!err && gnutls_certificate_allocate_credentials(&t->credentials))
		err = -ENOMEM;
	if (!err)
		err = read_certificate(t, c, r);
	if (!err)
		err = read_client_ca(t, c, r);
	if (!err && set_priority(t))
		err = report_error(r, &c->source, c->tls.place,
				   "these versions, suites and curves do not go together");
	if (err) {
		tls_free(t);
		return err;
	}
	gnutls_certificate_set_verify_function(t->credentials, verify_client);
	*ret = t;
	return 0;
}

void tls_free(struct tls *t)
{
	if (!t)
		return;
	if (t->credentials)
		gnutls_certificate_free_credentials(t->credentials);
	if (t->priority)
		gnutls_priority_deinit(t->priority);
	free(t);
}

static const gnutls_certificate_request_t requests[] = {
	[CLIENT_AUTH_NONE] = GNUTLS_CERT_IGNORE,
	[CLIENT_AUTH_REQUEST] = GNUTLS_CERT_REQUEST,
	[CLIENT_AUTH_REQUIRE_ANY] = GNUTLS_CERT_REQUIRE,
	[CLIENT_AUTH_VERIFY_IF_GIVEN] = GNUTLS_CERT_REQUEST,
	[CLIENT_AUTH_REQUIRE_AND_VERIFY] = GNUTLS_CERT_REQUIRE,
};

int tls_open(struct tls *t, int fd, gnutls_session_t *ret)
{
	const gnutls_datum_t http = {(unsigned char *)"http/1.1", 8};
	gnutls_session_t session;

	if (gnutls_init(&session, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL))
		return -ENOMEM;
	if (gnutls_priority_set(session, t->priority) ||
	    gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, t->credentials) ||
	    gnutls_alpn_set_protocols(session, &http, 1, 0)) {
		gnutls_deinit(session);
		return -ENOMEM;
	}
	gnutls_certificate_server_set_request(session, requests[t->config->client_auth]);
	gnutls_session_set_ptr(session, t);
	gnutls_transport_set_int(session, fd);
	*ret = session;
	return 0;
}
