# SPDX-License-Identifier: MIT
"""Certificates of a test's own, made by openssl, and hashes of passwords."""

import ctypes
import secrets
import subprocess


def openssl(*arguments, stdin=""):
    done = subprocess.run(["openssl", *map(str, arguments)], input=stdin, capture_output=True,
                          text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Authority:
    """One that signs; its files are in @directory."""

    def __init__(self, directory, name="authority"):
        self.directory = directory
        self.cert, self.key = directory / f"{name}.crt", directory / f"{name}.key"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                "-nodes", "-days", 1, "-subj", f"/CN={name}", "-keyout", self.key,
                "-out", self.cert)

    def sign(self, name, sans="DNS:localhost,IP:127.0.0.1", key="ec"):
        """(certificate, key)"""
        cert, key_file = self.directory / f"{name}.crt", self.directory / f"{name}.key"
        request = self.directory / f"{name}.csr"
        kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"] if key == "ec" \
            else ["-newkey", "rsa:2048"]
        openssl("req", *kind, "-nodes", "-subj", f"/CN={name}", "-addext",
                f"subjectAltName={sans}", "-keyout", key_file, "-out", request)
        openssl("x509", "-req", "-in", request, "-CA", self.cert, "-CAkey", self.key,
                "-copy_extensions", "copy", "-days", 1, "-out", cert)
        return cert, key_file


libcrypt = ctypes.CDLL("libcrypt.so.1")
libcrypt.crypt.restype = ctypes.c_char_p


def hash_password(password, setting):
    return libcrypt.crypt(password.encode(), setting.encode()).decode()


def bcrypt(password, cost=4):
    """Cheap unless told otherwise: a test has no time."""
    return hash_password(password, f"$2y${cost:02}${secrets.token_hex(11)}")
