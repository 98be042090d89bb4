"""A mail server that counts, and misbehaves as told: for tests and measurements.

`python -m amity.testing.smtp_sink --port 2599 --log ids.log --modes accept=8,drop_after=1` runs one
in a process of its own. What it takes is on the disk before it says 250, so that nothing it said
yes to is forgotten when it is killed.

A recipient whose address begins with the name of a mode and a dot gets that one; the others get
one by chance, with the weights given.
"""

import argparse
import asyncio
import os
import random
import re
import ssl
from collections import Counter
from pathlib import Path
from typing import Final, cast

MODES: Final = frozenset(
    {
        "accept",
        "slow",  # takes it, and says so after a while
        "defer_mail",  # 421 before anything, and hangs up
        "defer_rcpt",
        "defer_data",  # 451 after the dot
        "refuse_mail",
        "refuse_rcpt",  # 550 5.1.1
        "refuse_data",  # 554 after the dot
        "full",  # 552 5.2.2
        "policy",  # 550 5.7.1
        "sender_policy",  # 550 5.7.26
        "drop_before",  # hangs up at the dot, without taking it
        "drop_after",  # takes it, and hangs up
        "drop_rcpt",  # hangs up at the recipient
        "silent",  # takes it, and never answers
        "mute",  # never answers the dot, and does not take it
        "garbage",  # answers the dot with nonsense
    }
)
_ID: Final = re.compile(rb"^X-Send-Id: *([^\r\n]+)", re.MULTILINE | re.IGNORECASE)
_TO: Final = re.compile(r"<([^>]*)>")
_SLOW_SECONDS: Final = 0.02
_END: Final = b"\r\n.\r\n"


class Sink:
    """What the server was told, and what it took."""

    def __init__(
        self,
        *,
        modes: dict[str, float] | None = None,
        log: Path | None = None,
        seed: int = 0,
        keeps: bool = True,
        extensions: tuple[str, ...] = ("PIPELINING", "SIZE 10000000", "8BITMIME"),
    ) -> None:
        self.modes = modes or {"accept": 1.0}
        self.greeting: bytes | None = b"220 sink.example ESMTP"
        self.extensions = extensions
        self.users: dict[str, str] = {}
        self.accepted: list[tuple[str, str, bytes]] = []
        """Send id, recipient and content of each message, in order; with `keeps` only."""
        self.taken = 0
        self.connections = 0
        self.commands: Counter[str] = Counter()
        self.tls: ssl.SSLContext | None = None
        self._keeps = keeps
        self._rng = random.Random(seed)  # noqa: S311  # to be repeated
        self._log = None if log is None else log.open("ab", buffering=0)
        self._server: asyncio.Server | None = None
        self.sessions: set[_Session] = set()

    async def start(self, port: int = 0, *, tls: ssl.SSLContext | None = None) -> int:
        """Listen on loopback; return the port."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Session(self), "127.0.0.1", port, ssl=tls, reuse_address=True
        )
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def stop(self) -> None:
        """Stop listening and hang up on everybody."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for session in list(self.sessions):
            session.hang_up()
        await asyncio.sleep(0)

    def choose(self, recipient: str) -> str:
        """Return how a message to a recipient is treated."""
        named = recipient.partition(".")[0]
        if named in MODES:
            return named
        return self._rng.choices(list(self.modes), list(self.modes.values()))[0]

    def take(self, recipient: str, content: bytes) -> None:
        """Take a message: on the disk before anybody hears of it."""
        self.taken += 1
        if not self._keeps and self._log is None:
            return
        found = _ID.search(content)
        send_id = found[1].decode().strip() if found else ""
        if self._log is not None:
            self._log.write(f"{send_id}\n".encode())
            os.fsync(self._log.fileno())
        if self._keeps:
            self.accepted.append((send_id, recipient, content))


