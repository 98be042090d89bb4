"""The links a message carries: signed, so that nobody can make one that we did not."""

import base64
from typing import Any, Final
from uuid import UUID

from amity.broadcast.logic.liquid.values import clean_url, escape_text, is_usual
from amity.infra import tokens
from amity.infra.config import Settings
from amity.kernel.errors import Invalid

_PREFERENCES_DAYS: Final = 30
_CONFIRM_DAYS: Final = 7
_FOLLOWED: Final = ("https://", "http://")
_OWN: Final = ("/u/", "/p/", "/c/", "/o/", "/s/", "/r/")


def public_base(settings: Settings) -> str:
    """Return where customers reach the edge, without a slash at its end."""
    url = settings.public_url or f"http://{settings.edge_host}:{settings.edge_port}"
    return url.rstrip("/")


class LinkMaker:
    """Makes the links of messages. It signs with the key of the moment it was made."""

    def __init__(self, settings: Settings) -> None:
        self.base = public_base(settings)
        self._unsubscribe = tokens.signer("unsubscribe")
        self._preferences = tokens.signer("preferences")
        self._confirm = tokens.signer("confirm")
        self._request = tokens.signer("request")
        self._open = tokens.signer("open")
        # Not all below our address: the shop itself may live there too.
        self.own = tuple(self.base + path for path in _OWN)
        self.click_begin = f"{self.base}/c/"
        self.sign_click = tokens.signer("click")

    def unsubscribe(self, profile_id: int, address_key: str, purpose: str, send: str) -> str:
        """Return the address that takes a consent back: by a button, or in one click."""
        content = [profile_id, "email", address_key, purpose, send]
        return f"{self.base}/u/{self._unsubscribe(content)}"

    def preferences(
        self, profile_id: int, address_key: str, purpose: str, send: str, until: int
    ) -> str:
        """Return the address of the customer's own choices, good for 30 days."""
        content = [profile_id, "email", address_key, purpose, send]
        return f"{self.base}/p/{self._preferences(content, until)}"

    def confirm(
        self, profile_id: int, address_key: str, event_id: int, send: str, until: int
    ) -> str:
        """Return the address where somebody says that she asked for messages herself."""
        content = [profile_id, address_key, event_id, send]
        return f"{self.base}/s/{self._confirm(content, until)}"

    def request(
        self, profile_id: int, address_key: str, request_id: int, send: str, until: int
    ) -> str:
        """Return the address where somebody confirms a data request and takes its copy."""
        content = [profile_id, address_key, request_id, send]
        return f"{self.base}/r/{self._request(content, until)}"

    def pixel(self, profile_id: int, send: str) -> str:
        """Return the picture whose loading says that the message was opened."""
        return (
            f'<img src="{self.base}/o/{self._open([profile_id, send])}.gif" width="1" height="1" '
            'alt="" style="display:block;border:0">'
        )


def preferences_until(now: float) -> int:
    """Return when a link to the preference centre made now is over."""
    return int(now) + _PREFERENCES_DAYS * 86_400


def confirm_until(now: float) -> int:
    """Return when a link to confirm an address made now is over."""
    return int(now) + _CONFIRM_DAYS * 86_400


class Clicks:
    """The links of one message, for somebody who agreed to being followed."""

    __slots__ = ("_begin", "_by_url", "_own", "_profile_id", "_send", "_sign")

    def __init__(
        self, maker: LinkMaker, profile_id: int, send: str, by_url: dict[str, tuple[str, str]]
    ) -> None:
        self._begin = maker.click_begin
        self._own = maker.own
        self._sign = maker.sign_click
        self._profile_id = profile_id
        self._send = send
        self._by_url = by_url

    def __call__(self, number: int, url: str, row: Any) -> str:
        """Return a signed link to ``url``; our signed links and those to mail stay as they are."""
        if not is_usual(url):
            url = clean_url(url)
            if not url.startswith(_FOLLOWED):
                return escape_text(url)
        if url.startswith(self._own):
            return escape_text(url)
        decision = item = ""
        if row.__class__ is dict and "decision_id" in row:
            decision, item = str(row["decision_id"]), str(row.get("item", ""))
        elif url in self._by_url:
            decision, item = self._by_url[url]
        said = (self._profile_id, self._send, number, url, decision, item)
        try:
            return self._begin + self._sign(said)
        except Invalid:
            # Too long for a link of ours: it leads there without us.
            return escape_text(url)


def bounce_address(send_id: UUID, domain: str) -> str:
    """Return the envelope sender of a message: what comes back there names it, and is signed."""
    raw = send_id.bytes + tokens.seal("bounce", send_id.bytes)
    return f"b+{base64.b32encode(raw).decode().rstrip('=').lower()}@{domain}"


def read_bounce_address(address: str) -> UUID | None:
    """Return which message an envelope sender names; None when we did not make it."""
    local = address.partition("@")[0].lower()
    if not local.startswith("b+") or len(local) != 54:
        return None
    try:
        raw = base64.b32decode(local[2:].upper() + "====")
    except ValueError:
        return None
    return UUID(bytes=raw[:16]) if tokens.is_seal("bounce", raw[:16], raw[16:]) else None
