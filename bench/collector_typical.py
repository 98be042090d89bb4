"""The typical stack, as the peer: uvicorn, asyncpg, one INSERT for each event. An ASGI app."""

import datetime
import os

import asyncpg
import orjson

_pools = []
_INSERT = (
    "INSERT INTO typical (received_at, message_id, user_id, event, properties) "
    "VALUES ($1, $2, $3, $4, $5::text::jsonb)"
)


async def _live(receive, send):
    await receive()
    pool = await asyncpg.create_pool(
        os.environ["BENCH_URL"],
        min_size=16,
        max_size=16,
        server_settings={"application_name": "typical"},
    )
    _pools.append(pool)
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await pool.close()
    await send({"type": "lifespan.shutdown.complete"})


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await _live(receive, send)
        return
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body")
    decoded = orjson.loads(body)
    events = decoded.get("batch", [decoded])
    now = datetime.datetime.now(datetime.UTC)
    async with _pools[0].acquire() as connection:
        for event in events:
            properties = orjson.dumps(event.get("properties", {})).decode()
            await connection.execute(
                _INSERT,
                now,
                event["messageId"],
                event["userId"],
                event.get("event", ""),
                properties,
            )
    reply = b'{"success":true}'
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(reply))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": reply})
