# SPDX-License-Identifier: MIT
"""The web config file: TLS, client certificates, users, headers; all of it as curl, openssl and
Prometheus see it."""

import base64
import os
import re
import ssl
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from daemon import PATIENCE, PORT, command
from prometheus import Prometheus
from tls import Authority, bcrypt, hash_password
from waiting import until

# OpenSSL is the same on all kernels, and much of it where all is emulated.
pytestmark = pytest.mark.host

URL = f"https://localhost:{PORT}/metrics"


@pytest.fixture
def run(run_packets):
    return run_packets


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def web(tmp_path, authority):
    return Web(tmp_path, authority)


class Web:
    """A web config file with the server's certificate beside it."""

    def __init__(self, directory, authority):
        self.directory = directory
        self.path = directory / "web.yaml"
        self.authority = authority
        self.renew("server")

    def renew(self, name, key="ec"):
        cert, key = self.authority.sign(name, key=key)
        for made, to in ((cert, "server.crt"), (key, "server.key")):
            (self.directory / to).write_bytes(made.read_bytes())

    def write(self, tls="", rest="", certificate=True):
        lines = ["tls_server_config:", "  cert_file: server.crt", "  key_file: server.key"]
        lines += [f"  {line}" for line in tls.splitlines()]
        self.path.write_text("\n".join(lines if certificate else []) + "\n" + rest + "\n")
        return "--web.config.file", self.path


def run_in(namespace, *command):
    with namespace.entered():
        return subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60 * PATIENCE)


@pytest.fixture
def curl(here, authority):
    """(exit code, status, body)"""
    def get(*arguments):
        done = run_in(here, "curl", "--silent", "--show-error", "--cacert", authority.cert,
                      "--write-out", "\n%{http_code}", *arguments, URL)
        body, _, status = done.stdout.rpartition("\n")
        return done.returncode, int(status or 0), body

    return get


def served(result):
    return result[:2] == (0, 200) and "ebpf_exporter_build_info" in result[2]


# --- TLS

def test_versions(run, web, curl):
    run(*web.write())
    assert served(curl("--tlsv1.2", "--tls-max", "1.2"))
    assert served(curl("--tlsv1.3"))
    assert curl("--tls-max", "1.1")[0] == 35
    assert served(curl(*["--compressed"]))
    assert curl("--http1.1", "--head")[1] == 200


def test_only_tls_1_3(run, web, curl):
    run(*web.write("min_version: TLS13"))
    assert served(curl("--tlsv1.3"))
    assert curl("--tls-max", "1.2")[0] == 35


def test_only_tls_1_2(run, web, curl):
    run(*web.write("max_version: TLS12"))
    assert served(curl("--tlsv1.2"))
    assert curl("--tlsv1.3")[0] == 35


def connect_openssl(here, *arguments):
    return run_in(here, "openssl", "s_client", "-connect", f"127.0.0.1:{PORT}", *arguments).stdout


@pytest.mark.parametrize("key, offered, agreed", [
    ("rsa", "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384",
     "ECDHE-RSA-AES256-GCM-SHA384"),
    ("rsa", "ECDHE-RSA-AES128-GCM-SHA256", None),
    ("rsa", "ECDHE-RSA-CHACHA20-POLY1305", None),
    ("ec", "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-ECDSA-CHACHA20-POLY1305"),
    # Of the parts of what is listed, but not listed itself:
    ("ec", "ECDHE-ECDSA-AES256-GCM-SHA384", None),
])
def test_cipher_suites(here, run, web, curl, key, offered, agreed):
    web.renew(f"suites-{key}", key=key)
    run(*web.write("cipher_suites:\n"
                   "  - TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384\n"
                   "  - TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"))
    result = curl("--tlsv1.2", "--tls-max", "1.2", "--ciphers", offered)
    assert served(result) == (agreed is not None)
    if agreed:
        assert f"Cipher is {agreed}" in connect_openssl(here, "-tls1_2", "-cipher", offered)
    assert served(curl("--tlsv1.3"))  # which has suites of its own