class _Session(asyncio.Protocol):
    """One client. Understands just enough."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._recipient: str | None = None
        self._mode = "accept"
        self._is_data = False
        self._is_deaf = False
        self._is_switching = False
        self._has_mail = False
        self._login: list[str] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._sink.sessions.add(self)
        self._sink.connections += 1
        if self._sink.greeting is not None:
            self._say(self._sink.greeting)

    def connection_lost(self, exc: Exception | None) -> None:
        self._sink.sessions.discard(self)
        self._is_deaf = True

    def hang_up(self) -> None:
        """Close without a word."""
        self._is_deaf = True
        if self._transport is not None:
            self._transport.abort()

    def _say(self, line: bytes) -> None:
        if self._transport is not None and not self._is_deaf:
            self._transport.write(line + b"\r\n")

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._go_on()

    def _go_on(self) -> None:
        while not (self._is_deaf or self._is_switching) and (
            self._end_body() if self._is_data else self._read_line()
        ):
            pass

    def _read_line(self) -> bool:
        end = self._buffer.find(b"\r\n")
        if end < 0:
            return False
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        self._obey(line.decode("latin-1"))
        return True

    def _obey(self, line: str) -> None:
        if self._login is not None:
            self._sign_in(line)
            return
        word = line.split(" ", 1)[0].upper()
        self._sink.commands[word] += 1
        action = getattr(self, f"_on_{word.lower()}", None)
        if action is None:
            self._say(b"500 5.5.1 what?")
        else:
            action(line)

    def _on_ehlo(self, line: str) -> None:
        names = [b"sink.example", *(name.encode() for name in self._sink.extensions)]
        for name in names[:-1]:
            self._say(b"250-" + name)
        self._say(b"250 " + names[-1])

    def _on_helo(self, line: str) -> None:
        self._say(b"250 sink.example")

    def _on_rset(self, line: str) -> None:
        self._recipient, self._has_mail = None, False
        self._say(b"250 2.0.0 ok")

    def _on_quit(self, line: str) -> None:
        self._say(b"221 2.0.0 bye")
        self._is_deaf = True
        if self._transport is not None:
            self._transport.close()

    def _on_starttls(self, line: str) -> None:
        assert self._sink.tls is not None
        assert self._transport is not None
        # What the client says next is no longer for us.
        self._transport.pause_reading()
        self._say(b"220 2.0.0 go")
        self._is_switching = True
        asyncio.get_running_loop().create_task(self._encrypt(self._sink.tls))

    async def _encrypt(self, tls: ssl.SSLContext) -> None:
        assert self._transport is not None
        try:
            self._transport = await asyncio.get_running_loop().start_tls(
                self._transport, self, tls, server_side=True
            )
        except OSError:
            self._is_deaf = True
        # What came encrypted meanwhile is answered encrypted.
        self._is_switching = False
        self._go_on()

    def _on_auth(self, line: str) -> None:
        kind, _, secret = line[5:].partition(" ")
        if kind.upper() == "LOGIN":
            self._login = []
            self._say(b"334 VXNlcm5hbWU6")
        else:
            _, user, password = _decode(secret).split("\0")
            self._admit(user, password)

    def _sign_in(self, line: str) -> None:
        assert self._login is not None
        self._login.append(_decode(line))
        if len(self._login) == 1:
            self._say(b"334 UGFzc3dvcmQ6")
            return
        user, password = self._login
        self._login = None
        self._admit(user, password)

    def _admit(self, user: str, password: str) -> None:
        is_known = self._sink.users.get(user) == password
        self._say(b"235 2.7.0 welcome" if is_known else b"535 5.7.8 no")

    def _on_mail(self, line: str) -> None:
        if self._has_mail:
            self._say(b"503 5.5.1 one at a time")
            return
        self._has_mail = True
        self._recipient = None
        self._say(b"250 2.1.0 ok")

    def _on_rcpt(self, line: str) -> None:
        found = _TO.search(line)
        recipient = found[1] if found else ""
        self._mode = self._sink.choose(recipient)
        answers = {
            "defer_rcpt": b"450 4.2.1 later",
            "refuse_rcpt": b"550 5.1.1 nobody here",
            "full": b"552 5.2.2 full",
            "policy": b"550 5.7.1 not from you",
            "sender_policy": b"550-5.7.26 Unauthenticated\r\n550 5.7.26 mail",
            "refuse_mail": b"550 5.6.0 no",
        }
        if self._mode == "defer_mail":
            self._say(b"421 4.7.0 too busy")
            self._close()
        elif self._mode == "drop_rcpt":
            self.hang_up()
        elif self._mode in answers:
            self._say(answers[self._mode])
        else:
            self._recipient = recipient
            self._say(b"250 2.1.5 ok")

    def _close(self) -> None:
        self._is_deaf = True
        if self._transport is not None:
            self._transport.close()

    def _on_data(self, line: str) -> None:
        if self._recipient is None:
            self._say(b"503 5.5.1 to whom?")
            return
        self._is_data = True
        self._say(b"354 go on")

    def _end_body(self) -> bool:
        # The dot may follow the line that began the data at once.
        end = self._buffer.find(_END)
        if end < 0:
            return False
        content = bytes(self._buffer[: end + 2])
        del self._buffer[: end + len(_END)]
        self._is_data = False
        recipient, self._recipient, self._has_mail = self._recipient or "", None, False
        self._finish(recipient, content)
        return True

    def _finish(self, recipient: str, content: bytes) -> None:
        mode = self._mode
        if mode in {"accept", "slow", "drop_after", "silent", "garbage"}:
            self._sink.take(recipient, content)
        if mode == "accept":
            self._say(b"250 2.0.0 taken")
        elif mode == "slow":
            loop = asyncio.get_running_loop()
            loop.call_later(_SLOW_SECONDS, self._say, b"250 2.0.0 taken")
        elif mode == "defer_data":
            self._say(b"451 4.3.0 later")
        elif mode == "refuse_data":
            self._say(b"554 5.6.0 no")
        elif mode == "garbage":
            self._say(b"all is well")
        elif mode in {"drop_before", "drop_after"}:
            self.hang_up()


def _decode(text: str) -> str:
    import base64  # noqa: PLC0415  # for signing in only

    return base64.b64decode(text).decode()


def read_log(path: Path) -> Counter[str]:
    """Return how often each message was taken, from the sink's log."""
    return Counter(path.read_text("utf-8").split()) if path.exists() else Counter()


async def _serve(options: argparse.Namespace) -> None:
    modes = {}
    for pair in options.modes.split(","):
        name, _, weight = pair.partition("=")
        modes[name] = float(weight or 1)
    sink = Sink(modes=modes, log=options.log, seed=options.seed, keeps=False)
    await sink.start(options.port)
    await asyncio.Event().wait()


def main() -> None:
    """Run a sink until killed."""
    from amity.infra.process import die_with_parent  # noqa: PLC0415  # in its own process only

    die_with_parent()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--log", type=Path)
    parser.add_argument("--modes", default="accept=1")
    parser.add_argument("--seed", type=int, default=0)
    asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
