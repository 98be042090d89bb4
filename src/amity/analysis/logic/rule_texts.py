"""Rules as text: the language's own reader and writer, with the names of the segments there are."""

from collections.abc import Mapping
from typing import Any

from amity.analysis.logic.segments import Definitions
from amity.infra.database import transaction
from amity.rules import decode_rule, encode_rule, strip_filled
from amity.rules.text_reading import read_text
from amity.rules.text_writing import write_text


def read_rule(written: str) -> dict[str, Any]:
    """Return a rule's JSON from its text, or from JSON; see `api.read_rule`."""
    if written.lstrip().startswith("{"):
        return encode_rule(decode_rule(written))
    with transaction("readonly") as connection:
        names = Definitions(connection).live_names()
    ids = {name.lower(): segment_id for segment_id, name in names.items()}
    return encode_rule(decode_rule(read_text(written, ids)))


def write_rule(rule: dict[str, Any]) -> str:
    """Write a rule's JSON as text; see `api.write_rule`."""
    with transaction("readonly") as connection:
        names = Definitions(connection).live_names()
    return write_with(rule, names)


def describe_rule(rule: dict[str, Any]) -> str:
    """Say a rule in words; see `api.describe_rule`."""
    with transaction("readonly") as connection:
        names = Definitions(connection).names
    return decode_rule(rule).describe(names)


def write_with(rule: dict[str, Any], names: Mapping[int, str]) -> str:
    """Write a rule's JSON as text; a segment without a name here by its number."""
    return write_text(strip_filled(encode_rule(decode_rule(rule))), names)
