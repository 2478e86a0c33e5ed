"""The double behind a port of 127.0.0.1, in threads that end with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

from router.domain.conversation import HttpRequest
from router.domain.errors import Unavailable
from tests.stack.azure_management.management import AzureManagement
from tests.waiting import PATIENCE

_LARGEST = 4 * 1024 * 1024
"""Bytes of a request that are read."""


@contextmanager
def serving(azure: AzureManagement) -> Iterator[str]:
    """The URL at which it answers, as long as the context lasts."""
    ended = Event()

    class Answers(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(min(int(self.headers.get("content-length", "0")), _LARGEST))
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = HttpRequest(method=self.command, url=f"{url}{self.path}", headers=headers, body=body)
            try:
                answer = azure.answer(request)
            except Unavailable:
                # Nothing comes, until whoever asked has gone or the double ends.
                ended.wait(PATIENCE)
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        do_GET = do_POST = _answer  # noqa: N815  The library looks for them by these names.

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, request: object, client_address: object) -> None:
            """Whoever asked has gone: that is no fault of ours."""

    with Server(("127.0.0.1", 0), Answers) as server:
        url = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield url
        finally:
            ended.set()
            server.shutdown()
            thread.join()
