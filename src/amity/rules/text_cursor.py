"""Going through the text of a rule: what comes next, and the small things that are read."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, Final, NoReturn

from amity.rules.text_tokens import KEYWORDS, Token, tokenise, unreadable

_CONTINUES: Final = (
    "a across after an any anything as at before between both by during either ever every "
    "exactly few fewer for from i in is it last less more most never next no nothing of on once "
    "or over past per previous since something than the then they this times today twice under "
    "until up we who with within without yesterday"
)
CONTINUES: Final = frozenset(_CONTINUES.split())
"""Words that go on with a condition, so that a product called by one needs quotes."""


class Cursor:
    """A place in a text; what is read moves it on."""

    def __init__(self, text: str) -> None:
        self.text = text.rstrip().removesuffix(".")
        self.tokens = tokenise(self.text)
        self.place = 0

    @property
    def next(self) -> Token:
        """The token to be read next."""
        return self.tokens[self.place]

    def fail(self, reason: str) -> NoReturn:
        """Raise Invalid that points here."""
        raise unreadable(self.text, self.next.start, reason)

    def sees(self, *words: str) -> bool:
        """Say whether these words or signs come next."""
        ahead = self.tokens[self.place : self.place + len(words)]
        return len(ahead) == len(words) and all(
            token.kind in {"word", "sign"} and token.written.lower() == word
            for token, word in zip(ahead, words, strict=True)
        )

    def takes(self, *words: str) -> bool:
        """Read these words if they come next."""
        if not self.sees(*words):
            return False
        self.place += len(words)
        return True

    def takes_any(self, *phrases: str) -> bool:
        """Read the first of these phrases that comes next, if one does."""
        return any(self.takes(*phrase.split()) for phrase in phrases)

    def expect(self, *words: str) -> None:
        """Read these words, or say that they are missing."""
        if not self.takes(*words):
            self.fail(f"expected `{' '.join(words)}`")

    def take(self) -> Token:
        """Read the next token, whatever it is."""
        token = self.next
        self.place += 1
        return token

    def sees_call(self, names: Iterable[str]) -> bool:
        """Say whether one of these names comes next, with its fields in brackets."""
        ahead = [token.written for token in self.tokens[self.place :][:4]]
        is_call = ahead[1:2] == ["("] and (ahead[2:3] == [")"] or ahead[3:4] == [":"])
        return is_call and self.next.kind == "word" and ahead[0] in names

    def name(self) -> str:
        """Read a name: a word that means nothing by itself, or a text in quotes."""
        token = self.next
        if token.kind == "text":
            return str(self.take().value)
        if token.kind == "word" and token.written.lower() not in KEYWORDS:
            return self._words()
        self.fail("expected a name; put it in quotes")

    def _words(self) -> str:
        """Read a word, and those after it that begin with a capital: Order Completed."""
        first = last = self.take()
        while self.next.kind == "word" and self.goes_on(self.next):
            last = self.take()
        return self.text[first.start : last.start + len(last.written)]

    @staticmethod
    def goes_on(token: Token) -> bool:
        """Say whether a word goes on with a name begun before it: it has a capital."""
        return token.written[0].isupper() and token.written.lower() not in KEYWORDS | CONTINUES

    def known(self, names: Iterable[str]) -> str | None:
        """Read one of these names, of several words without quotes too; None when none is there."""
        token, rest = self.next, self.text[self.next.start :].lower()
        if token.kind != "word":
            return None
        for name in sorted(names, key=len, reverse=True):
            end = token.start + len(name)
            ahead = [at for at, each in enumerate(self.tokens) if each.start >= end]
            place = min(ahead, default=len(self.tokens) - 1)
            whole = self.tokens[place - 1]
            if rest.startswith(name) and whole.start + len(whole.written) == end:
                self.place = place
                return name
        return None

    def key(self) -> str:
        """Read the name of a field, before its colon, which can be a word of the language."""
        return self.take().written if self.next.kind == "word" else self.name()

    def set_(self, node: dict[str, Any], key: str, value: Any) -> None:
        """Note what was read; raise Invalid when it was said before."""
        if key in node:
            self.fail(f"this is said twice: {key.replace('_', ' ')}")
        node[key] = value


def nearest(written: str, known: Iterable[str]) -> str:
    """Return what was probably meant, as the end of a message; nothing when nothing is near."""
    found = get_close_matches(written.lower(), list(known), n=1, cutoff=0.75)
    return f"; did you mean “{found[0]}”?" if found and found[0] != written.lower() else ""
