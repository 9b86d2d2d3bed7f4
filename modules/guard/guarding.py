# SPDX-License-Identifier: MIT
"""Guard at the interface "wire" of a test's namespace, as whoever commands it has it."""

import json
import subprocess

from daemon import command

HERE, THERE = "10.0.0.1", "10.0.0.2"


class Guard:
    """`wiregauge guard …` of one daemon."""

    def __init__(self, daemon):
        self.daemon = daemon

    def ask(self, *arguments):
        return command("guard", *arguments, "--control.socket", self.daemon.control)

    def __call__(self, *arguments):
        done = self.ask(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refused(self, *arguments, code=1):
        done = self.ask(*arguments)
        assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
        return done.stderr

    def json(self, *arguments):
        return json.loads(self(*arguments, "--json"))

    def rows(self, *arguments):
        """{(list, network): by}"""
        return {(row["list"], row["network"]): row["by"]
                for row in self.json("list", *arguments)["rows"]}

    def status(self):
        return self.json("status")

    def packets(self, reason, verdict):
        return self.daemon.scrape().value("wiregauge_guard_packets_total", reason=reason,
                                          verdict=verdict)


def gets_through(there, address=HERE):
    """Whether an echo request is answered."""
    with there.entered():
        return subprocess.run(["ping", "-c1", "-W1", address], capture_output=True,
                              check=False).returncode == 0