def test_curves(here, run, web):
    run(*web.write("curve_preferences: [CurveP384]"))
    assert "Server Temp Key: ECDH, secp384r1" in connect_openssl(here, "-tls1_3")
    assert "Cipher is (NONE)" in connect_openssl(here, "-groups", "X25519")


def test_http2_is_not_offered(here, run, web):
    run(*web.write())
    assert "ALPN protocol: http/1.1" in connect_openssl(here, "-alpn", "h2,http/1.1")
    assert "No ALPN negotiated" in connect_openssl(here, "-alpn", "h2")


def test_plain_http_is_told(run, web):
    daemon = run(*web.write())
    status, headers, body = daemon.request()
    assert status == 400 and b"https://" in body and headers["Connection"] == "close"
    with daemon.connect() as sock:
        sock.sendall(b"\x80\x00no TLS at all")
        with suppress(ConnectionResetError):
            assert not re.match(rb"HTTP", sock.recv(100))
    assert daemon.complaints() == []


def test_connection_is_used_again(run, web, curl):
    run(*web.write())
    code, _, body = curl("--verbose", "--stderr", "-", URL, URL)
    assert code == 0 and body.count("Re-using existing connection") == 2


def test_inline_certificates(run, web, curl):
    def pem(key, name):
        text = (web.directory / name).read_text()
        return f"  {key}: |\n" + "".join(f"    {line}\n" for line in text.splitlines())

    web.path.write_text("tls_server_config:\n" + pem("cert", "server.crt") +
                        pem("key", "server.key"))
    run("--web.config.file", web.path)
    assert served(curl())


# --- client certificates

@pytest.fixture(scope="module")
def clients(authority, tmp_path_factory):
    """Arguments of curl: without, with one of ours, with one of a stranger."""
    stranger = Authority(tmp_path_factory.mktemp("stranger"), "stranger")

    def arguments(pair):
        return ["--cert", pair[0], "--key", pair[1]]

    return {"none": [],
            "ours": arguments(authority.sign("client", "DNS:scraper.example,IP:192.0.2.1")),
            "strange": arguments(stranger.sign("other", "DNS:scraper.example"))}


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("mode, allowed", [
    ("NoClientCert", ["none", "ours", "strange"]),
    ("RequestClientCert", ["none", "ours", "strange"]),
    ("RequireAnyClientCert", ["ours", "strange"]),
    ("VerifyClientCertIfGiven", ["none", "ours"]),
    ("RequireAndVerifyClientCert", ["ours"]),
])
def test_client_certificates(run, web, curl, clients, mode, allowed, version):
    ca = f"client_ca_file: {web.authority.cert}" if "Verify" in mode else ""
    daemon = run(*web.write(f"client_auth_type: {mode}\n{ca}"))
    for who, arguments in clients.items():
        result = curl(f"--tlsv{version}", "--tls-max", version, *arguments)
        assert served(result) == (who in allowed), (who, result[:2])
    assert daemon.complaints() == []


@pytest.mark.parametrize("names, good", [
    ("[scraper.example]", True), ("[a, 192.0.2.1]", True),
    ("[example]", False), ("[client]", False),
])
def test_client_names(run, web, curl, clients, names, good):
    run(*web.write("client_auth_type: RequireAndVerifyClientCert\n"
                   f"client_ca_file: {web.authority.cert}\nclient_allowed_sans: {names}"))
    assert served(curl(*clients["ours"])) == good


# --- what changes while it runs

def shown_name(here):
    return re.search(r"subject=CN = (\S+)", connect_openssl(here))[1]


def test_renewed_certificate(here, run, web, curl):
    """Files are replaced one after the other; a connection that there is goes on."""
    daemon = run(*web.write())
    assert shown_name(here) == "server"
    with daemon.connect() as sock, wrapped(sock, web) as before:
        ask(before)
        web.renew("renewed")
        until(lambda: shown_name(here) == "renewed", 10 * PATIENCE, "the new certificate")
        ask(before)
    assert served(curl())
    assert daemon.complaints() == []


