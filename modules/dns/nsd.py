# SPDX-License-Identifier: MIT
"""A DNS server that others have written."""

import collections
import subprocess

from daemon import PATIENCE
from waiting import until

ZONE = """\
$ORIGIN example.co.uk.
@ 3600 IN SOA ns hostmaster 1 3600 900 604800 300
@ IN NS ns
ns IN A 10.0.0.2
www IN A 192.0.2.80
"""
CONFIG = """\
server:
  server-count: 1
  username: ""
  chroot: ""
  database: ""
  zonesdir: "{0}"
  pidfile: "{0}/pid"
  xfrdfile: "{0}/xfrd"
  xfrdir: "{0}"
  zonelistfile: "{0}/zones"
  logfile: "{0}/log"
  rrl-ratelimit: 0
  rrl-whitelist-ratelimit: 0
remote-control:
  control-enable: yes
  control-interface: "{0}/control"
zone:
  name: example.co.uk
  zonefile: "{0}/zone"
"""


class Nsd:
    """Debian's nsd in a namespace: an authoritative server of one zone that counts what it does."""

    def __init__(self, namespace, folder):
        self.namespace, self.folder = namespace, folder
        folder.mkdir()
        (folder / "zone").write_text(ZONE)
        (folder / "conf").write_text(CONFIG.format(folder))

    def __enter__(self):
        with self.namespace.entered():
            self.process = subprocess.Popen(["nsd", "-d", "-c", self.folder / "conf"],
                                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(lambda: self.control("status").returncode == 0, 10 * PATIENCE, "nsd runs")
        return self

    def __exit__(self, *exception):
        self.process.terminate()
        self.process.wait()

    def control(self, what):
        return subprocess.run(["nsd-control", "-c", self.folder / "conf", what],
                              capture_output=True, text=True)

    def statistics(self):
        """{what: how many}: num.udp, num.rcode.NXDOMAIN, num.type.A …"""
        lines = self.control("stats_noreset").stdout.splitlines()
        return collections.Counter({name: int(float(value)) for name, _, value
                                    in (line.partition("=") for line in lines)})
