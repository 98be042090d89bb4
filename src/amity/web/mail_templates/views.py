"""The list of templates, and the editor."""

from datetime import UTC, datetime
from typing import Any, Final

from django.contrib import messages as notes
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from amity.broadcast import api as broadcast
from amity.broadcast.contracts import Template
from amity.kernel.errors import AmityError, Conflict, Invalid
from amity.web.access import may, requires, staff_of
from amity.web.mail_templates.form import CLASSES, Draft, draft_from, draft_of, read_draft
from amity.web.mail_templates.previews import previewed
from amity.web.messages.sending import sentence, show

_EDITOR: Final = "mail_templates/edit.html"


@require_GET
@requires("campaigns.read")
def show_list(request: HttpRequest) -> HttpResponse:
    """List the templates, the last changed first."""
    search = request.GET.get("q", "").strip()
    found = broadcast.list_templates()
    shown = [
        template
        for template in found
        if search.casefold() in f"{template.name}\n{template.subject}".casefold()
    ]
    return show(
        request,
        "mail_templates/list.html",
        {
            "found": sorted(shown, key=lambda template: template.updated_at, reverse=True),
            "total": len(found),
            "search": search,
            "starts": broadcast.list_starters(),
            "can_write": may(request, "campaigns.write"),
        },
    )


@require_http_methods(["GET", "POST"])
@requires("campaigns.write")
def create(request: HttpRequest) -> HttpResponse:
    """Make a template; what was typed stays when it cannot be made."""
    if request.method == "GET":
        key = request.GET.get("start", "")
        start = next((one for one in broadcast.list_starters() if one.key == key), None)
        draft = draft_from(start) if start else Draft()
        return _editor(request, draft, start_key=start.key if start else "")
    draft = read_draft(request.POST)
    try:
        made = broadcast.create_template(
            name=draft.name,
            message_class=draft.message_class,
            subject=draft.subject,
            preheader=draft.preheader,
            source=draft.source,
            text=draft.text,
            by=staff_of(request).get_username(),
            now=datetime.now(UTC),
        )
    except (Invalid, Conflict) as refusal:
        return _editor(request, draft, error=sentence(refusal))
    notes.success(request, f"{made.name} is saved.")
    return redirect("template", made.template_id)


@require_http_methods(["GET", "POST"])
@requires("campaigns.read")
def change(request: HttpRequest, template_id: int) -> HttpResponse:
    """Show a template in the editor; save what was changed as new content."""
    template = broadcast.get_template(template_id=template_id)
    if request.method == "GET":
        return _editor(request, draft_of(template), template=template)
    if not may(request, "campaigns.write"):
        notes.error(request, "Your role does not change templates.")
        return redirect("template", template_id)
    draft = read_draft(request.POST)
    try:
        made = broadcast.update_template(
            template_id=template_id,
            name=draft.name,
            message_class=draft.message_class,
            subject=draft.subject,
            preheader=draft.preheader,
            source=draft.source,
            text=draft.text,
            by=staff_of(request).get_username(),
            now=datetime.now(UTC),
        )
    except (Invalid, Conflict) as refusal:
        return _editor(request, draft, template=template, error=sentence(refusal))
    notes.success(request, f"{made.name} is saved. Campaigns under way keep what they began with.")
    return redirect("template", template_id)


def _editor(
    request: HttpRequest,
    draft: Draft,
    *,
    template: Template | None = None,
    error: str = "",
    start_key: str = "",
) -> HttpResponse:
    told: dict[str, Any] = {
        "draft": draft,
        "template": template,
        "error": error,
        "classes": CLASSES,
        "variables": broadcast.list_variables(),
        "starts": broadcast.list_starters(),
        "start_key": start_key,
        "can_write": may(request, "campaigns.write"),
        **previewed(draft, request.POST.get("who", "") or request.GET.get("who", "")),
    }
    return show(request, _EDITOR, told, status=422 if error else 200)


@require_POST
@requires("campaigns.write")
def archive(request: HttpRequest, template_id: int) -> HttpResponse:
    """Put a template away; what was made from it stays as it is."""
    template = broadcast.get_template(template_id=template_id)
    try:
        by = staff_of(request).get_username()
        broadcast.archive_template(template_id=template_id, by=by, now=datetime.now(UTC))
    except AmityError as refusal:
        notes.error(request, sentence(refusal))
        return redirect("template", template_id)
    notes.success(request, f"{template.name} is archived.")
    return redirect("templates")
