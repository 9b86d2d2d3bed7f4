# SPDX-License-Identifier: MIT
"""`wiregauge …` in a terminal of a given size."""

import fcntl
import os
import re
import struct
import subprocess
import termios
import threading

from daemon import BINARY, PATIENCE
from waiting import until

HOME = b"\x1b[H"
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """A command whose stdout is a terminal; stderr is a pipe, so that nobody mixes the two."""

    def __init__(self, *arguments, columns=80, rows=24):
        self.fd, inside = os.openpty()
        self._text = bytearray()
        self.resize(columns, rows)
        self.process = subprocess.Popen([BINARY, *map(str, arguments)], stdin=subprocess.DEVNULL,
                                        stdout=inside, stderr=subprocess.PIPE, text=True)
        os.close(inside)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self):
        try:
            while piece := os.read(self.fd, 65536):
                self._text += piece
        except OSError:  # nobody has it open any more
            pass

    def resize(self, columns, rows=24):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("=HHHH", rows, columns, 0, 0))

    @property
    def lines(self):
        """Those that have come so far."""
        return self._split(self._text)

    @property
    def screens(self):
        """The lines of each screen that has been drawn in full."""
        return [self._split(screen) for screen in bytes(self._text).split(HOME)[1:-1]]

    @staticmethod
    def _split(text):
        """Lines, without what commands the terminal."""
        return CONTROL.sub("", text.decode(errors="ignore")).replace("\r\n", "\n").splitlines()

    def wait_for(self, condition, what):
        until(lambda: condition(self), 10 * PATIENCE,
              lambda: f"{what}; the last that came: {self.lines[-30:]}")
        return self

    def close(self):
        self.process.kill()
        self.process.communicate()
        self._reader.join()
        os.close(self.fd)


def in_terminal(*arguments, columns=80, rows=24):
    """The lines of a command that ends."""
    terminal = Terminal(*arguments, columns=columns, rows=rows)
    try:
        _, complaint = terminal.process.communicate(timeout=30 * PATIENCE)
        assert terminal.process.returncode == 0, complaint
        terminal._reader.join()
        return terminal.lines
    finally:
        terminal.close()
