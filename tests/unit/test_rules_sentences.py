"""Sentences as marketers type them: read as meant, or refused with what to write instead.

The files hold them; a sentence stands above what becomes of it.
"""

from pathlib import Path

import pytest

from amity.kernel.errors import Invalid
from amity.rules import decode_rule, encode_rule
from amity.rules.operator import name_of
from amity.rules.text_activities import _VERBS
from amity.rules.text_aliases import FIRST_WORDS, aliases, refused
from amity.rules.text_reading import read_text
from amity.rules.text_writing import labels, write_text

NAMES = {7: "VIP", 8: "Big Spenders"}
IDS = {name.lower(): segment_id for segment_id, name in NAMES.items()}
FOLDER = Path(__file__).parent.parent / "fixtures"


def pairs(name):
    lines = (FOLDER / name).read_text("utf-8").splitlines()[1:]
    return list(zip(lines[::2], (line.strip() for line in lines[1::2]), strict=True))


@pytest.mark.parametrize(("typed", "written"), pairs("sentences.txt"))
def test_a_sentence_is_read_as_meant(typed, written):
    found = read_text(typed, IDS)
    assert write_text(found, NAMES) == written
    assert read_text(written, IDS) == found == encode_rule(decode_rule(found))


@pytest.mark.parametrize(("typed", "told"), pairs("sentences_refused.txt"))
def test_a_sentence_is_refused_with_what_to_write(typed, told):
    with pytest.raises(Invalid) as error:
        read_text(typed, IDS)
    assert str(error.value) == told


def test_a_trait_called_by_a_first_word_says_that_it_is_a_trait():
    begun = {phrase.split()[0] for phrase, _, needs_not in _VERBS if not needs_not}
    assert begun <= FIRST_WORDS


def test_other_words_of_operators_are_not_those_of_another():
    own = {words: name_of(kind) for words, kind in labels()}
    assert all(own.get(words, op) == op for words, op in aliases())
    assert not {words for words, _ in refused()} & (own.keys() | dict(aliases()).keys())
