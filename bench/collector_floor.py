"""The floor: the least a collector can do and still answer after the commit. An RSGI app.

No key, no checks, no counting: decode, COPY with group commit, answer. `FLOOR=jsonb` writes one
table; `FLOOR=unique` also refuses a message id that was there before, by a unique index.
"""

import asyncio
import os
import struct
import time

import msgspec
import psycopg

TABLE = os.environ["FLOOR"]
_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = struct.pack("!h", -1)
_FIRST = struct.Struct("!hiqi").pack
_LENGTH = struct.Struct("!i").pack
_EPOCH = 946_684_800
_COLUMNS = "(received_at, message_id, user_id, event, properties)"
_HEADERS = [("content-type", "application/json")]


class Event(msgspec.Struct):
    messageId: str
    type: str
    userId: str
    event: str = ""
    properties: msgspec.Raw = msgspec.Raw(b"{}")


class Batch(msgspec.Struct):
    batch: list[Event]


_one = msgspec.json.Decoder(Event)
_many = msgspec.json.Decoder(Batch)


class Floor:
    """Gathers rows while a connection is busy, and writes them all with the next."""

    def __init__(self):
        self.rows, self.waiting = [], []

    def __rsgi_init__(self, loop):
        self.wake = asyncio.Event()
        self.tasks = [loop.create_task(self.write()) for _ in range(2)]

    async def write(self):
        connection = await psycopg.AsyncConnection.connect(
            os.environ["BENCH_DSN"], autocommit=True, application_name=f"floor_{TABLE}"
        )
        cursor = connection.cursor()
        await cursor.execute(f"CREATE TEMP TABLE incoming (LIKE floor_{TABLE})")
        while True:
            await self.wake.wait()
            rows, waiting = self.rows, self.waiting
            self.rows, self.waiting = [], []
            self.wake.clear()
            if not rows:
                continue
            data = _HEADER + b"".join(rows) + _TRAILER
            if TABLE == "unique":
                async with connection.transaction():
                    await self.copy(cursor, "incoming", data)
                    await cursor.execute(
                        "INSERT INTO floor_unique SELECT * FROM incoming "
                        "ON CONFLICT (message_id) DO NOTHING"
                    )
                    await cursor.execute("TRUNCATE incoming")
            else:
                await self.copy(cursor, f"floor_{TABLE}", data)
            for future in waiting:
                if not future.done():
                    future.set_result(None)

    async def copy(self, cursor, table, data):
        async with cursor.copy(f"COPY {table} {_COLUMNS} FROM STDIN (FORMAT BINARY)") as copy:
            await copy.write(data)

    async def __rsgi__(self, scope, protocol):
        body = await protocol()
        batch = scope.path.endswith("batch")
        now = int((time.time() - _EPOCH) * 1e6)
        for event in _many.decode(body).batch if batch else (_one.decode(body),):
            message, user, name = event.messageId.encode(), event.userId.encode(), event.event
            properties = b"\1" + bytes(event.properties)
            self.rows += (
                _FIRST(5, 8, now, len(message)) + message,
                _LENGTH(len(user)) + user,
                _LENGTH(len(name)) + name.encode(),
                _LENGTH(len(properties)) + properties,
            )
        future = asyncio.get_running_loop().create_future()
        self.waiting.append(future)
        self.wake.set()
        await future
        protocol.response_bytes(200, _HEADERS, b'{"success":true}')


app = Floor()
