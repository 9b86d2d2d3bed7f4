# SPDX-License-Identifier: MIT
"""A Prometheus in a namespace, which scrapes what the test says, and its answers."""

import json
import subprocess
import threading
import urllib.parse
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import yaml

from daemon import PATIENCE
from waiting import until

PORT = 9090


class Prometheus:
    """@jobs: {name: scrape config, as Prometheus has them}"""

    def __init__(self, namespace, directory, binary, jobs, *arguments):
        self.namespace = namespace
        self.log_path = directory / "prometheus.log"
        config = directory / "prometheus.yml"
        config.write_text(yaml.safe_dump({
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
            "scrape_configs": [{"job_name": name, **job} for name, job in jobs.items()],
        }))
        with namespace.entered(), open(self.log_path, "w") as log:
            self.process = subprocess.Popen(
                [binary, f"--config.file={config}", f"--storage.tsdb.path={directory / 'tsdb'}",
                 f"--web.listen-address=127.0.0.1:{PORT}", *arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def log(self):
        return self.log_path.read_text()

    def ask(self, path, **arguments):
        """What its API answers; None while it does not listen yet."""
        assert self.process.poll() is None, self.log()
        connection = HTTPConnection("127.0.0.1", PORT, timeout=30)
        try:
            with self.namespace.entered():
                connection.connect()
            connection.request("GET", f"/api/v1/{path}?{urllib.parse.urlencode(arguments)}")
            answer = json.load(connection.getresponse())
        except (ConnectionError, json.JSONDecodeError):  # not yet, or "Service Unavailable"
            return None
        finally:
            connection.close()
        assert answer["status"] == "success", answer
        return answer["data"]

    def query(self, expression):
        """[(labels, number or native histogram)] now"""
        answer = self.ask("query", query=expression)
        return [(row["metric"], float(row["value"][1]) if "value" in row else row["histogram"][1])
                for row in (answer or {"result": []})["result"]]

    def number(self, expression):
        """The one number that there must be."""
        ((_, value),) = self.query(expression)
        return value

    def wait_scraped(self, jobs):
        """Until each job was scraped well."""
        def are_up():
            return {labels["job"] for labels, value in self.query("up") if value == 1} == set(jobs)

        until(are_up, 30 * PATIENCE, lambda: f"{self.ask('targets')}\n{self.log()}", pause=0.1)


class Relay:
    """Passes GET requests on to @port in the same namespace with another Accept: /<name> is
    fetched from /metrics with accepts[name]."""

    def __init__(self, namespace, port, accepts):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                connection = HTTPConnection("127.0.0.1", port, timeout=30)
                with namespace.entered():
                    connection.connect()
                connection.request("GET", "/metrics", headers={"Accept": accepts[self.path[1:]]})
                response = connection.getresponse()
                body = response.read()
                connection.close()
                self.send_response(response.status)
                self.send_header("Content-Type", response.headers["Content-Type"])
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                pass

        with namespace.entered():
            self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exception):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
