"""The local mailbox: what every customer would have received, as they would see it."""

from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from amity.broadcast import api as broadcast
from amity.broadcast.contracts import MailboxMessage
from amity.web.access import requires
from amity.web.messages.frames import frame, frame_words
from amity.web.messages.sending import show

_PAGE: Final = 20
_TABS: Final = {"html": "Message", "text": "Text", "headers": "Headers", "raw": "Raw"}
_LONGEST_RAW: Final = 200_000


def _list(request: HttpRequest) -> dict[str, Any]:
    search = request.GET.get("q", "").strip()[:200]
    after = request.GET.get("after") or None
    page = broadcast.list_mailbox(search=search, cursor=after, limit=_PAGE)
    return {
        "found": page.items,
        "next_cursor": page.next_cursor,
        "search": search,
        "is_first": after is None,
    }


@require_GET
@requires("mailbox.read")
def show_list(request: HttpRequest) -> HttpResponse:
    """List what the mailbox received, the latest first; for HTMX the list alone."""
    told = _list(request)
    htmx = request.htmx  # type: ignore[attr-defined]  # django_htmx's middleware sets it
    if htmx and htmx.target == "inbox":
        chosen = request.GET.get("open", "")
        told["chosen_id"] = int(chosen) if chosen.isdecimal() else None
        return render(request, "mailbox/_inbox.html", told)
    return show(request, "mailbox/box.html", told)


@require_GET
@requires("mailbox.read")
def show_one(request: HttpRequest, mailbox_id: int) -> HttpResponse:
    """Show one message beside the list: as HTML, as text, its headers, or as it came."""
    message = broadcast.get_mailbox_message(mailbox_id=mailbox_id)
    tab = request.GET.get("show", "")
    told = _list(request) | {
        "mail": message,
        "chosen_id": mailbox_id,
        "tab": tab if tab in _TABS else "html",
        "tabs": _TABS,
    }
    if told["tab"] == "raw":
        told["raw"] = _raw(message)
    return show(request, "mailbox/box.html", told)


def _raw(message: MailboxMessage) -> str:
    text = message.raw[:_LONGEST_RAW].decode("utf-8", "replace").replace("\r\n", "\n")
    return text if len(message.raw) <= _LONGEST_RAW else f"{text}\n[… cut; download it whole]"


@require_GET
@requires("mailbox.read")
def show_body(request: HttpRequest, mailbox_id: int) -> HttpResponse:
    """Answer one message's HTML, for its frame."""
    message = broadcast.get_mailbox_message(mailbox_id=mailbox_id)
    return frame(message.html) if message.html else frame_words("This message has no HTML part.")


@require_GET
@requires("mailbox.read")
def download(request: HttpRequest, mailbox_id: int) -> HttpResponse:
    """Answer the message as it came over the wire, as a file."""
    message = broadcast.get_mailbox_message(mailbox_id=mailbox_id)
    answer = HttpResponse(message.raw, content_type="message/rfc822")
    answer["Content-Disposition"] = f'attachment; filename="message-{mailbox_id}.eml"'
    return answer
