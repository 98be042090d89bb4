"""One SMTP connection (RFC 5321, 2920, 3207, 4954): pipelined, bounded, patient to a degree.

Raw on purpose: the final dot must not leave before the gate has let the message pass, and no
client library knows of such a moment. Everything before the dot can be taken back by hanging up.
"""

import asyncio
import re
import ssl
from base64 import b64encode
from collections import deque
from collections.abc import Callable
from typing import Final, cast

import msgspec

from amity.broadcast.channel import Gate, Outcome, Parcel
from amity.broadcast.logic.mail.smtp_relay import Relay
from amity.broadcast.logic.mail.smtp_replies import BadReply, Reply, ReplyReader

_BARE: Final = re.compile(rb"\r(?!\n)|(?<!\r)\n")
_BREAK: Final = b"\r\n"
_CLOSING: Final = 421
_DRAIN_SECONDS: Final = 0.01
_LEAST_CONNECT_SECONDS: Final = 2.0


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds to wait for each reply, as RFC 5321 4.5.3.2 asks for at least."""

    connect: float = 30
    greeting: float = 300
    command: float = 300
    data: float = 120
    block: float = 180
    final: float = 600

    def times(self, factor: float) -> "Patience":
        """Return all of it longer or shorter, a connection in no case too short for a busy machine.

        Whom we cannot reach is taken for down, and that costs a run its time.
        """
        scaled = {k: v * factor for k, v in msgspec.structs.asdict(self).items()}
        return Patience(**scaled | {"connect": max(scaled["connect"], _LEAST_CONNECT_SECONDS)})


class ConnectionLost(Exception):
    """The server hung up, said nothing in time, or nothing that can be understood."""


class Unwilling(Exception):
    """The server is there and does not serve us: nothing can be sent through it now."""


def prepare(content: bytes) -> bytes:
    """Return a message as it goes on the wire: CRLF only, dots stuffed, a line's end at its end.

    A bare CR or LF would let one message smuggle another past the next server.
    """
    if content.count(b"\n") != (whole := content.count(_BREAK)) or content.count(b"\r") != whole:
        content = _BARE.sub(_BREAK, content)
    if b"\r\n." in content:
        content = content.replace(b"\r\n.", b"\r\n..")
    if content.startswith(b"."):
        content = b"." + content
    return content if content.endswith(_BREAK) else content + _BREAK


class SmtpConnection(asyncio.Protocol):
    """A connection to one server; one message at a time."""

    def __init__(self, relay: Relay, patience: Patience) -> None:
        self.relay = relay
        self.patience = patience
        self.delivered = 0
        self.extensions: dict[str, str] = {}
        self._transport: asyncio.Transport | None = None
        self._reader = ReplyReader()
        self._replies: deque[Reply] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._lost: Exception | None = None
        self._is_dirty = False

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not everybody's transports are of this class, as uvloop's are not.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        try:
            self._replies.extend(self._reader.feed(data))
        except BadReply as error:
            self._fail(ConnectionLost(str(error)))
            return
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(ConnectionLost(str(exc) if exc else "the server hung up"))

    def _fail(self, error: Exception) -> None:
        if self._lost is None:
            self._lost = error
        self.abort()
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # Opening and closing

    @property
    def is_usable(self) -> bool:
        """Say whether another message can be handed over here."""
        return self._lost is None and not self._replies

    async def open(self, tls: Callable[[], ssl.SSLContext]) -> None:
        """Connect, greet, encrypt and sign in; raise ConnectionLost or Unwilling."""
        loop, relay = asyncio.get_running_loop(), self.relay
        is_tls = relay.security == "tls"
        try:
            async with asyncio.timeout(self.patience.connect):
                await loop.create_connection(
                    lambda: self,
                    relay.host,
                    relay.port,
                    ssl=tls() if is_tls else None,
                    server_hostname=relay.host if is_tls else None,
                )
        except TimeoutError as error:
            raise ConnectionLost("no connection in time") from error
        except OSError as error:
            raise ConnectionLost(f"no connection: {error.strerror or error}") from error
        try:
            self._expect(await self._reply(self.patience.greeting), 220)
            await self._greet()
            if relay.security == "starttls":
                await self._encrypt(tls())
                await self._greet()
            if relay.user:
                await self._sign_in()
        except BaseException:
            self.abort()
            raise

    async def _greet(self) -> None:
        reply = await self._command(b"EHLO " + self.relay.greeting.encode())
        if reply.code in {500, 502}:
            self.extensions = {}
            self._expect(await self._command(b"HELO " + self.relay.greeting.encode()), 250)
            return
        self._expect(reply, 250)
        named = (line.strip().partition(" ") for line in reply.lines[1:])
        self.extensions = {name.upper(): value for name, _, value in named}

    async def _encrypt(self, tls: ssl.SSLContext) -> None:
        if "STARTTLS" not in self.extensions:
            raise Unwilling("the server offers no encryption")
        self._expect(await self._command(b"STARTTLS"), 220)
        # Whatever was slipped in before the encryption is not the server's word.
        if self._replies or not self._reader.is_empty or self._transport is None:
            raise Unwilling("the server spoke out of turn")
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self.patience.command):
                encrypted = await loop.start_tls(
                    self._transport, self, tls, server_hostname=self.relay.host
                )
        except (OSError, TimeoutError) as error:
            raise Unwilling(f"no encryption: {error}") from error
        if encrypted is None:
            raise ConnectionLost("the server hung up")
        self._transport = encrypted

    async def _sign_in(self) -> None:
        ways = self.extensions.get("AUTH", "").upper().split()
        user, password = self.relay.user.encode(), self.relay.password.encode()
        if "PLAIN" in ways:
            secret = b64encode(b"\0" + user + b"\0" + password)
            self._expect(await self._command(b"AUTH PLAIN " + secret), 235)
        elif "LOGIN" in ways:
            self._expect(await self._command(b"AUTH LOGIN"), 334)
            self._expect(await self._command(b64encode(user)), 334)
            self._expect(await self._command(b64encode(password)), 235)
        else:
            raise Unwilling("the server offers no way to sign in that we know")

    @staticmethod
    def _expect(reply: Reply, code: int) -> None:
        if reply.code != code:
            raise Unwilling(reply.text)

    def abort(self) -> None:
        """Hang up at once: what was not ended by a dot is void."""
        if self._lost is None:
            self._lost = ConnectionLost("hung up")
        if self._transport is not None:
            self._transport.abort()

    def quit(self) -> None:
        """Take leave, and hang up without waiting for an answer."""
        if self._lost is None and self._transport is not None:
            self._lost = ConnectionLost("hung up")
            self._transport.write(b"QUIT\r\n")
            self._transport.close()

    # Words and replies

    def _write(self, data: bytes) -> None:
        if self._lost is not None or self._transport is None:
            raise self._lost or ConnectionLost("not connected")
        self._transport.write(data)

    async def _wait(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        # Cheaper than asyncio.timeout, and this is waited for several times a message.
        alarm = loop.call_later(seconds, self._fail, ConnectionLost("no answer in time"))
        try:
            await self._waiter
        finally:
            alarm.cancel()
            self._waiter = None

    async def _reply(self, seconds: float) -> Reply:
        """Return the next reply; all of it has to come in time, in however many pieces."""
        clock = asyncio.get_running_loop().time
        until = clock() + seconds
        while not self._replies:
            if self._lost is not None:
                raise self._lost
            await self._wait(max(until - clock(), 0.0))
        return self._replies.popleft()

    async def _drain(self, seconds: float) -> None:
        """Return when all that was written has left this process; mostly at once."""
        assert self._transport is not None
        await asyncio.sleep(0)
        waited = 0.0
        while self._transport.get_write_buffer_size():
            if self._lost is None and waited > seconds:
                self._fail(ConnectionLost("the server does not read"))
            if self._lost is not None:
                raise self._lost
            await asyncio.sleep(_DRAIN_SECONDS)
            waited += _DRAIN_SECONDS

    async def _command(self, line: bytes) -> Reply:
        self._write(line + _BREAK)
        return await self._reply(self.patience.command)

    # One message

    async def deliver(self, parcel: Parcel, gate: Gate) -> Outcome:
        """Hand one message over. A refusal leaves the connection good for the next one."""
        content = prepare(parcel.content)
        if (problem := self._find_problem(content)) is not None:
            return problem
        try:
            refusal = await self._announce(parcel, content)
            if refusal is not None:
                return refusal
            self._write(content)
            await self._drain(self.patience.block)
        except ConnectionLost as error:
            self.abort()
            return Outcome(kind="deferred", code="connection", reply=str(error))
        return await self._hand_over(parcel, gate)

    def _find_problem(self, content: bytes) -> Outcome | None:
        limit = self.extensions.get("SIZE", "")
        if limit.isdigit() and 0 < int(limit) < len(content):
            return Outcome(
                kind="refused", code="5.3.4", reply=f"larger than the server takes ({limit} bytes)"
            )
        if not content.isascii() and "8BITMIME" not in self.extensions:
            return Outcome(kind="refused", code="5.6.3", reply="the server takes seven bits only")
        return None

    async def _announce(self, parcel: Parcel, content: bytes) -> Outcome | None:
        """Say from whom and to whom; return why that is refused, None when the body may follow."""
        mail = b"MAIL FROM:<%b>" % parcel.sender.encode()
        if "SIZE" in self.extensions:
            mail += b" SIZE=%d" % len(content)
        if "8BITMIME" in self.extensions and not content.isascii():
            mail += b" BODY=8BITMIME"
        words = [mail, b"RCPT TO:<%b>" % parcel.recipient.encode(), b"DATA"]
        if self._is_dirty:
            words.insert(0, b"RSET")
        self._is_dirty = True
        replies: list[Reply] = []
        try:
            await self._converse(words, replies)
        except ConnectionLost:
            # Who says 421 hangs up, and does not answer what came after.
            if not any(reply.code >= 400 for reply in replies):
                raise
        return self._read_refusal(replies)

    async def _converse(self, words: list[bytes], replies: list[Reply]) -> None:
        if "PIPELINING" in self.extensions:
            self._write(_BREAK.join(words) + _BREAK)
            for _ in words:
                replies.append(await self._reply(self.patience.command))
            return
        for word in words:
            replies.append(await self._command(word))
            if replies[-1].code >= 400:
                return

    def _read_refusal(self, replies: list[Reply]) -> Outcome | None:
        bad = next((reply for reply in replies if reply.code >= 400), None)
        if bad is None and replies[-1].code == 354:
            return None
        if bad is None or bad.code == _CLOSING or replies[-1].code == 354:
            # To a body nobody waits for, or for a message nobody gets, the only answer is to go.
            self.abort()
        if bad is None:
            return Outcome(kind="deferred", code="connection", reply=replies[-1].text)
        if bad.code == _CLOSING:
            return Outcome(kind="unreachable", code=bad.said, reply=bad.text)
        return _no(bad)

    async def _hand_over(self, parcel: Parcel, gate: Gate) -> Outcome:
        """Ask the gate, and only with its token end the message (rule D19)."""
        try:
            token = await gate()
        except BaseException:
            self.abort()
            raise
        if token is None:
            self.abort()
            return Outcome(kind="withheld")
        if self._lost is not None or self._replies:
            self.abort()
            return Outcome(kind="deferred", code="connection", reply="lost before the end")
        try:
            token.use(parcel.send_id)
            self._write(b".\r\n")
        except BaseException:
            self.abort()
            raise
        try:
            reply = await self._reply(self.patience.final)
        except ConnectionLost as error:
            self.abort()
            return Outcome(kind="doubtful", reply=str(error))
        return self._read_end(reply)

    def _read_end(self, reply: Reply) -> Outcome:
        if reply.code == _CLOSING:
            self.abort()
        if 200 <= reply.code < 300:
            self._is_dirty = False
            self.delivered += 1
            return Outcome(kind="sent", code=reply.said, reply=reply.text)
        if reply.code < 400:
            self.abort()
            return Outcome(kind="doubtful", code=reply.said, reply=reply.text)
        return _no(reply)


def _no(reply: Reply) -> Outcome:
    if reply.code >= 500:
        return Outcome(kind="refused", code=reply.said, reply=reply.text)
    return Outcome(kind="deferred", code=reply.said, reply=reply.text)
