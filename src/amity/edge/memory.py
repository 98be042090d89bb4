"""What a customer told about herself, on her preference page: to read, correct, take back, add to.

Asked is only what is not known. What she sends is kept as her own claims, over a `POST` only.
"""

from datetime import datetime
from typing import Any, Final

import msgspec

from amity.store.contracts_claims import Memory

PROVENANCE: Final = "preference centre"
_PREFIX: Final = "told:"
_MOST: Final = 255
_AMITY: Final = 1


class Card(msgspec.Struct, frozen=True):
    """What she told, and the questions that are left, by trait."""

    told: list[Memory]
    questions: dict[str, str]


def read_questions(setting: str) -> dict[str, str]:
    """Return the questions of the setting `trait=Question, trait=Question`, by trait."""
    pairs = (part.partition("=") for part in setting.split(","))
    return {
        trait.strip(): words.strip() or trait.strip() for trait, _, words in pairs if trait.strip()
    }


def read_told(form: dict[str, str], card: Card) -> dict[str, Any]:
    """Return what a form says anew, by trait: None for what she takes back.

    Only what the page showed can be changed by it.
    """
    action = form.get("action")
    held = {one.trait: one.value for one in card.told}
    if action == "forget":
        trait = form.get("trait", "")
        return {trait: None} if trait in held else {}
    if action != "remember":
        return {}
    wanted = {
        trait: _read_value(form[_PREFIX + trait], held.get(trait))
        for trait in (*held, *card.questions)
        if form.get(_PREFIX + trait, "").strip()
    }
    return {trait: value for trait, value in wanted.items() if value != held.get(trait)}


def _read_value(text: str, held: Any) -> Any:
    """Return a value of the kind it had: a number stays a number where one was told."""
    text = " ".join(text.split())[:_MOST]
    if isinstance(held, int | float) and not isinstance(held, bool):
        try:
            number = float(text)
        except ValueError:
            return text
        return int(number) if number.is_integer() and abs(number) < 2**53 else number
    return text


def update(card: Card, told: dict[str, Any], now: datetime) -> Card:
    """Return the card with what was told a moment ago, which the fold has not taken in yet."""
    kept = [one for one in card.told if one.trait not in told]
    fresh = [
        Memory(trait=trait, value=value, at=now, source_id=_AMITY, provenance=PROVENANCE)
        for trait, value in told.items()
        if value is not None
    ]
    left = {trait: words for trait, words in card.questions.items() if trait not in told}
    return Card(sorted([*kept, *fresh], key=lambda one: one.trait), left)
