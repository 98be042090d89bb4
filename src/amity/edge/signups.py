"""Signing up for messages by a form: `POST /v1/subscribe`, and a form of our own to try it.

The key is a public one, so nothing is given here: an address is asked by mail whether it was she
(rule D44). Whoever asks learns nothing: known or not, suppressed or not, the answer is the same.
"""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from amity.edge import http, pages
from amity.edge.evidence import browser_family, network_key
from amity.edge.gate import Gate
from amity.edge.http import Exchange, Refusal, Scope
from amity.edge.pages import Answer
from amity.infra.config import settings
from amity.kernel.errors import AmityError, Invalid, Unavailable
from amity.store import hot
from amity.store.contracts import Source
from amity.store.contracts_consent import Signup
from amity.store.hot import Collector

PATH: Final = "/v1/subscribe"
FORM: Final = "/subscribe"
TRAP: Final = "website"
"""A field nobody sees: what is written there was written by a program."""

_SOURCE: Final = "Journey Market web shop"
_PURPOSE: Final = "marketing.email"
_LONGEST: Final = 8_192
_MOST_FIELDS: Final = 40
_MOST_PURPOSES: Final = 20
_MOST_REMEMBERED: Final = 20_000
_THANKS: Final = "Please look into your inbox: we have sent you a message to confirm your address."
_HOUR: Final = 3600.0

InThread = Callable[..., Awaitable[Any]]


class Pace:
    """Counts requests of each network in this process, before the database is asked."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._counts: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def take(self, key: str, second: float) -> bool:
        """Count one; say whether it is one too many in this hour."""
        hour = int(second // _HOUR)
        held = self._counts.get(key, (hour, 0))
        amount = held[1] + 1 if held[0] == hour else 1
        self._counts[key] = (hour, amount)
        self._counts.move_to_end(key)
        if len(self._counts) > _MOST_REMEMBERED:
            self._counts.popitem(last=False)
        return amount > self._most


class Signups:
    """Answers the form's requests in one process; ``in_thread`` calls what blocks."""

    def __init__(self, collector: Collector, gate: Gate, in_thread: InThread) -> None:
        self._collector = collector
        self._gate = gate
        self._in_thread = in_thread
        self._pace = Pace(hot.A_NETWORK)

    async def take(self, scope: Scope, exchange: Exchange) -> None:
        """Answer a `POST`, to a page as a page and to a program as JSON."""
        is_page = "text/html" in (scope.headers.get("accept") or "")
        try:
            await self._take(scope, exchange)
        except (Refusal, AmityError) as error:
            refusal = error if isinstance(error, Refusal) else http.refusal_of(error)
            if not is_page:
                raise refusal from error
            words = refusal.message[:1].upper() + refusal.message[1:] + "."
            _reply(exchange, pages.plain("That did not work", words, refusal.status))
            return
        if is_page:
            _reply(exchange, pages.plain("Thank you", _THANKS))
        else:
            http.reply_json(exchange, {"success": True, "message": _THANKS})

    async def _take(self, scope: Scope, exchange: Exchange) -> None:
        key = http.basic_key(scope.headers.get("authorization"))
        source, held = await self._gate.begin(scope, exchange, key)
        try:
            body = await self._gate.read(scope, exchange)
            told = read_fields(body, scope.headers.get("content-type") or "")
            if source is None:
                source = await self._gate.let_in(_text(told, "writeKey", "write_key"))
            self._collector.charge(source)
            await self._ask(scope, source, told)
        finally:
            self._collector.release(held)

    async def _ask(self, scope: Scope, source: Source, told: dict[str, Any]) -> None:
        if _text(told, TRAP):
            return
        # A server asks for its customers, all from its own address.
        network = network_key(scope) if source.kind == "browser" else ""
        if network and self._pace.take(network, time.time()):
            raise self._collector.unavailable("too_many_signups", _HOUR)
        agent = scope.headers.get("user-agent") or ""
        signup = Signup(
            address=_text(told, "email"),
            purposes=_list(told, "purposes", "purpose") or [_PURPOSE],
            source_id=source.source_id,
            notice=_notice(told),
            language=_text(told, "language"),
            name=_text(told, "name"),
            browser=browser_family(agent) if network else "",
            network=network,
        )
        error = await self._in_thread(_request, signup, datetime.now(UTC))
        if error is not None:
            raise error

    async def show(self, exchange: Exchange) -> None:
        """Answer the form of our own."""
        source = self._collector.find_public_source(_SOURCE)
        asked = {each.key: each for each in await self._in_thread(hot.list_asked)}
        purpose = asked.get(_PURPOSE)
        if source is None or purpose is None:
            words = "There is no source of the kind “browser” yet, whose key this form would use."
            _reply(exchange, pages.plain("Nothing to sign up for", words, 404))
            return
        sender = settings().mail_from_name
        _reply(exchange, pages.sign_up(source.write_key, purpose, sender))


def _request(signup: Signup, now: datetime) -> AmityError | None:
    """Record a request; give back what is wrong with it, which is no trouble of the database's."""
    try:
        hot.request_subscription(signup=signup, now=now)
    except Invalid as error:
        return error
    except Unavailable as error:
        if error.code != "too_many_signups":
            raise
        return error
    return None


def read_fields(body: bytes, content_type: str) -> dict[str, Any]:
    """Return the fields of a form or of a JSON object; raise Refusal."""
    if len(body) > _LONGEST:
        raise http.too_large(_LONGEST)
    try:
        if "json" in content_type.lower():
            return msgspec.json.decode(body, type=dict[str, Any])
        fields: dict[str, Any] = {}
        pairs = parse_qsl(body.decode(), max_num_fields=_MOST_FIELDS)
        for name, value in pairs:
            fields[name] = [*fields[name], value] if name in fields else [value]
    except ValueError as error:
        message = "send a form, or a JSON object"
        raise Refusal(400, "bad_form", message) from error
    return fields


def _text(told: dict[str, Any], *names: str) -> str:
    """Return the first of these fields that holds a text."""
    for name in names:
        value = told.get(name)
        if isinstance(value, list) and value:
            value = value[0]
        if isinstance(value, str) and value.strip():
            return value.strip()
    return ""


def _list(told: dict[str, Any], *names: str) -> list[str]:
    for name in names:
        value = told.get(name)
        values = value if isinstance(value, list) else [value]
        found = [each for text in values if isinstance(text, str) for each in text.split(",")]
        wanted = [each.strip() for each in found if each.strip()]
        if wanted:
            return wanted[:_MOST_PURPOSES]
    return []


def _notice(told: dict[str, Any]) -> str:
    """Return the name of the notice, from its whole name or from its parts."""
    name, version = _text(told, "notice"), _text(told, "notice_version")
    if not name or "@" in name:
        return name
    language = _text(told, "language")
    suffix = f"/{language}" if language and language != "en" else ""
    return f"{name}@{version or 1}{suffix}"


def _reply(exchange: Exchange, answer: Answer) -> None:
    exchange.response_bytes(answer.status, list(answer.headers), answer.body)
