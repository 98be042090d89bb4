"""Editing one property of a plan: its form, and what was typed read back."""

from collections.abc import Mapping
from typing import Any, Final, cast, get_args

import msgspec
from django.http import QueryDict

from amity.kernel.errors import Invalid
from amity.store.contracts_tracking import FieldType, Format, PlanField, Policy, ShapeField

TYPES: Final[tuple[str, ...]] = get_args(FieldType)
FORMATS: Final = {
    "": "any",
    "email": "e-mail address",
    "url": "web address",
    "date": "date",
    "instant": "date and time",
    "currency": "currency (three letters)",
    "country": "country (two letters)",
    "uuid": "UUID",
    "digits": "digits only",
}
POLICIES: Final = {
    "": "as the plan says",
    "pass": "is counted",
    "cut": "is left out",
    "quarantine": "goes to quarantine",
}
_MOST: Final = 500


class FieldForm(msgspec.Struct, frozen=True, kw_only=True):
    """What the form of a property holds, as typed."""

    path: str = ""
    is_required: bool = False
    types: list[str] = []
    allowed: str = ""
    format: str = ""
    max_length: str = ""
    policy: str = ""
    description: str = ""


def form_of(field: PlanField) -> FieldForm:
    """Return a property as its form shows it; allowed values a line each."""
    return FieldForm(
        path=field.path,
        is_required=field.is_required,
        types=list(field.types),
        allowed="\n".join(_write(value) for value in field.allowed),
        format=field.format,
        max_length="" if field.max_length is None else str(field.max_length),
        policy=field.policy or "",
        description=field.description,
    )


def begin_form(path: str, came: ShapeField | None) -> FieldForm:
    """Return the form of a property that is not planned yet, from how it came."""
    return FieldForm(path=path, types=list(came.types) if came else [])


def _write(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def typed_form(given: QueryDict) -> FieldForm:
    """Return the form as it was sent, whether it makes sense or not."""
    texts = {
        name: given.get(name, "").strip()
        for name in ("path", "allowed", "format", "max_length", "policy", "description")
    }
    types = [kind for kind in given.getlist("types") if kind in TYPES]
    return FieldForm(**texts, is_required=given.get("is_required") == "yes", types=types)


def read_form(form: FieldForm) -> PlanField:
    """Return the property a form describes; raise Invalid with what to mend."""
    if not form.path:
        raise Invalid("a property has a path, such as total or products[].price")
    if form.format not in FORMATS or form.policy not in POLICIES:
        raise Invalid("choose one of the list")
    if form.max_length and not (form.max_length.isascii() and form.max_length.isdecimal()):
        raise Invalid(f"“{form.max_length}” is no number of characters")
    if len(form.max_length) > 9:
        raise Invalid("so long a text is never taken in")
    lines = [line.strip() for line in form.allowed.splitlines() if line.strip()]
    return PlanField(
        path=form.path,
        is_required=form.is_required,
        types=cast("list[FieldType]", form.types),
        allowed=[_read(line, form.types) for line in lines[:_MOST]],
        format=cast("Format", form.format),
        max_length=int(form.max_length) if form.max_length else None,
        policy=cast("Policy", form.policy) if form.policy else None,
        description=form.description[:_MOST],
    )


def _read(text: str, types: list[str]) -> str | int | float | bool:
    """Return an allowed value as the property's type has it; a text where it may be one."""
    if "string" in types or not types:
        return text
    if "boolean" in types and text.lower() in {"true", "false"}:
        return text.lower() == "true"
    if "number" in types:
        return _number(text)
    raise Invalid(f"“{text}” is no {' or '.join(types)}")


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        try:
            value = float(text)
        except ValueError:
            raise Invalid(f"“{text}” is no number") from None
    if value - value != 0:
        raise Invalid(f"“{text}” is no number")
    return value


def summary(field: PlanField) -> Mapping[str, Any]:
    """Return what a row of the plan says of a property beside its type."""
    return {
        "types": " or ".join(field.types) or "anything",
        "format": FORMATS[field.format] if field.format else "",
        "policy": POLICIES[field.policy] if field.policy else "",
    }
