"""Templates: kept as written, compiled when saved, so that what is saved can be sent."""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

import msgspec
import psycopg.errors

from amity.broadcast.contracts import MessageClass, Rendered, Template, TemplateFields
from amity.broadcast.logic.liquid.compiling import compile_liquid
from amity.broadcast.logic.mail import mime
from amity.broadcast.logic.mail.text_part import make_text
from amity.broadcast.logic.templates import making_data
from amity.broadcast.logic.templates.making import Content, Maker, Recipient, end_of_body, get_maker
from amity.broadcast.logic.templates.source import make_html
from amity.infra import queries
from amity.infra.config import settings
from amity.infra.database import Connection, transaction
from amity.kernel.errors import AmityError, Conflict, Invalid, NotFound
from amity.personalization import api as personalization
from amity.personalization.contracts import DecideRequest, Decision

_SQL: Final = queries.load("amity.broadcast")
_CLIPPED: Final = 102 * 1024
_LONGEST_NAME: Final = 100
_LONGEST_LINE: Final = 500
_UNSUBSCRIBE: Final = ("links", "unsubscribe")
_POSTAL: Final = ("brand", "postal_address")
_STYLE: Final = (
    "font-family:Arial,sans-serif;font-size:12px;line-height:18px;color:#777777;"
    "text-align:center;padding:24px 16px"
)
_FOOTER: Final = {
    True: f'<div style="{_STYLE}">{{{{ brand.name }}}}, {{{{ brand.postal_address }}}}<br>'
    '<a href="{{ links.unsubscribe }}" style="color:#777777">Unsubscribe</a> &middot; '
    '<a href="{{ links.preferences }}" style="color:#777777">What you want to get</a></div>',
    False: f'<div style="{_STYLE}">{{{{ brand.name }}}}, {{{{ brand.postal_address }}}}</div>',
}
_TEXT_FOOTER: Final = {
    True: "\n\n--\n{{ brand.name }}, {{ brand.postal_address }}\n"
    "Unsubscribe: {{ links.unsubscribe }}\n",
    False: "\n\n--\n{{ brand.name }}, {{ brand.postal_address }}\n",
}


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody writes; `TemplateFields` with its defaults."""

    message_class: MessageClass = "marketing"
    subject: str = ""
    preheader: str = ""
    source: str = ""
    text: str = ""


def _draft(fields: Mapping[str, Any]) -> Draft:
    for field, value in fields.items():
        if isinstance(value, str):
            _check_text(field, value)
    try:
        return msgspec.convert(dict(fields), Draft)
    except msgspec.ValidationError as error:
        raise Invalid(str(error), code="bad_template") from error


def _check_text(field: str, text: str) -> None:
    """Raise Invalid for what no database keeps: a NUL, or half a character."""
    if "\0" in text or text.encode("utf-8", "replace").decode() != text:
        raise Invalid(f"the {field} holds a NUL or half a character", code="bad_text")


class _Row(msgspec.Struct, frozen=True):
    template_id: int
    name: str
    content_id: int
    message_class: MessageClass
    subject: str
    preheader: str
    source: str
    html: str
    text: str
    is_archived: bool
    created_by: str
    created_at: datetime
    updated_at: datetime


def _asks(program_source: str, *, is_html: bool, part: str) -> frozenset[tuple[str, ...]]:
    return compile_liquid(program_source, is_html=is_html, part=part).paths


def compose(draft: Draft) -> Content:
    """Return a draft as what is kept and sent; raises Invalid with what is wrong, and where.

    Marketing that does not say how to unsubscribe, or from where it comes, gets a footer that does.
    """
    for what, text in (("subject", draft.subject), ("preheader", draft.preheader)):
        if len(text) > _LONGEST_LINE or "\n" in text:
            raise Invalid(f"the {what} is one line of at most {_LONGEST_LINE} characters")
    if not draft.subject.strip():
        raise Invalid("the subject is empty", code="bad_template")
    html = make_html(draft.source)
    paths = _asks(html, is_html=True, part="HTML")
    if draft.message_class == "marketing" and not paths >= {_UNSUBSCRIBE, _POSTAL}:
        footer = _FOOTER[_UNSUBSCRIBE not in paths]
        end = end_of_body(html)
        html = html[:end] + footer + html[end:]
    text = draft.text.strip()
    if not text:
        text = make_text(html)
    elif draft.message_class == "marketing":
        said = _asks(text, is_html=False, part="text")
        if not said >= {_UNSUBSCRIBE, _POSTAL}:
            text += _TEXT_FOOTER[_UNSUBSCRIBE not in said]
    content = Content(
        content_id=0,
        message_class=draft.message_class,
        subject=draft.subject.strip(),
        preheader=draft.preheader.strip(),
        html=html,
        text=text,
    )
    get_maker(content, settings())
    return content


@lru_cache(maxsize=512)
def lint(content: Content, source: str) -> tuple[str, ...]:
    """Return what somebody should know before this is sent."""
    found = []
    parts = ((content.subject, False), (content.preheader, True), (content.html, True))
    paths = {
        path
        for text, is_html in (*parts, (content.text, False))
        for path in _asks(text, is_html=is_html, part="template")
    }
    for path in sorted(paths):
        if not is_known(path):
            found.append(f"Nobody has `{'.'.join(path)}`: it will be empty.")
    if content.message_class == "marketing":
        own = _asks(make_html(source), is_html=True, part="HTML")
        if _UNSUBSCRIBE not in own:
            found.append("There is no unsubscribe link: a footer with one is added below.")
        elif _POSTAL not in own:
            found.append("Your postal address is missing: a footer with it is added below.")
    elif any(path[0] in ("offers", "offer", "products", "product") for path in paths):
        found.append("Offers and products make a message marketing; this one is not sent as such.")
    size = len(mime.encode(content.html))
    if size > _CLIPPED:
        found.append(f"The HTML has {size // 1024} kB; Gmail shows only the first 102 kB.")
    return tuple(found)


def is_known(path: tuple[str, ...]) -> bool:
    """Say whether a variable with its first step is one that messages have."""
    whole = ".".join(path)
    if path[0] in making_data.ANY or whole in making_data.ANY:
        return True
    if len(path) == 1:
        return any(name.partition(".")[0] == path[0] for name in making_data.VARIABLES)
    return whole in making_data.VARIABLES


def _template(row: tuple[Any, ...]) -> Template:
    read = _Row(*row)
    content = Content(
        content_id=read.content_id,
        message_class=read.message_class,
        subject=read.subject,
        preheader=read.preheader,
        html=read.html,
        text=read.text,
    )
    return Template(
        template_id=read.template_id,
        name=read.name,
        content_id=read.content_id,
        message_class=read.message_class,
        subject=read.subject,
        preheader=read.preheader,
        source=read.source,
        text=read.text,
        warnings=list(lint(content, read.source)),
        is_archived=read.is_archived,
        created_by=read.created_by,
        created_at=read.created_at,
        updated_at=read.updated_at,
    )


def _check_name(name: str) -> str:
    name = name.strip()
    _check_text("name", name)
    if not 1 <= len(name) <= _LONGEST_NAME:
        raise Invalid(f"a name has 1 to {_LONGEST_NAME} characters", code="bad_name")
    return name


def _taken(name: str) -> Conflict:
    return Conflict(f"there is a template called {name!r} already", code="name_taken")


def _keep(connection: Connection, draft: Draft, content: Content, now: datetime) -> int:
    values = (content.message_class, content.subject, content.preheader, draft.source)
    row = connection.execute(
        _SQL["insert_content"], [*values, content.html, content.text, now]
    ).fetchone()
    return int(row[0]) if row else 0


def keep_once(connection: Connection, draft: Draft, now: datetime) -> int:
    """Return the content that says what a draft says, kept in the caller's transaction if new.

    For messages that come with Amity; two callers at the same moment would keep it twice.
    """
    wanted = [draft.message_class, draft.subject, draft.source]
    row = connection.execute(_SQL["find_content"], wanted).fetchone()
    return int(row[0]) if row else _keep(connection, draft, compose(draft), now)


def create_template(*, name: str, fields: TemplateFields, by: str, now: datetime) -> Template:
    """Add a template."""
    draft = _draft(fields)
    name, content = _check_name(name), compose(draft)
    with transaction() as connection:
        content_id = _keep(connection, draft, content, now)
        row = connection.execute(
            _SQL["insert_template"], [name, content_id, by, now, now]
        ).fetchone()
        if row is None:
            raise _taken(name)
        return _get(connection, row[0])


def update_template(
    *, template_id: int, name: str | None, fields: TemplateFields, now: datetime
) -> Template:
    """Change what is given; a changed message gets a new content, the old one stays as it was."""
    with transaction() as connection:
        before = _lock(connection, template_id)
        # A text that was made from the HTML is made again, also when a form sends it back.
        made = make_text(before.html)
        given: dict[str, Any] = {key: value for key, value in fields.items() if value is not None}
        if given.get("text", before.text).strip() == made.strip():
            given["text"] = ""
        draft = _draft({key: getattr(before, key) for key in Draft.__struct_fields__} | given)
        content = compose(draft)
        content_id = before.content_id
        kept = Content(**{key: getattr(before, key) for key in Content.__struct_fields__})
        if (msgspec.structs.replace(content, content_id=content_id), draft.source) != (
            kept,
            before.source,
        ):
            content_id = _keep(connection, draft, content, now)
        name = before.name if name is None else _check_name(name)
        try:
            connection.execute(_SQL["update_template"], [name, content_id, now, template_id])
        except psycopg.errors.UniqueViolation:
            raise _taken(name) from None
        return _get(connection, template_id)


def archive_template(*, template_id: int, now: datetime) -> Template:
    """Put a template away; what was sent of it stays, and its name is free again."""
    with transaction() as connection:
        connection.execute(_SQL["archive_template"], [now, template_id])
        return _get(connection, template_id)


def _lock(connection: Connection, template_id: int) -> _Row:
    locked = connection.execute(_SQL["lock_template"], [template_id]).fetchone()
    if locked is None:
        raise NotFound(f"there is no template {template_id}")
    if locked[1]:
        raise Conflict("the template is archived", code="archived")
    return _Row(*_fetch(connection, template_id))


def _fetch(connection: Connection, template_id: int) -> tuple[Any, ...]:
    row = connection.execute(_SQL["get_template"], [template_id]).fetchone()
    if row is None:
        raise NotFound(f"there is no template {template_id}")
    return row


def _get(connection: Connection, template_id: int) -> Template:
    return _template(_fetch(connection, template_id))


def get_template(*, template_id: int) -> Template:
    """Return a template."""
    with transaction() as connection:
        return _get(connection, template_id)


def list_templates(*, is_archived: bool) -> list[Template]:
    """Return the templates by name, with those put away last or not at all."""
    with transaction() as connection:
        rows = connection.execute(_SQL["list_templates"], {"archived": is_archived}).fetchall()
    return [_template(row) for row in rows]


def load_contents(connection: Connection, content_ids: list[int]) -> dict[int, Content]:
    """Return contents by id; those that are not there are left out."""
    rows = connection.execute(_SQL["load_contents"], [content_ids]).fetchall()
    return {
        row[0]: Content(
            content_id=row[0],
            message_class=row[1],
            subject=row[2],
            preheader=row[3],
            html=row[4],
            text=row[5],
        )
        for row in rows
    }


# Showing


def preview(
    *, fields: TemplateFields, profile_id: int | None, placement_key: str, now: datetime
) -> Rendered:
    """Return a draft as one customer would get it; nothing is logged, no link can be used."""
    try:
        content = compose(_draft(fields))
    except AmityError as error:
        return _failed(profile_id, error)
    return _show(content, profile_id, placement_key, now)


def render(*, content_id: int, profile_id: int, now: datetime) -> Rendered:
    """Return a content as one customer would get it."""
    with transaction() as connection:
        found = load_contents(connection, [content_id] if 0 < content_id < 2**63 else [])
    if content_id not in found:
        raise NotFound(f"there is no content {content_id}")
    return _show(found[content_id], profile_id, "", now)


def _show(content: Content, profile_id: int | None, placement_key: str, now: datetime) -> Rendered:
    data = dict(making_data.SAMPLE)
    if profile_id is not None:
        with transaction() as connection:
            customers = making_data.load_customers(connection, [profile_id])
        if profile_id not in customers:
            raise NotFound(f"there is no customer {profile_id}")
        data["customer"] = customers[profile_id]
    to = data["customer"]["email"] or ""
    who = Recipient(
        send_id=UUID(int=0),
        profile_id=0,
        address=to,
        # Links of a preview are about nobody.
        address_key="",
        data=data,
        decision=_decide(placement_key, profile_id, now) if placement_key else None,
        now=now,
    )
    try:
        maker: Maker = get_maker(content, settings())
        subject, html, text, _ = maker.fill(who)
    except AmityError as error:
        return _failed(profile_id, error, to)
    size = len(mime.build_body(text, html, b"=_"))
    return Rendered(
        profile_id=profile_id, to=to, subject=subject, html=html, text=text, size_bytes=size
    )


def _decide(placement_key: str, profile_id: int | None, now: datetime) -> Decision:
    request = DecideRequest(placement=placement_key, channel="email")
    return personalization.decide(request=request, profile_id=profile_id, now=now, is_logged=False)


def _failed(profile_id: int | None, error: AmityError, to: str = "") -> Rendered:
    return Rendered(
        profile_id=profile_id,
        to=to,
        subject="",
        html="",
        text="",
        size_bytes=0,
        problem=error.message,
    )
