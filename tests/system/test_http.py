# SPDX-License-Identifier: MIT
"""What Prometheus, curl and the rude send, and what they get."""

import gzip
import re
import resource
import socket
import subprocess
import threading
import time
from pathlib import Path
from contextlib import ExitStack

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import ARP, Ether

from daemon import PATIENCE, PORT, Samples
from waiting import until

ETHER = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
FRAMES = [ETHER / IP() / UDP() / bytes(50), ETHER / ARP()]
PACKETS = "wiregauge_interface_packets_total"
REQUEST = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture
def daemon(here, there, run):
    """One with traffic, which is the test's alone: none by its own scrapes."""
    daemon = run("--module", "packets", "--option", "tc.interfaces=wire")
    here.send_frames("wire", FRAMES)
    return daemon


def assert_serves(daemon):
    began = time.monotonic()
    assert daemon.scrape().total(PACKETS, interface="wire") == len(FRAMES)
    assert time.monotonic() - began < 2 * PATIENCE


def series(text):
    """What does not change between two scrapes."""
    return [line for line in text.splitlines() if not line.startswith("process_")]


# --- the exposition

def test_promtool_finds_nothing(daemon, promtool):
    done = subprocess.run([promtool, "check", "metrics"], input=daemon.scrape().text,
                          capture_output=True, text=True)
    said = (done.stdout + done.stderr).splitlines()
    if Path("/proc/sys/kernel/bpf_stats_enabled").read_text() != "0\n":
        # A name of ebpf_exporter's, which is there then.
        said = [line for line in said
                if not line.startswith("ebpf_exporter_ebpf_program_run_time_seconds ")]
        assert done.returncode in (0, 3)
    else:
        assert done.returncode == 0
    assert not said


def test_exposition_is_sorted_and_complete(daemon):
    status, headers, body = daemon.request()
    assert status == 200
    assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    samples = Samples(body.decode())
    names = re.findall(r"^# TYPE (\S+) ", samples.text, re.M)
    assert names == sorted(names) and len(names) == len(set(names))
    assert names == re.findall(r"^# HELP (\S+) \S", samples.text, re.M)
    keys = [(name, tuple(sorted(labels.items()))) for name, labels, _ in samples.rows]
    assert len(keys) == len(set(keys))
    for line in samples.text.splitlines():
        if (labels := re.match(r"\w+\{(.*)\} ", line)):
            found = [name for name in re.findall(r'(\w+)="', labels[1]) if name != "le"]
            assert found == sorted(found), line
    programs = samples.select("ebpf_exporter_ebpf_program_info", config="tc")
    assert {labels["program"] for labels, _ in programs} >= {"tc_ingress", "tc_egress"}
    assert samples.value("ebpf_exporter_enabled_configs", name="packets") == 1
    assert samples.value("process_open_fds") > 0