def wrapped(sock, web):
    return ssl.create_default_context(cafile=web.authority.cert).wrap_socket(
        sock, server_hostname="localhost")


def ask(sock, credentials=b""):
    """One more request; what the answer says of the connection."""
    sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic " + credentials +
                 b"\r\n\r\n")
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += sock.recv(1) or pytest.fail(f"closed after {head}")
    left = int(re.search(rb"Content-Length: (\d+)", head)[1])
    while left:
        left -= len(sock.recv(left)) or pytest.fail("closed")
    assert head.startswith(b"HTTP/1.1 200 ")
    said = re.search(rb"Connection: (\S+)", head)
    return said[1].decode() if said else ""


def test_wrong_certificate_while_running(here, run, web, curl):
    """What cannot be used is told, and what was before goes on."""
    daemon = run(*web.write())
    (web.directory / "server.crt").write_text("nothing")
    until(lambda: served(curl()) and "is refused, what was before goes on" in daemon.log(),
          15 * PATIENCE, "the refusal is logged")
    assert "there is no PEM" in daemon.log()
    web.renew("again")
    until(lambda: shown_name(here) == "again", 10 * PATIENCE, "the new certificate")


# --- users

def users(**passwords):
    return "basic_auth_users:\n" + "".join(f"  {name}: {bcrypt(password)}\n"
                                           for name, password in passwords.items())


def test_users(run, web, curl):
    daemon = run(*web.write(rest=users(prometheus="secret", other="pass:word")))
    assert served(curl("--user", "prometheus:secret"))
    assert served(curl("--user", "other:pass:word"))
    for user in ("prometheus:wrong", "prometheus:", "nobody:secret", "other:secret", ":secret",
                 "prometheus:secret" + "t" * 600):
        assert curl("--user", user)[:2] == (0, 401), user
    code, status, body = curl()
    assert (code, status) == (0, 401) and "401" in body
    assert daemon.complaints() == []


def test_users_without_tls(run, web):
    daemon = run(*web.write(rest=users(prometheus="secret"), certificate=False))
    good = base64.b64encode(b"prometheus:secret").decode()
    assert daemon.request(headers={"Authorization": f"Basic {good}"})[0] == 200
    assert daemon.request("/nothing", headers={"Authorization": f"basic {good}"})[0] == 404
    for wrong in (f"Bearer {good}", "Basic", "Basic !", f"Basic {good[1:]}", f"{good}"):
        status, headers, _ = daemon.request("/nothing", headers={"Authorization": wrong})
        assert status == 401, wrong
        assert headers["WWW-Authenticate"].startswith('Basic realm="wiregauge"')


def test_a_user_is_removed(run, web):
    """Whoever stays connected learns of it too."""
    daemon = run(*web.write(rest=users(prometheus="secret"), certificate=False))
    good = base64.b64encode(b"prometheus:secret")
    with daemon.connect() as sock:
        assert "close" not in ask(sock, good)
        web.write(rest=users(other="secret"), certificate=False)
        until(lambda: "close" in ask(sock, good), 10 * PATIENCE, "the connection ends")
        assert sock.recv(1) == b""
    headers = {"Authorization": f"Basic {good.decode()}"}
    assert daemon.request(headers=headers)[0] == 401


def test_known_password_is_not_checked_again(run, web):
    """Hundreds of requests within the time that one check takes, which is seconds of its thread."""
    hashed = bcrypt("secret", 12)
    daemon = run(*web.write(rest=f"basic_auth_users: {{prometheus: {hashed}}}", certificate=False))
    good = {"Authorization": "Basic " + base64.b64encode(b"prometheus:secret").decode()}
    assert daemon.request("/", headers=good)[0] == 200
    before = processor_seconds(daemon)
    for _ in range(200):
        assert daemon.request("/", headers=good)[0] == 200
    once = check_seconds(hashed)
    assert processor_seconds(daemon) - before < 100 * once


