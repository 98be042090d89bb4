"""What customers ask for about their data: on the preference page, and behind the mailed link.

Whoever holds an older message can open the preference page, so asking there only has a link mailed
to the address. Behind that link a `GET` shows; a `POST` confirms, or takes the copy.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Final, get_args

from amity.edge import pages
from amity.edge.pages import Answer
from amity.infra import tokens
from amity.store import hot
from amity.store.contracts import Channel
from amity.store.contracts_requests import Asked, RequestKind, RequestLink

InThread = Callable[..., Awaitable[Any]]
_KINDS: Final = {kind: kind for kind in get_args(RequestKind)}
_CONFIRMS: Final = {
    "access": "You asked for a copy of all that we hold about you.",
    "portability": "You asked for what you gave us and what we recorded of you, to take away.",
    "erasure": "You asked us to delete all that we hold about you. That cannot be undone.",
    "rectification": "You asked us to correct something.",
    "restriction": "You asked us to keep your data and to use it for nothing.",
    "objection": "You object to our using your data for marketing and for choosing what suits you.",
}
_ASKED: Final = (
    "We have sent a message to your address. Confirm there that it was you: nothing is done before "
    "that. If you have asked already, we are at it."
)
_DONE: Final = {
    "access": "We put the copy together and write to you when it is ready.",
    "portability": "We put the copy together and write to you when it is ready.",
    "erasure": "We delete it and answer you by {due} at the latest.",
    "rectification": "We look at it and answer you by {due} at the latest.",
    "restriction": "From now on we keep your data and use it for nothing, until you hear from us.",
    "objection": "From now on we do not use your data for that.",
}


class DataRequests:
    """Answers in one process; ``in_thread`` calls what blocks."""

    def __init__(self, in_thread: InThread) -> None:
        self._in_thread = in_thread

    async def ask(
        self, profile_id: int, point: tuple[Channel, str], form: dict[str, str], now: datetime
    ) -> Answer:
        """Take a request from the preference page; the answer is the same whatever is known."""
        kind = _KINDS.get(form.get("kind", ""))
        if kind is not None:
            wish = form.get("wish", "").replace("\0", "").strip()
            await self._in_thread(
                hot.ask_for, profile_id=profile_id, point=point, kind=kind, wish=wish, now=now
            )
        return pages.plain("Thank you", _ASKED)

    async def answer(self, token: str, form: dict[str, str] | None, now: datetime) -> Answer:
        """Show what a mailed link is about; confirm it, or hand out the copy, on a press."""
        link = tokens.read("request", token, RequestLink, now=now)
        if link is None:
            return pages.too_late_to_confirm()
        action = "" if form is None else form.get("action", "")
        try:
            if action == "confirm":
                await self._in_thread(hot.confirm_asked, link=link, now=now)
            if action == "copy":
                path: Path | None = await self._in_thread(hot.take_copy, link=link, now=now)
                if path is not None:
                    return pages.archive("your-data.zip", str(path))
            asked: Asked | None = await self._in_thread(hot.find_asked, link=link, now=now)
        except Exception:
            return pages.trouble(form or {})
        return _page(asked)


def _page(asked: Asked | None) -> Answer:
    if asked is None:
        return pages.plain("Nothing is left of it", "We hold nothing about you any more.", 410)
    if asked.state == "verifying":
        return pages.confirm_request(_CONFIRMS[asked.kind])
    if asked.copy_id is not None and asked.copy_until is not None:
        if asked.is_used_up:
            words = "It was taken as often as this link allows. Ask for a new one."
            return pages.plain("The copy of your data", words, 410)
        return pages.copy_ready(asked.copy_bytes, f"{asked.copy_until:%-d %B %Y}")
    if asked.state == "refused":
        return pages.plain("Your request", "It was refused; we have written to you why.")
    words = _DONE[asked.kind].format(due=f"{asked.due_at:%-d %B %Y}")
    return pages.plain("Thank you", words)
