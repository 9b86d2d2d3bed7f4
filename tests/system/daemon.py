# SPDX-License-Identifier: MIT
"""The daemon under test: start it, ask it, stop it, and see that it went in peace."""

import gzip
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from waiting import until

ROOT = Path(os.environ.get("SOURCE_ROOT", Path(__file__).resolve().parents[2]))
BINARY = Path(os.environ.get("WIREGAUGE", ROOT / "build/wiregauge")).resolve()

SANITIZER_REPORT = re.compile(r"(ERROR|SUMMARY): \w*Sanitizer|runtime error:")
SANITIZED = BINARY.exists() and b"__asan_init" in BINARY.read_bytes()

# Under the sanitizers all is slower, and the search for leaks at the end takes long; so it is on an
# emulated machine (tests/lab/run).
PATIENCE = int(os.environ.get("PATIENCE", 10 if SANITIZED else 1))
PORT = 9435


def command(*arguments, **options):
    """`wiregauge …` to its end."""
    done = subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True,
                          timeout=30 * PATIENCE, **options)
    assert not SANITIZER_REPORT.search(done.stderr), done.stderr
    return done


class Samples:
    """A scrape, as prometheus_client's parser understands it."""

    def __init__(self, text):
        self.text = text
        self.families = list(text_string_to_metric_families(text))
        self.rows = [(s.name, s.labels, s.value) for f in self.families for s in f.samples]

    def select(self, name, /, **labels):
        """[(labels, value)] of the samples called @name that have these labels."""
        return [(row, value) for sample, row, value in self.rows
                if sample == name and labels.items() <= row.items()]

    def value(self, name, /, **labels):
        """The value of the one sample that there is; None if there is none."""
        found = self.select(name, **labels)
        assert len(found) <= 1, found
        return found[0][1] if found else None

    def total(self, name, /, **labels):
        return sum(value for _, value in self.select(name, **labels))

    def interfaces(self):
        return {labels["interface"] for _, labels, _ in self.rows if "interface" in labels}

    def traffic(self, interface):
        """{(direction, ip_version, protocol): (packets, bytes)}"""
        bytes_of = {tuple(sorted(labels.items())): value for labels, value
                    in self.select("wiregauge_interface_bytes_total", interface=interface)}
        return {(labels["direction"], labels["ip_version"], labels["protocol"]):
                (int(value), int(bytes_of[tuple(sorted(labels.items()))]))
                for labels, value
                in self.select("wiregauge_interface_packets_total", interface=interface)}

    def sum_traffic(self, interface, direction):
        """(packets, bytes) of all protocols together"""
        rows = [row for key, row in self.traffic(interface).items() if key[0] == direction]
        return tuple(map(sum, zip(*rows))) or (0, 0)


class Daemon:
    """`wiregauge run` in a namespace, its files in @directory."""

    def __init__(self, namespace, directory, *arguments, listen=None, env=None, pass_fds=(),
                 through=(), cwd=None):
        """@through: a command that ends by becoming the daemon, such as prlimit."""
        self.namespace = namespace
        self.control = directory / "control.sock"
        self.log_path = directory / "log"
        self.stopped = False
        options = {"--web.listen-address": listen or f"127.0.0.1:{PORT}",
                   "--control.socket": self.control}
        with namespace.entered(), open(self.log_path, "w") as log:
            self.process = subprocess.Popen(
                [*through, BINARY, "run", *map(str, sum(options.items(), ())),
                 *map(str, arguments)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=pass_fds, cwd=cwd,
                env={**os.environ, **(env or {})})
        self.pid = self.process.pid

    # --- its life

    def wait_ready(self):
        def is_ready():
            assert self.process.poll() is None, f"ended instead of being ready:\n{self.log()}"
            return "ready: " in self.log()

        until(is_ready, 5 * PATIENCE, lambda: f"ready\n{self.log()}")
        return self

    def stop(self, number=signal.SIGTERM):
        """Ends it; how many seconds that took."""
        began = time.monotonic()
        self.process.send_signal(number)
        code = self._wait_end(5 * PATIENCE)
        took = time.monotonic() - began
        assert code == 0, f"exit code {code}\n{self.log()}"
        assert not SANITIZER_REPORT.search(self.log()), self.log()
        return took

    def kill(self):
        self.process.kill()
        self._wait_end(5)

    def fails(self):
        """Waits for an end by itself; (exit code, log)."""
        return self._wait_end(10 * PATIENCE), self.log()

    def close(self):
        """At the end of a test: it must still be there, unless the test has ended it."""
        if not self.stopped:
            self.stop()

    def _wait_end(self, seconds):
        self.stopped = True
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"still ran after {seconds} s\n{self.log()}") from None

    # --- what it says

    def log(self):
        return self.log_path.read_text()

    def complaints(self):
        """Lines of the log that are errors or warnings."""
        return [line for line in self.log().splitlines() if re.search(r"\b(error|warn)\b", line)]

    def reload(self):
        """SIGHUP; what it logged about it."""
        before = len(self.log())
        self.process.send_signal(signal.SIGHUP)
        return until(lambda: (new := self.log()[before:]) and
                     re.search("the new configuration (runs|is refused).*", new) and new,
                     5 * PATIENCE, "SIGHUP was answered in the log")

    def status(self):
        done = command("status", "--json", "--control.socket", self.control)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def attached(self, program="tc_ingress"):
        """Names of the interfaces that a program is at."""
        return {row["interface"] for unit in self.status()["units"] for row_of in unit["programs"]
                if row_of["name"] == program for row in row_of["interfaces"]}

    def connect(self, host="127.0.0.1", port=PORT):
        with self.namespace.entered():
            return socket.create_connection((host, port), timeout=5 * PATIENCE)

    def request(self, path="/metrics", method="GET", headers=None):
        """(status, headers, body)"""
        connection = http.client.HTTPConnection("localhost")
        connection.sock = self.connect()
        try:
            connection.request(method, path, headers={"Connection": "close", **(headers or {})})
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def ask(self, path, method="GET", body=None):
        """At the control socket: (status, headers, body)"""
        connection = http.client.HTTPConnection("localhost")
        with socket.socket(socket.AF_UNIX) as connection.sock:
            connection.sock.settimeout(20 * PATIENCE)
            connection.sock.connect(str(self.control))
            connection.request(method, path, body=body)
            response = connection.getresponse()
            return response.status, response.headers, response.read()

    def scrape(self, headers=None):
        status, got, body = self.request(headers=headers)
        assert status == 200, body
        if got["Content-Encoding"] == "gzip":
            body = gzip.decompress(body)
        return Samples(body.decode())

    # --- what it holds

    def descriptors(self):
        """{fd: where it leads}"""
        found = {}
        for fd in Path(f"/proc/{self.pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed meanwhile
                found[int(fd.name)] = os.readlink(fd)
        return found

    def count_sockets(self):
        return sum("socket:" in target for target in self.descriptors().values())

    def bpf_objects(self, kind):
        """Ids of the BPF objects that it has descriptors of; @kind: prog, map, link"""
        found = set()
        for info in Path(f"/proc/{self.pid}/fdinfo").iterdir():
            with suppress(FileNotFoundError):
                lines = re.findall(rf"^{kind}_id:\s*(\d+)", info.read_text(), re.M)
                found |= set(map(int, lines))
        return found
