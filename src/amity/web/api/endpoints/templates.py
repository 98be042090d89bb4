"""Templates: messages to be filled in for each customer."""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from amity.broadcast import api as broadcast
from amity.broadcast.contracts import MessageClass, Rendered, Template
from amity.kernel.pagination import Page
from amity.web.api.given import given
from amity.web.api.routing import Call, RowId, SmallRowId, route

Name = Annotated[str, Meta(min_length=1, max_length=100)]
Line = Annotated[str, Meta(max_length=1000)]
Source = Annotated[str, Meta(max_length=500_000, description="MJML or HTML with Liquid in it.")]


class TemplateChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change of a template; what is absent stays."""

    name: Name | UnsetType = UNSET
    message_class: MessageClass | UnsetType = UNSET
    subject: Line | UnsetType = UNSET
    preheader: Line | UnsetType = UNSET
    source: Source | UnsetType = UNSET
    text: Source | UnsetType = UNSET


class NewTemplate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A template to make."""

    name: Name
    subject: Line
    source: Source
    message_class: MessageClass = "marketing"
    preheader: Line = ""
    text: Source = ""


class PreviewWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For whom to fill a template in; nobody in particular without a profile."""

    profile_id: RowId | None = None
    placement_key: Annotated[str, Meta(max_length=100)] = ""


@route("GET", "/templates", scope="campaigns:read")
def list_templates() -> Page[Template]:
    """List templates by name."""
    return Page(broadcast.list_templates())


@route(
    "POST",
    "/templates",
    scope="campaigns:write",
    status=201,
    location="/templates/{it.template_id}",
)
def create_template(body: NewTemplate, call: Call) -> Template:
    """Make a template; what is wrong in it is said with its line."""
    return broadcast.create_template(by=call.caller, now=call.now, **given(body))


@route("GET", "/templates/{template_id}", scope="campaigns:read")
def get_template(template_id: SmallRowId) -> Template:
    """Get a template."""
    return broadcast.get_template(template_id=template_id)


@route("PATCH", "/templates/{template_id}", scope="campaigns:write")
def update_template(template_id: SmallRowId, body: TemplateChange, call: Call) -> Template:
    """Change a template; what is under way stays as it was."""
    return broadcast.update_template(
        template_id=template_id, by=call.caller, now=call.now, **given(body)
    )


@route("DELETE", "/templates/{template_id}", scope="campaigns:write")
def archive_template(template_id: SmallRowId, call: Call) -> None:
    """Put a template away; nothing new can use it."""
    broadcast.archive_template(template_id=template_id, by=call.caller, now=call.now)


@route("POST", "/templates/{template_id}/preview", scope="campaigns:read")
def preview_template(template_id: SmallRowId, body: PreviewWish, call: Call) -> Rendered:
    """Say how one customer would get a message now; nothing is sent or kept."""
    found = broadcast.get_template(template_id=template_id)
    return broadcast.preview_template(
        profile_id=body.profile_id,
        placement_key=body.placement_key,
        now=call.now,
        message_class=found.message_class,
        subject=found.subject,
        preheader=found.preheader,
        source=found.source,
        text=found.text,
    )
