"""Why events are put aside, in words; codes without words here show as they are."""

from typing import Final

_REASONS: Final[dict[str, tuple[str, str]]] = {
    "not_json": (
        "not JSON",
        "The bytes are not JSON. Often the sender cut the body short or sent a form.",
    ),
    "not_an_object": (
        "not an object",
        "It is JSON but not an object, so it cannot say what happened to whom.",
    ),
    "not_finite": (
        "impossible number",
        "A number is not one (NaN, infinity) or is larger than can be kept.",
    ),
    "duplicate_key": (
        "name given twice",
        "One object names the same thing twice, so it is not clear which one counts.",
    ),
    "too_deep": (
        "nested too deep",
        "Objects lie within objects deeper than any customer event needs.",
    ),
    "too_large": ("too large", "The event is larger than this installation takes in."),
    "too_many_values": ("too many values", "The event holds more single values than is allowed."),
    "bad_utf8": ("not text", "The bytes are not UTF-8, so the words in it cannot be read."),
    "no_batch": ("no batch", "The request was sent as a batch but holds no list of events."),
    "too_many_events": ("too many at once", "One request held more events than is allowed."),
    "wrong_type": (
        "wrong kind of value",
        "A part that must be a text, an object or a date is something else.",
    ),
    "unknown_type": (
        "unknown type",
        "The type is none of identify, track, page, screen, group and alias.",
    ),
    "missing_identity": (
        "nobody named",
        "Neither a userId nor an anonymousId says whose event it is.",
    ),
    "missing_event": ("no event name", "A track without the name of its event says nothing."),
    "missing_group_id": ("no group", "A group event without a groupId."),
    "missing_previous_id": ("no earlier id", "An alias without the id it continues from."),
    "bad_identifier": ("id too long", "An id is longer than any system hands out."),
    "bad_timestamp": (
        "unreadable date",
        "A date is not written as ISO 8601, such as 2026-03-01T09:30:00Z.",
    ),
    "bad_name": ("name too long", "The name of the event or page is too long to be one."),
    "bad_message_id": ("message id too long", "The messageId is too long to tell events apart by."),
    "against_plan": (
        "against its plan",
        "Its plan says that such an event is put aside. Mend the sender, or change the plan, "
        "then replay it.",
    ),
    "no_identity": (
        "placeholder ids",
        "All its identifiers are placeholders such as null, which stand for nobody.",
    ),
    "id_conflict": (
        "same id, other content",
        "An event with this messageId is in the log with other content. The first one stands; "
        "this one was put aside instead of being dropped.",
    ),
}


def label_of(code: str) -> str:
    """Return a reason in two or three words."""
    known = _REASONS.get(code)
    return known[0] if known else code.replace("_", " ")


def words_of(code: str) -> str:
    """Return what a reason means and what to do about it; empty when nothing more is known."""
    known = _REASONS.get(code)
    return known[1] if known else ""