def check_seconds(hashed):
    began = time.process_time()
    hash_password("secret", hashed)
    return time.process_time() - began


def processor_seconds(daemon):
    fields = Path(f"/proc/{daemon.pid}/stat").read_text().rsplit(")")[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_guesses_keep_nobody_out(run, web):
    """Whoever is known is served while others try one password after the other."""
    daemon = run(*web.write(rest=f"basic_auth_users: {{prometheus: {bcrypt('secret', 10)}}}",
                            certificate=False))
    good = {"Authorization": "Basic " + base64.b64encode(b"prometheus:secret").decode()}
    assert daemon.request("/", headers=good)[0] == 200
    statuses = []

    def guess(n):
        for i in range(10):
            pair = base64.b64encode(f"prometheus:{n}-{i}".encode()).decode()
            statuses.append(daemon.request("/", headers={"Authorization": f"Basic {pair}"})[0])

    threads = [threading.Thread(target=guess, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    served_meanwhile = 0
    while any(thread.is_alive() for thread in threads):
        assert daemon.request("/", headers=good)[0] == 200
        served_meanwhile += 1
    for thread in threads:
        thread.join()
    assert served_meanwhile and set(statuses) == {401, 429}


def test_headers(run, web):
    daemon = run(*web.write(certificate=False, rest="""
http_server_config:
  http2: true
  headers:
    X-Frame-Options: deny
    Strict-Transport-Security: max-age=31536000
"""))
    for path in ("/metrics", "/", "/nothing"):
        _, headers, _ = daemon.request(path)
        assert headers["X-Frame-Options"] == "deny"
        assert headers["Strict-Transport-Security"] == "max-age=31536000"


# --- what is wrong

@pytest.mark.parametrize("text, told", [
    ("tls_server_config: {cert_file: no.crt, key_file: server.key}",
     "web.yaml:1:32: error: cannot open"),
    ("tls_server_config: {cert_file: server.key, key_file: server.key}",
     "the certificate is refused"),
    ("tls_server_config: {cert_file: server.crt, key_file: other.key}",
     "the key is not the one of this certificate"),
    ("tls_server_config: {cert_fil: server.crt, key_file: server.key}",
     "did you mean 'cert_file'?"),
    ("basic_auth_users: {me: secret}", "user 'me': expected a bcrypt hash"),
])
def test_wrong_files_are_refused(launch, web, text, told):
    (web.directory / "other.key").write_bytes(web.authority.key.read_bytes())
    web.path.write_text(text + "\n")
    code, log = launch("--web.config.file", web.path).fails()
    assert code == 2 and told in log and "secret" not in log
    for arguments in (("config", "check", web.path),
                      ("run", "--config.check", "--web.config.file", web.path)):
        done = command(*arguments)
        assert done.returncode == 2 and told in done.stderr


def test_good_file_is_checked(web):
    web.write(rest=users(prometheus="secret"))
    done = command("config", "check", web.path)
    assert (done.returncode, done.stderr) == (0, "")


def test_check_looks_at_the_address():
    done = command("run", "--config.check", "--web.listen-address", "nowhere")
    assert done.returncode == 2 and "is no address to listen at" in done.stderr
    assert command("run", "--config.check", "--web.listen-address", ":9435").returncode == 0


# --- Prometheus itself

def test_prometheus_scrapes(here, run, web, cleanup, prometheus_binary, tmp_path):
    run(*web.write(rest=users(prometheus="secret")))
    job = {"scheme": "https", "static_configs": [{"targets": [f"127.0.0.1:{PORT}"]}],
           "tls_config": {"ca_file": str(web.authority.cert), "server_name": "localhost"},
           "basic_auth": {"username": "prometheus", "password": "secret"}}
    prometheus = cleanup.enter_context(
        Prometheus(here, tmp_path, prometheus_binary, {"daemon": job}))
    prometheus.wait_scraped(["daemon"])
    assert prometheus.number("count(ebpf_exporter_build_info)") == 1
