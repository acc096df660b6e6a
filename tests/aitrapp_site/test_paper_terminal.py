"""Ctrl-C in a real terminal: the four lines, and nothing of it left behind."""

import fcntl
import os
import pty
import select
import sys
import time

import pytest

from aitrapp_site.server_folders import open_lock, try_lock
from aitrapp_site.settings import BASE_DIR
from tests.aitrapp_site.paper_process import PaperProcess

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

GOODBYE = ["Shutting down AITRAPP", "Trading PAUSED", "OrderWatcher stopped", "Redis bus disconnected"]
CTRL_C = b"\x03"


class Terminal:
    """`manage.py paper` as the foreground job of a terminal of its own."""

    def __init__(self, paper: PaperProcess) -> None:
        self.said = ""
        self.pid, self._master = pty.fork()
        if self.pid == 0:
            os.chdir(BASE_DIR)
            command = [sys.executable, "manage.py", "paper", "--port", str(paper.port), "--from", "14:00"]
            os.execve(sys.executable, command, paper.environ())

    def read_until(self, words: str, within_s: float) -> bool:
        """False when it ended or the time was up before it said so."""
        until_s = time.monotonic() + within_s
        while words not in self.said and (left_s := until_s - time.monotonic()) > 0:
            if not select.select([self._master], [], [], left_s)[0]:
                break
            try:
                self.said += os.read(self._master, 4096).decode()
            except OSError:  # how Linux says that the other end is closed
                break
        return words in self.said

    def press(self, key: bytes) -> None:
        os.write(self._master, key)

    def wait(self) -> int:
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def test_ctrl_c_says_goodbye_within_twenty_seconds_and_leaves_no_process_and_no_lock():
    paper = PaperProcess()
    try:
        terminal = Terminal(paper)
        assert terminal.read_until("Ctrl-C stops everything", 60), terminal.said
        pressed_s = time.monotonic()
        terminal.press(CTRL_C)
        assert terminal.read_until(GOODBYE[-1], 20), terminal.said
        status = terminal.wait()
        took_s = time.monotonic() - pressed_s
        print(f"back at the prompt {took_s:.1f} s after Ctrl-C")
        assert (status, took_s < 20) == (0, True)
        # The terminal's own ^C stands in front of the first.
        lines = [line.removeprefix("^C") for line in terminal.said.splitlines()]
        assert [line for line in lines if line in GOODBYE] == GOODBYE
        assert "Traceback" not in terminal.said
        assert paper.leftovers() == []
        for name in ("paper.lock", "keeper.lock", "clients.lock"):
            with open_lock(paper.var_dir / name) as lock:
                assert try_lock(lock, fcntl.LOCK_EX), f"{name} is still held"
    finally:
        paper.close()
