// SPDX-License-Identifier: MIT
/* What only the static build (-Dstatic=true) has: a program that loads no shared object, on
 * whatever system it is run. */
#include <nss.h>
#include <stddef.h>

/*
 * Debian has no archive of p11-kit, by which GnuTLS loads modules for keys on smart cards and the
 * like ("pkcs11:…" in place of a file): shared objects, which is what a static program cannot load.
 * So that there are none is all that is to be said. The names are those that libgnutls.a asks for.
 */
#define NO_OBJECT(name)                                                                            \
	void *name(void);                                                                          \
	void *name(void)                                                                           \
	{                                                                                          \
		return NULL;                                                                       \
	}
#define NO_SUCCESS(name)                                                                           \
	int name(void);                                                                            \
	int name(void)                                                                             \
	{                                                                                          \
		return -1;                                                                         \
	}

NO_OBJECT(p11_kit_config_option)
NO_OBJECT(p11_kit_message)
NO_OBJECT(p11_kit_module_get_flags)
NO_OBJECT(p11_kit_module_get_name)
NO_OBJECT(p11_kit_module_load)
NO_OBJECT(p11_kit_module_release)
NO_OBJECT(p11_kit_modules_load)
NO_OBJECT(p11_kit_pin_file_callback)
NO_OBJECT(p11_kit_pin_get_length)
NO_OBJECT(p11_kit_pin_get_value)
NO_OBJECT(p11_kit_pin_new_for_string)
NO_OBJECT(p11_kit_pin_request)
NO_OBJECT(p11_kit_pin_unref)
NO_OBJECT(p11_kit_pin_unregister_callback)
NO_OBJECT(p11_kit_space_strdup)
NO_OBJECT(p11_kit_space_strlen)
NO_OBJECT(p11_kit_strerror)
NO_OBJECT(p11_kit_uri_free)
NO_OBJECT(p11_kit_uri_get_attribute)
NO_OBJECT(p11_kit_uri_get_attributes)
NO_OBJECT(p11_kit_uri_get_module_info)
NO_OBJECT(p11_kit_uri_get_pin_source)
NO_OBJECT(p11_kit_uri_get_pin_value)
NO_OBJECT(p11_kit_uri_get_token_info)
NO_OBJECT(p11_kit_uri_match_module_info)
NO_OBJECT(p11_kit_uri_match_token_info)
NO_OBJECT(p11_kit_uri_new)
NO_SUCCESS(p11_kit_module_finalize)
NO_SUCCESS(p11_kit_pin_register_callback)
NO_SUCCESS(p11_kit_uri_format)
NO_SUCCESS(p11_kit_uri_parse)
NO_SUCCESS(p11_kit_uri_set_attribute)

/* Names are looked up in files and DNS, whatever nsswitch.conf says: its other ways are shared
 * objects of this host's C library, which may be another one. */
__attribute__((constructor)) static void look_up_names_without_plugins(void)
{
	(void)__nss_configure_lookup("passwd", "files");
	(void)__nss_configure_lookup("group", "files");
	(void)__nss_configure_lookup("services", "files");
	(void)__nss_configure_lookup("hosts", "files dns");
}
