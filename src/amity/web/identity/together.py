"""Households and companies of a customer: who is in them, and who was said not to be."""

from datetime import UTC, datetime
from typing import Any, Final, get_args

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from amity.kernel.errors import AmityError
from amity.store import api as store
from amity.store import api_identity
from amity.store.contracts_identity import Link, LinkKind
from amity.web.access import requires, staff_of
from amity.web.customers.words import who

_SHOWN: Final = 12
_SHARED: Final = {
    "surname": "surname",
    "address": "address",
    "email domain": "e-mail domain",
    "company name": "name of the company",
    "VAT number": "VAT number",
    "review": "said by staff",
}


def linked(profile_id: int, links: list[Link]) -> dict[str, Any]:
    """Return what a page shows of those who belong together with a customer."""
    rejected = api_identity.list_rejected_links(profile_id=profile_id)
    wanted = {each for link in links for each in link.profile_ids[: _SHOWN + 1]}
    wanted |= {each for ids in rejected.values() for each in ids[:_SHOWN]}
    rows = store.list_profiles(profile_ids=sorted(wanted), limit=200).items if wanted else []
    names = {row.profile_id: who(row) for row in rows}
    return {
        "links": [_tell(link, profile_id, names) for link in links],
        "unlinked": [
            {"kind": kind, "others": _call(ids[:_SHOWN], names)} for kind, ids in rejected.items()
        ],
    }


def _tell(link: Link, profile_id: int, names: dict[int, str]) -> dict[str, Any]:
    others = [each for each in link.profile_ids if each != profile_id]
    shared = link.evidence.get("shared", [])
    return {
        "is": link,
        "others": _call(others[:_SHOWN], names),
        "more": max(0, len(others) - _SHOWN),
        "why": ", ".join(_SHARED.get(each, each) for each in dict.fromkeys(shared)),
    }


def _call(ids: list[int], names: dict[int, str]) -> list[tuple[int, str]]:
    return [(each, names.get(each, f"Profile {each}")) for each in ids]


@requires("profiles.unmerge")
@require_POST
def reject(request: HttpRequest, profile_id: int, kind: str) -> HttpResponse:
    """Say that a customer does not belong to a household or company."""
    return _say(request, profile_id, kind, is_in=False)


@requires("profiles.unmerge")
@require_POST
def restore(request: HttpRequest, profile_id: int, kind: str) -> HttpResponse:
    """Take that back."""
    return _say(request, profile_id, kind, is_in=True)


def _say(request: HttpRequest, profile_id: int, kind: str, *, is_in: bool) -> HttpResponse:
    say = api_identity.restore_link if is_in else api_identity.reject_link
    for known in get_args(LinkKind):
        if known == kind:
            by, now = staff_of(request).username, datetime.now(UTC)
            try:
                say(profile_id=profile_id, kind=known, by=by, now=now)
            except AmityError as error:
                messages.error(request, f"Not done: {error}.")
            else:
                done = "as before" if is_in else "no longer; it can be undone here"
                messages.success(request, f"They belong to the {kind} {done}.")
    return redirect("identity", profile_id=profile_id)
