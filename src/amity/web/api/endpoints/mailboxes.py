"""Mailboxes: read by IMAP for what customers write, what bounced and who complained."""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from amity.kernel.pagination import Page
from amity.store import api_fetching
from amity.store.contracts_hooks import Mailbox, MailboxPlan, MailSecurity
from amity.web.api.documents_doors import MailboxDocument, pick
from amity.web.api.given import given
from amity.web.api.routing import Call, SmallRowId, route

Name = Annotated[str, Meta(min_length=1, max_length=100)]
Host = Annotated[str, Meta(min_length=1, max_length=253)]
User = Annotated[str, Meta(min_length=1, max_length=255)]
Password = Annotated[str, Meta(min_length=1, max_length=500, description="Never shown again.")]
Port = Annotated[int, Meta(ge=1, le=65535)]
Folder = Annotated[str, Meta(min_length=1, max_length=200)]
Seconds = Annotated[int, Meta(ge=10, le=86_400)]


class NewMailbox(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mailbox to read; it is tried first."""

    name: Name
    source_id: SmallRowId
    host: Host
    username: User
    password: Password
    port: Port | UnsetType = UNSET
    security: MailSecurity | UnsetType = UNSET
    folder: Folder | UnsetType = UNSET
    interval_seconds: Seconds | UnsetType = UNSET


class MailboxChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change of a mailbox; what is absent stays, the password too."""

    name: Name | UnsetType = UNSET
    host: Host | UnsetType = UNSET
    username: User | UnsetType = UNSET
    password: Password | UnsetType = UNSET
    port: Port | UnsetType = UNSET
    security: MailSecurity | UnsetType = UNSET
    folder: Folder | UnsetType = UNSET
    interval_seconds: Seconds | UnsetType = UNSET
    is_enabled: bool | UnsetType = UNSET


class MailboxTried(msgspec.Struct, frozen=True, kw_only=True):
    """A mailbox that let us in, and how many messages it has had at most."""

    messages: int


@route("GET", "/mailboxes", scope="sources:read")
def list_mailboxes() -> Page[Mailbox]:
    """List the mailboxes and how far each is read, by name."""
    return Page(api_fetching.list_mailboxes())


@route(
    "POST", "/mailboxes", scope="sources:write", status=201, location="/mailboxes/{it.mailbox_id}"
)
def create_mailbox(body: NewMailbox, call: Call) -> MailboxDocument:
    """Begin to read a mailbox once it lets us in; what is in it already is read too."""
    fields = given(body)
    password, source_id = fields.pop("password"), fields.pop("source_id")
    made = api_fetching.create_mailbox(
        plan=MailboxPlan(**fields), source_id=source_id, password=password, by=call.caller
    )
    return pick(MailboxDocument, made)


@route("GET", "/mailboxes/{mailbox_id}", scope="sources:read")
def get_mailbox(mailbox_id: SmallRowId) -> MailboxDocument:
    """Get a mailbox as it was set up; its password is never shown."""
    return pick(MailboxDocument, api_fetching.get_mailbox(mailbox_id=mailbox_id))


@route("PATCH", "/mailboxes/{mailbox_id}", scope="sources:write")
def update_mailbox(mailbox_id: SmallRowId, body: MailboxChange) -> MailboxDocument:
    """Change which mailbox is read and how, once it lets us in; pause or resume it.

    Another server, user or folder is read from its beginning; nothing is taken twice.
    """
    changes = given(body)
    is_enabled, password = changes.pop("is_enabled", None), changes.pop("password", None)
    if changes or password is not None:
        held = api_fetching.get_mailbox(mailbox_id=mailbox_id).plan
        plan = msgspec.structs.replace(held, **changes)
        api_fetching.update_mailbox(mailbox_id=mailbox_id, plan=plan, password=password)
    if is_enabled is not None:
        api_fetching.switch_mailbox(mailbox_id=mailbox_id, is_enabled=is_enabled)
    return get_mailbox(mailbox_id)


@route("DELETE", "/mailboxes/{mailbox_id}", scope="sources:write")
def delete_mailbox(mailbox_id: SmallRowId) -> None:
    """Forget a mailbox and its password; what was read stays."""
    api_fetching.delete_mailbox(mailbox_id=mailbox_id)


@route("GET", "/mailboxes/{mailbox_id}/health", scope="sources:read")
def get_mailbox_health(mailbox_id: SmallRowId) -> Mailbox:
    """Say how far a mailbox is read, how much was left out, and what went wrong last."""
    return api_fetching.get_mailbox(mailbox_id=mailbox_id)


@route("POST", "/mailboxes/{mailbox_id}/test", scope="sources:write")
def try_mailbox(mailbox_id: SmallRowId) -> MailboxTried:
    """Sign in and open the folder, and read nothing; 422 or 503 says what is in the way."""
    return MailboxTried(messages=api_fetching.try_mailbox(mailbox_id=mailbox_id))


@route("POST", "/mailboxes/{mailbox_id}/run", scope="sources:write")
def run_mailbox(mailbox_id: SmallRowId, call: Call) -> Mailbox:
    """Read what is new at once; `failure` says what went wrong."""
    return api_fetching.run_mailbox(mailbox_id=mailbox_id, now=call.now)
