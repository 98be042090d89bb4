"""The demo's client of the collector: keeps at it, and never loses or adds an event."""

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec
import pytest

from amity.cli.demo.client import BATCH_EVENTS, CollectorClient
from amity.kernel.errors import AmityError


@contextmanager
def collector(answers):
    """A server that gives the listed answers first: a status, or None to hang up; then 200."""
    got = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = answers.pop(0) if answers else 200
            if status is None:
                self.close_connection = True
                return
            batch = msgspec.json.decode(body)["batch"]
            answer = b'{"code":"x","message":"no"}'
            if status == 200:
                got.append([event["n"] for event in batch])
                answer = msgspec.json.encode(
                    {"accepted": len(batch), "duplicate": 0, "quarantined": 0, "errors": []}
                )
            self.send_response(status)
            self.send_header("Retry-After", "1")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    client = CollectorClient("127.0.0.1", server.server_port, "key")
    try:
        yield client, got
    finally:
        client.close()
        server.shutdown()
        server.server_close()
        thread.join()


def test_events_go_in_batches_in_order():
    with collector([]) as (client, got):
        sizes = []
        verdict = client.send(({"n": n} for n in range(250)), sizes.append)
        assert verdict.accepted == 250
        assert sizes == [BATCH_EVENTS, BATCH_EVENTS, 50]
        assert [n for batch in got for n in batch] == list(range(250))


def test_large_events_make_smaller_batches():
    with collector([]) as (client, got):
        client.send(({"n": n, "x": "y" * 30_000} for n in range(40)), lambda _count: None)
        assert max(map(len, got)) == 15


def test_it_waits_when_told_and_connects_again_when_cut_off():
    with collector([429, None, 503]) as (client, got):
        verdict = client.send([{"n": 1}], lambda _count: None)
        assert verdict.accepted == 1
        assert got == [[1]]
        assert client.waited_seconds >= 1.0


def test_a_refusal_is_final():
    with (
        collector([401]) as (client, _),
        pytest.raises(AmityError, match="answered 401"),
    ):
        client.send([{"n": 1}], lambda _count: None)
