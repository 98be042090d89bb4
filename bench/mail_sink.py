"""A mail server that takes everything as fast as Python can, in a process of its own.

It keeps nothing and counts on request: whoever says `NOOP` is told how many messages it took.
Run with `python -m bench.mail_sink PORT`.
"""

import asyncio
import sys

import uvloop

_taken = 0
_ANSWERS = {
    b"EHLO": b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 10000000\r\n",
    b"HELO": b"250 sink\r\n",
    b"MAIL": b"250 ok\r\n",
    b"RCPT": b"250 ok\r\n",
    b"RSET": b"250 ok\r\n",
    b"DATA": b"354 go\r\n",
}


class Session(asyncio.Protocol):
    """One client."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.rest = b""
        self.is_data = False

    def connection_made(self, transport):
        self.transport = transport
        transport.write(b"220 sink\r\n")

    def data_received(self, data):
        global _taken  # noqa: PLW0603  # one process, one count
        data = self.rest + data if self.rest else data
        said = []
        while data:
            if self.is_data:
                # What came before of this message was looked at; its end may be split.
                end = data.find(b"\r\n.\r\n")
                if end < 0:
                    break
                data = data[end + 5 :]
                self.is_data = False
                _taken += 1
                said.append(b"250 taken\r\n")
                continue
            end = data.find(b"\r\n")
            if end < 0:
                break
            word = data[:4].upper()
            data = data[end + 2 :]
            if word == b"QUIT":
                self.transport.write(b"".join(said) + b"221 bye\r\n")
                self.transport.close()
                return
            elif word == b"NOOP":
                said.append(b"250 %d\r\n" % _taken)
            else:
                said.append(_ANSWERS.get(word, b"500 what\r\n"))
                self.is_data = word == b"DATA"
        self.rest = data
        if said:
            self.transport.write(b"".join(said))


async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Session, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
