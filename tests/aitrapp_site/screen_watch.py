"""What an operator's browser is told about the loops, second by second: `/ws/console` of a running paper day."""

import contextlib
import json
import time
from threading import Event, Thread
from typing import Any, NamedTuple

import requests
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect
from websockets.typing import Origin

from aitrapp_site.paper import OPERATOR
from tests.aitrapp_site.paper_process import PaperProcess

SILENT_S = 5.0
AGAIN_AFTER_S = 0.2


class Look(NamedTuple):
    """One loop as it was shown from `at_s` on, seconds since 1970."""

    at_s: float
    loop: str
    state: str
    holder: str


class ScreenWatch:
    """Signs in like a browser and keeps every change of the loops' part. Use it as a context manager."""

    def __init__(self, paper: PaperProcess) -> None:
        self._paper = paper
        self._over = Event()
        self._thread = Thread(target=self._run, name="screen-watch", daemon=True)
        self.looks: list[Look] = []

    def __enter__(self) -> "ScreenWatch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(2 * SILENT_S)

    def trouble(self, loop: str, pid: int, since_s: float) -> Look | None:
        """The first look since then that no longer calls the process the loop's well leader."""
        return self._first(loop, since_s, lambda one: one.state != "ok" or not _is_of(one, pid))

    def recovery(self, loop: str, pid: int, since_s: float) -> Look | None:
        """The first look since then that shows another process leading, and well."""
        return self._first(loop, since_s, lambda one: one.state == "ok" and not _is_of(one, pid))

    def _first(self, loop: str, since_s: float, is_it: Any) -> Look | None:
        looks = (one for one in list(self.looks) if one.loop == loop and one.at_s > since_s)
        return next(filter(is_it, looks), None)

    def _run(self) -> None:
        while not self._over.is_set():
            # The web process is one of those that are killed: its page comes back like everything else.
            with contextlib.suppress(OSError, requests.RequestException, WebSocketException):
                self._listen()
            self._over.wait(AGAIN_AFTER_S)

    def _listen(self) -> None:
        site = f"127.0.0.1:{self._paper.port}"
        cookie = {"Cookie": self._cookie(site)}
        with connect(
            f"ws://{site}/ws/console", origin=Origin(f"http://{site}"), additional_headers=cookie
        ) as socket:
            while not self._over.is_set():
                message = json.loads(socket.recv(timeout=SILENT_S))
                socket.send(json.dumps({"seen": message["n"]}))
                now_s = time.time()
                for one in message["parts"].get("loops", []):
                    self.looks.append(Look(now_s, one["loop"], one["state"], one["holder"]))

    def _cookie(self, site: str) -> str:
        password = (self._paper.var_dir / "operator.password").read_text().strip()
        with requests.Session() as browser:
            page = f"http://{site}/admin/login/"
            browser.get(page, timeout=SILENT_S)
            words = {"username": OPERATOR, "password": password}
            words["csrfmiddlewaretoken"] = browser.cookies["csrftoken"] or ""
            browser.post(page, words, timeout=SILENT_S, allow_redirects=False)
            return f"sessionid={browser.cookies['sessionid']}"


def _is_of(look: Look, pid: int) -> bool:
    return look.holder.endswith(f":{pid}")
