"""The editor's form: what was typed, kept as typed."""

from typing import Final, cast, get_args

import msgspec
from django.http import QueryDict

from amity.broadcast.contracts import MessageClass, Starter, Template

CLASSES: Final[dict[MessageClass, tuple[str, str]]] = {
    "marketing": (
        "Marketing",
        "Needs consent, carries an unsubscribe link, counts towards the cap.",
    ),
    "transactional": (
        "Transactional",
        "What the customer asked for, such as a receipt: no promotion in it.",
    ),
    "service": ("Service", "What the customer must know, such as a recall: no promotion in it."),
}


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A template while it is being written."""

    name: str = ""
    message_class: MessageClass = "marketing"
    subject: str = ""
    preheader: str = ""
    source: str = ""
    text: str = ""


def read_draft(fields: QueryDict) -> Draft:
    """Read the draft from a submitted form; line ends become those of the source."""
    kind = fields.get("message_class", "")
    return Draft(
        name=fields.get("name", "").strip(),
        message_class=cast("MessageClass", kind if kind in get_args(MessageClass) else "marketing"),
        subject=fields.get("subject", "").strip(),
        preheader=fields.get("preheader", "").strip(),
        source=fields.get("source", "").replace("\r\n", "\n"),
        text=fields.get("text", "").replace("\r\n", "\n"),
    )


def draft_of(template: Template) -> Draft:
    """Return a saved template as a draft."""
    return Draft(
        name=template.name,
        message_class=template.message_class,
        subject=template.subject,
        preheader=template.preheader,
        source=template.source,
        text=template.text,
    )


def draft_from(start: Starter) -> Draft:
    """Return a start as a draft, without a name: two templates may not share one."""
    return Draft(
        message_class=start.message_class,
        subject=start.subject,
        preheader=start.preheader,
        source=start.source,
    )
