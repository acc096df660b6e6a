"""A real HTTP server that answers as it is told: JSON, HTML, nothing at all, or a dropped connection."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

HANG = "hang"
DROP = "drop"


@dataclass
class Asked:
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: str

    @property
    def form(self) -> dict[str, str]:
        return {key: values[0] for key, values in parse_qs(self.body).items()}


@dataclass
class Script:
    """Answers in their order; the last one stays. `asked` holds every request that arrived whole."""

    asked: list[Asked] = field(default_factory=list)
    answers: list[Any] = field(default_factory=list)
    root_url: str = ""
    released: threading.Event = field(default_factory=threading.Event)

    def will_say(self, data: Any, **headers: str) -> None:
        self.answers.append(
            (200, "application/json", json.dumps({"status": "success", "data": data}), headers)
        )

    def will_refuse(self, status: int, error_type: str, message: str) -> None:
        body = {"status": "error", "message": message, "data": None}
        if error_type:
            body["error_type"] = error_type
        self.answers.append((status, "application/json", json.dumps(body), {}))

    def will_send(self, status: int, content_type: str, body: str) -> None:
        self.answers.append((status, content_type, body, {}))

    def will_hang(self) -> None:
        self.answers.append(HANG)

    def will_drop(self) -> None:
        self.answers.append(DROP)

    def next_answer(self) -> Any:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one segment, or each answer waits 40 ms for an acknowledgement
    script: Script

    def answer(self) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        headers = {key.lower(): value for key, value in self.headers.items()}
        self.script.asked.append(Asked(self.command, parts.path, parse_qs(parts.query), headers, body))
        answer = self.script.next_answer()
        if answer == HANG:
            self.script.released.wait(10)
        if answer in (HANG, DROP):
            self.close_connection = True
            return
        status, content_type, text, extra = answer
        payload = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(payload)))
        if content_type:
            self.send_header("Content-Type", content_type)
        for name, value in extra.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(payload)

    do_GET = do_POST = do_PUT = do_DELETE = answer

    def log_message(self, *args: Any) -> None:
        """Quiet: the tests read `asked`."""


@contextmanager
def running() -> Iterator[Script]:
    script = Script()
    handler = type("Handler", (_Handler,), {"script": script})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    script.root_url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield script
    finally:
        script.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