def test_concurrent_scrapes_agree(daemon):
    results = []

    def scrape():
        for _ in range(10):
            results.append(series(daemon.scrape().text))

    threads = [threading.Thread(target=scrape) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 80
    assert all(result == results[0] for result in results)


# --- the protocol

@pytest.mark.parametrize("accept, compressed", [
    ("gzip", True),
    ("GZip", True),
    ("gzip;q=0.5, deflate", True),
    ("deflate, gzip;q=1.0, *;q=0.5", True),
    ("identity;q=0.1,\tgzip", True),
    ("*", True),
    ("gzip;q=0", False),
    ("gzip; q=0.000", False),
    ("deflate, br", False),
    ("gzipped", False),
    ("*;q=0", False),
    ("gzip;q=0, *", False),
    ("", False),
    (None, False),
])
def test_compression_is_negotiated(daemon, accept, compressed):
    status, headers, body = daemon.request(headers={} if accept is None else
                                           {"Accept-Encoding": accept})
    assert status == 200
    assert headers["Content-Encoding"] == ("gzip" if compressed else None)
    assert headers["Vary"] == "Accept, Accept-Encoding"
    assert int(headers["Content-Length"]) == len(body)
    text = gzip.decompress(body) if compressed else body
    assert series(text.decode()) == series(daemon.scrape().text)


def test_curl_compressed(here, daemon):
    text = here.run("curl", "--silent", "--fail", "--compressed", f"localhost:{PORT}/metrics")
    assert series(text) == series(daemon.scrape().text)


def test_many_requests_on_one_connection(daemon):
    with daemon.connect() as sock:
        for _ in range(5):
            sock.sendall(REQUEST + b"\r\n")
            assert read_response(sock).startswith(b"HTTP/1.1 200")
        sock.sendall((REQUEST + b"\r\n") * 3)
        for _ in range(3):
            assert read_response(sock).startswith(b"HTTP/1.1 200")


def read_response(sock):
    """Head and body, and not a byte more."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += sock.recv(1) or pytest.fail(f"closed after {head}")
    left = int(re.search(rb"(?i)content-length: (\d+)", head)[1])
    while left:
        left -= len(sock.recv(left)) or pytest.fail("closed within the body")
    return head


def test_head_has_no_body(daemon):
    for path in ("/metrics", "/"):
        status, headers, body = daemon.request(path, "HEAD")
        assert (status, body) == (200, b"")
        assert int(headers["Content-Length"]) > 100


@pytest.mark.parametrize("path", ["/nothing", "/metrics/", "/metrics/x", "//metrics", "/maps",
                                  "/../etc/passwd", "/%2e%2e/etc/passwd", "/v1/status"])
def test_other_paths_are_not_found(daemon, path):
    assert daemon.request(path)[0] == 404


def test_query_is_ignored(daemon):
    assert daemon.request("/metrics?name[]=x")[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"])
def test_other_methods_are_refused(daemon, method):
    status, headers, _ = daemon.request("/metrics", method)
    assert status == 405
    assert headers["Allow"] == "GET, HEAD"
    assert daemon.request("/nothing", method)[0] == 404


def test_page_lists_modules(daemon):
    status, headers, body = daemon.request("/")
    assert status == 200 and headers["Content-Type"].startswith("text/html")
    for text in (b"packets", b"Packets, bytes and sizes", b"href='/metrics'"):
        assert text in body


def test_maps_with_debug_only(here, there, run):
    daemon = run("--debug")
    here.send_frames("wire", FRAMES)
    status, _, body = daemon.request("/maps")
    assert status == 200
    assert re.search(rb"# tc packets_traffic: key 8 bytes, value 112 bytes.*\n[0-9a-f]{16}: ", body)


def test_telemetry_path(run):
    daemon = run("--web.telemetry-path", "/some/where")
    assert daemon.request("/some/where")[0] == 200
    assert daemon.request("/metrics")[0] == 404
    assert b"href='/some/where'" in daemon.request("/")[2]


# --- the rude

def exchange(daemon, data):
    """Sends whatever it is; all that comes back until the connection is closed or silent."""
    with daemon.connect() as sock:
        sock.settimeout(1 * PATIENCE)
        answer = b""
        try:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            while piece := sock.recv(1 << 16):
                answer += piece
        except OSError:  # closed, reset or silent
            pass
    return answer


@pytest.mark.parametrize("data", [
    b"\r\n\r\n",
    b"GET\r\n\r\n",
    b"GET /metrics\r\n\r\n",
    b"GET /metrics HTTP/9.9\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\n\r\n",  # no Host
    b"GET  /metrics  HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /metrics HTTP/1.1\nHost: x\n\n",
    b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: x\r\nA" * 3000 + b"\r\n\r\n",
    REQUEST + b"Content-Length: -1\r\n\r\n",
    REQUEST + b"Content-Length: 99999999999999999999\r\n\r\n",
    REQUEST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    REQUEST + b"Transfer-Encoding: chunked\r\n\r\nzzzz\r\n",
    REQUEST + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
    REQUEST + b"Content-Length: 100\r\n\r\nonly this",
    REQUEST + b"Accept-Encoding: " + b"," * 4000 + b"gzip;q=\r\n\r\n",
    REQUEST + b"Accept-Encoding: gzip;q=" + b"9" * 3000 + b"\r\n\r\n",
    REQUEST + b": nameless\r\n\r\n",
    REQUEST + b"Folded: a\r\n b\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),  # a TLS hello
    bytes(range(256)) * 10,
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
], ids=lambda data: repr(data[:60])[2:-1])
def test_malformed_requests(daemon, data):
    answer = exchange(daemon, data)
    assert not answer or re.match(rb"HTTP/1\.[01] (200|4\d\d|5\d\d) ", answer)
    assert_serves(daemon)
    assert daemon.complaints() == []


def test_ten_megabytes_of_headers(daemon):
    line = b"X-Much: " + b"y" * 1000 + b"\r\n"
    answer = exchange(daemon, REQUEST + line * (10 * 1024 * 1024 // len(line)) + b"\r\n")
    assert not answer or re.match(rb"HTTP/1\.1 (413|431) ", answer)
    assert_serves(daemon)
    assert daemon.scrape().value("process_resident_memory_bytes") < (20 << 20) or PATIENCE > 1


def test_big_body_is_read_and_forgotten(daemon):
    body = bytes(4 << 20)
    head = b"GET /metrics HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % len(body)
    assert exchange(daemon, head + body).startswith(b"HTTP/1.")
    assert_serves(daemon)


@pytest.fixture
def many_descriptors():
    """Some 1,000 for the test itself."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], 4096), max(before[1], 4096)))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize("said", [b"", REQUEST], ids=["silent", "half a request"])
def test_idle_connections_keep_nobody_out(daemon, many_descriptors, said):
    with ExitStack() as stack:
        for _ in range(500):
            stack.enter_context(daemon.connect()).sendall(said)
        for _ in range(5):
            assert_serves(daemon)
    until(lambda: daemon.count_sockets() < 100, 10 * PATIENCE,
          "their descriptors are closed")
    assert_serves(daemon)


def test_idle_connections_are_closed(daemon):
    with daemon.connect() as sock:
        sock.settimeout(15)
        assert sock.recv(1) == b""


def test_slow_readers_keep_nobody_out(daemon, many_descriptors):
    with ExitStack() as stack:
        for _ in range(50):
            sock = stack.enter_context(daemon.connect())
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            sock.sendall((REQUEST + b"\r\n") * 20)
        for _ in range(5):
            assert_serves(daemon)


@pytest.mark.parametrize("when", ["after the request", "within the answer", "within the body"])
def test_clients_that_go_away(daemon, when):
    for _ in range(50):
        with daemon.connect() as sock:
            if when == "within the body":
                sock.sendall(REQUEST + b"Content-Length: 1000\r\n\r\nsome")
            else:
                sock.sendall(REQUEST + b"Accept-Encoding: gzip\r\n\r\n")
            if when == "within the answer":
                assert sock.recv(10)
            # Not closed but reset: what is on its way meets nobody.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    assert_serves(daemon)
    assert daemon.complaints() == []


def test_ends_while_clients_wait(daemon):
    """A stop is not held up by whoever is connected."""
    with ExitStack() as stack:
        for said in (b"", REQUEST, REQUEST + b"\r\n", (REQUEST + b"\r\n") * 100):
            for _ in range(5):
                stack.enter_context(daemon.connect()).sendall(said)
        assert daemon.stop() < 1 * PATIENCE


# --- where it listens

def test_socket_of_the_service_manager(here, launch):
    with here.entered():
        listening = socket.create_server(("127.0.0.1", 0))
    with listening:
        daemon = launch(listen=f"fd://{listening.fileno()}", pass_fds=[listening.fileno()])
        daemon.wait_ready()
        text = here.run("curl", "--silent", "--fail",
                        f"http://127.0.0.1:{listening.getsockname()[1]}/metrics")
    assert "ebpf_exporter_build_info" in text


@pytest.mark.parametrize("listen, code, text", [
    ("fd://99", 1, "descriptor 99 is no listening socket"),
    ("fd://x", 2, "names no descriptor"),
    ("9435", 2, "is no address to listen at"),
    ("127.0.0.1:port", 2, "cannot listen at '127.0.0.1:port': there is no such port"),
    ("192.0.2.77:9435", 1, "cannot listen at '192.0.2.77:9435': Cannot assign requested address"),
])
def test_wrong_addresses(launch, listen, code, text):
    assert_fails(launch(listen=listen), code, text)


def assert_fails(daemon, code, text):
    ended, log = daemon.fails()
    assert ended == code, log
    assert text in log


def test_port_in_use(here, launch):
    with here.entered():
        other = socket.create_server(("127.0.0.1", PORT))
    with other:
        assert_fails(launch(), 1, "the port is in use; see who has it: ss -ltnp 'sport = :9435'")


def test_control_socket_in_use(run, launch):
    first = run()
    second = launch("--control.socket", first.control, listen="127.0.0.1:9436")
    assert_fails(second, 1, "another daemon answers")
    assert_serves_any(first)


def assert_serves_any(daemon):
    assert daemon.request()[0] == 200 and daemon.status()


@pytest.mark.parametrize("listen, hosts", [
    ("[::1]:9435", ["[::1]"]),
    (":9435", ["[::1]", "127.0.0.1"]),
    ("[::]:9435", ["[::1]", "127.0.0.1"]),
    ("0.0.0.0:9435", ["127.0.0.1"]),
    ("localhost:9435", ["localhost"]),
])
def test_listens_at_ipv6_and_ipv4(here, launch, listen, hosts):
    here.sysctl("net/ipv6/conf/lo/disable_ipv6", 0)
    launch(listen=listen).wait_ready()
    for host in hosts:
        assert "build_info" in here.run("curl", "-gsf", f"http://{host}:9435/metrics")
