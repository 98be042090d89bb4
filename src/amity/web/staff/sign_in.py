"""Signing in: one-time links, passwords, and how often one may try.

Links and failed attempts live in the database, so that any number of web processes agree.
"""

from datetime import datetime, timedelta
from typing import Final

from django.contrib.auth import authenticate
from django.db import transaction
from django.http import HttpRequest

from amity.infra.config import settings
from amity.infra.crypto import hash_token, make_token, pseudonym
from amity.kernel.errors import Invalid, Unavailable
from amity.web.staff.models import Role, SignInAttempt, SignInLink, Staff

LINK_LIFETIME: Final = timedelta(minutes=15)
_WINDOW: Final = timedelta(minutes=15)
# Failures allowed within the window. Few for one account from one address; many more for an
# account from everywhere, so that a stranger cannot easily lock its owner out.
_PER_PAIR: Final = 5
_PER_ADDRESS: Final = 30
_PER_ACCOUNT: Final = 50


def create_staff(
    *, username: str, role: str = Role.VIEWER, name: str = "", email: str = ""
) -> Staff:
    """Create a member of staff without a password; the first sign-in is by link."""
    if role not in Role.values:
        raise Invalid(f"there is no role {role!r}; choose one of {', '.join(Role.values)}")
    made = Staff(username=username, role=role, first_name=name, email=email)
    made.set_unusable_password()
    made.save()
    return made


def create_sign_in_link(
    *, username: str, now: datetime, lifetime: timedelta = LINK_LIFETIME
) -> str:
    """Return the path of a link that signs ``username`` in once, until ``lifetime`` has passed.

    The first admin of an installation is made by this, without a password; any other name that
    is not known raises Invalid.
    """
    with transaction.atomic():
        person = Staff.objects.filter(username=username).first()
        if person is None:
            if Staff.objects.filter(role=Role.ADMIN).exists():
                raise Invalid(f"there is no member of staff named {username!r}")
            person = create_staff(username=username, role=Role.ADMIN)
        if not person.is_active:
            raise Invalid(f"{username!r} is not active")
        token = make_token()
        SignInLink.objects.filter(expires_at__lt=now).delete()
        SignInLink.objects.create(
            token_hash=hash_token(token), staff=person, expires_at=now + lifetime
        )
    return f"/sign-in/link/{token}/"


def is_link_good(*, token: str, now: datetime) -> bool:
    """Say whether a link would still sign somebody in; changes nothing."""
    return SignInLink.objects.filter(
        token_hash=hash_token(token), used_at=None, expires_at__gt=now, staff__is_active=True
    ).exists()


def use_link(*, token: str, now: datetime) -> Staff | None:
    """Consume a link and return whose it was; None when it is unknown, used or expired.

    One UPDATE decides, so of two uses at once only one succeeds.
    """
    good = SignInLink.objects.filter(
        token_hash=hash_token(token), used_at=None, expires_at__gt=now, staff__is_active=True
    )
    if not good.update(used_at=now):
        return None
    return SignInLink.objects.select_related("staff").get(token_hash=hash_token(token)).staff


def check_password(
    request: HttpRequest, *, username: str, password: str, now: datetime
) -> Staff | None:
    """Return who these words belong to, or None; raise Unavailable after too many failures.

    The attempt is written down before the password is looked at, so that tries sent at the
    same moment count each other.
    """
    keys = _attempt_keys(username, client_address(request))
    SignInAttempt.objects.filter(at__lt=now - 4 * _WINDOW).delete()
    for key, allowed in keys.items():
        failures = SignInAttempt.objects.filter(key=key, at__gt=now - _WINDOW).count()
        if failures >= allowed:
            raise Unavailable(
                "Too many tries. Wait a quarter of an hour, or ask for a sign-in link.",
                code="too_many_tries",
                retry_after_seconds=int(_WINDOW.total_seconds()),
            )
    made = SignInAttempt.objects.bulk_create([SignInAttempt(key=key, at=now) for key in keys])
    person = authenticate(request, username=username, password=password)
    if not isinstance(person, Staff):
        return None
    pair = next(iter(keys))
    SignInAttempt.objects.filter(key=pair).delete()
    SignInAttempt.objects.filter(pk__in=[attempt.pk for attempt in made]).delete()
    return person


def _attempt_keys(username: str, address: str) -> dict[str, int]:
    account = username.strip().casefold()
    return {
        pseudonym(f"sign-in pair {account} {address}"): _PER_PAIR,
        pseudonym(f"sign-in address {address}"): _PER_ADDRESS,
        pseudonym(f"sign-in account {account}"): _PER_ACCOUNT,
    }


def client_address(request: HttpRequest) -> str:
    """Return the caller's network address; a proxy's word for it only when https is set."""
    if settings().https:
        # The last entry is the one our own proxy wrote; those before it are the caller's words.
        forwarded = request.headers.get("X-Forwarded-For", "")
        if forwarded:
            return forwarded.rsplit(",", 1)[-1].strip()
    return str(request.META.get("REMOTE_ADDR", ""))
