"""Which of several claims about a trait is shown (pure): a declared rule picks among the words.

A word is what one source says of a trait now, in one manner: its latest claim. The rules choose
among words, never among what a source has itself replaced, so a source can always correct itself.
Without a rule the latest word counts, whoever's it is. Words are joined by maxima, so that neither
the order of the events nor that of merges matters.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any, Final

import msgspec

from amity.store.contracts_claims import How, RuleKind, SurvivorshipRule


class Word(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A source's latest word on a trait, in one manner; as the projection keeps it."""

    source_id: int
    how: How
    value: Any
    """None: the source says that there is none."""
    at: datetime
    event_id: int
    since: datetime
    """When this source first spoke of this trait."""
    confidence: float | None = None
    expires_at: datetime | None = None

    @property
    def is_plain(self) -> bool:
        """Say whether it is no more than a value: then it need not be kept beside the trait."""
        return self.how == "observed" and self.confidence is None and self.expires_at is None


class Words(msgspec.Struct, frozen=True, omit_defaults=True):
    """All words a profile's traits are chosen from, where there is more than one plain word.

    What expired by ``until`` is over: the log has said so.
    """

    words: dict[str, tuple[Word, ...]] = {}
    until: datetime | None = None


NO_WORDS: Final = Words()
_CONFIDENCE: Final[dict[How, float]] = {
    "verified": 1.0,
    "stated": 0.9,
    "observed": 0.8,
    "inferred": 0.5,
}
"""How sure a claim is that does not say so itself."""
_HOW_RANK: Final[dict[How, int]] = {"inferred": 0, "observed": 1, "stated": 2, "verified": 3}
DEFAULT: Final = SurvivorshipRule(pattern="*", kind="latest")


class Rules:
    """The declared rules, found by trait; the most exact pattern counts, then the first by name."""

    def __init__(self, declared: Iterable[SurvivorshipRule] = ()) -> None:
        self._exact = {rule.pattern: rule for rule in declared if "*" not in rule.pattern}
        self._wide = sorted(
            (rule for rule in declared if "*" in rule.pattern),
            key=lambda rule: (-len(rule.pattern), rule.pattern),
        )

    def find(self, trait: str) -> SurvivorshipRule:
        """Return the rule for a trait; `DEFAULT` where none was declared."""
        exact = self._exact.get(trait)
        if exact is not None:
            return exact
        return next((rule for rule in self._wide if matches(rule.pattern, trait)), DEFAULT)


NO_RULES: Final = Rules()


def matches(pattern: str, trait: str) -> bool:
    """Say whether a pattern fits a trait's name; only `*` means something in it."""
    return fnmatchcase(trait, pattern.replace("[", "[[]").replace("?", "[?]"))


def join_words(one: Sequence[Word], other: Sequence[Word]) -> tuple[Word, ...]:
    """Return the latest word of each source and manner, in a fixed order."""
    joined: dict[tuple[int, str], Word] = {}
    for word in (*one, *other):
        key = (word.source_id, word.how)
        held = joined.get(key)
        if held is None:
            joined[key] = word
            continue
        newer = max(held, word, key=_age)
        since = min(held.since, word.since)
        joined[key] = newer if newer.since == since else msgspec.structs.replace(newer, since=since)
    return tuple(joined[key] for key in sorted(joined))


def choose(words: Sequence[Word], rule: SurvivorshipRule, until: datetime | None) -> Word:
    """Return the word that counts; when its value is None nothing is shown.

    By `latest` a word that there is none counts like any other; by all other rules it only takes
    back what its own source said, but the customer's own takes back whatever anybody said before.
    Of equals the latest counts.
    """
    live = [word for word in words if not _is_over(word, until)]
    if rule.kind != "latest":
        taken = [_age(word) for word in live if word.value is None and word.how == "stated"]
        live = [
            word for word in live if word.value is not None and all(at < _age(word) for at in taken)
        ]
    if not live:
        # Nothing is shown; of all that is known the latest says whose doing that is.
        return msgspec.structs.replace(max(words, key=_age), value=None)
    rank = _RANKS[rule.kind]
    return max(live, key=lambda word: (rank(word, rule), *_age(word)))


def _is_over(word: Word, until: datetime | None) -> bool:
    return until is not None and word.expires_at is not None and word.expires_at <= until


def _age(word: Word) -> tuple[datetime, int]:
    return word.at, word.event_id


def _by_trust(word: Word, rule: SurvivorshipRule) -> float:
    order = rule.sources
    return -order.index(word.source_id) if word.source_id in order else -len(order)


def confidence_of(how: How, confidence: float | None) -> float:
    """Return how sure a claim is: what it says itself, else what its manner stands for."""
    return _CONFIDENCE[how] if confidence is None else confidence


def _by_number(word: Word, sign: int) -> tuple[bool, float]:
    value = word.value
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number, sign * value if is_number else 0


_RANKS: Final[dict[RuleKind, Callable[[Word, SurvivorshipRule], Any]]] = {
    "latest": lambda _word, _rule: 0,
    "most_trusted_source": _by_trust,
    "highest_confidence": lambda word, _rule: confidence_of(word.how, word.confidence),
    "stated_over_inferred": lambda word, _rule: _HOW_RANK[word.how],
    "longest_known": lambda word, _rule: -word.since.timestamp(),
    "greatest": lambda word, _rule: _by_number(word, 1),
    "least": lambda word, _rule: _by_number(word, -1),
}
