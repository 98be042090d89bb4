"""A template as a real customer would get it, while it is being written."""

from datetime import UTC, datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from amity.broadcast import api as broadcast
from amity.broadcast.contracts import Rendered
from amity.store.contracts import ProfileRow
from amity.web.access import requires
from amity.web.customers.words import who
from amity.web.mail_templates.form import Draft, draft_of, read_draft
from amity.web.messages.frames import frame, frame_words
from amity.web.messages.people import list_people


def find_reader(search: str) -> ProfileRow | None:
    """Return the customer a preview is made for: the first found, without a search the latest."""
    found = list_people(search.strip()[:200], limit=1)
    return found[0] if found else None


def render_draft(draft: Draft, reader: ProfileRow | None) -> Rendered:
    """Return a draft filled in for a customer; without one, for nobody in particular."""
    return broadcast.preview_template(
        subject=draft.subject,
        preheader=draft.preheader,
        source=draft.source,
        text=draft.text,
        message_class=draft.message_class,
        profile_id=reader.profile_id if reader else None,
        now=datetime.now(UTC),
    )


def previewed(draft: Draft, search: str) -> dict[str, Any]:
    """Return what the panel beside the editor tells."""
    reader = find_reader(search)
    told = {"who_search": search, "reader": reader, "reader_name": who(reader) if reader else ""}
    if not draft.source:
        return told | {"made": None}
    return told | {"made": render_draft(draft, reader)}


@require_POST
@requires("campaigns.read")
def preview(request: HttpRequest) -> HttpResponse:
    """Answer the panel beside the editor for what is typed now."""
    told = previewed(read_draft(request.POST), request.POST.get("who", ""))
    return render(request, "mail_templates/_previewed.html", told)


@require_POST
@requires("campaigns.read")
def preview_body(request: HttpRequest) -> HttpResponse:
    """Answer the HTML of what is typed now, for its frame."""
    draft = read_draft(request.POST)
    return _framed(draft, request.POST.get("who", ""))


@require_GET
@requires("campaigns.read")
def show_body(request: HttpRequest, template_id: int) -> HttpResponse:
    """Answer a saved template's HTML, for its frame."""
    draft = draft_of(broadcast.get_template(template_id=template_id))
    return _framed(draft, request.GET.get("who", ""))


def _framed(draft: Draft, search: str) -> HttpResponse:
    if not draft.source:
        return frame_words("Write something, and it shows here as a customer would get it.")
    made = render_draft(draft, find_reader(search))
    return frame_words(made.problem) if made.problem else frame(made.html)
