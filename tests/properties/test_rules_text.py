"""Any rule can be written as text and read back; any text is read or refused with a place."""

from hypothesis import given, settings
from hypothesis import strategies as st

from amity.kernel.errors import Invalid
from amity.rules import (
    All,
    Any_,
    Check,
    Did,
    HasConsent,
    InSegment,
    Not,
    SaidYes,
    Where,
    decode_rule,
    encode_rule,
    iter_conditions,
)
from amity.rules.operator import operators
from amity.rules.text_reading import read_text
from amity.rules.text_writing import write_text

NAMES = {7: "Fans", 8: 'He said "yes"\\', 9: "9"}
IDS = {name.lower(): segment_id for segment_id, name in NAMES.items()}

TESTS = [example for kind in operators for example in kind.examples()]
LEAVES = [example for kind in iter_conditions() for example in kind.examples()]
TRICKY = [
    *("and", "not", "number", "number of orders", "last seen", "did", "trait", "a.b", "it's", "é"),
    *("true", "1", "2026-01-31", "is", "is at least", "profile.x", "“", "”", "\\", '"'),
]


def names():
    plain = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
    return st.sampled_from(TRICKY) | plain.map(lambda text: text[:255])


def filters():
    return st.builds(Where, names(), st.sampled_from(TESTS))


def leaves():
    days = st.floats(0.0001, 36_500) | st.integers(1, 400).map(float)
    return (
        st.sampled_from(LEAVES)
        | st.builds(Check, names().map("trait.{}".format), st.sampled_from(TESTS))
        | st.builds(
            Did,
            names(),
            st.lists(filters(), max_size=3).map(tuple),
            at_least=st.none() | st.integers(1, 9),
            at_most=st.none() | st.integers(9, 20),
            within_days=st.none() | days,
        )
        | st.builds(InSegment, st.sampled_from([7, 8, 9, 10]))
        | st.builds(HasConsent, names())
        | st.builds(SaidYes, names())
    )


def several(children):
    parts = st.lists(children, max_size=4).map(tuple)
    return st.builds(All, parts) | st.builds(Any_, parts) | st.builds(Not, children)


@given(st.recursive(leaves(), several, max_leaves=8))
@settings(max_examples=300)
def test_a_rule_comes_back_from_its_text(rule):
    plain = encode_rule(rule)
    text = write_text(plain, NAMES)
    assert decode_rule(read_text(text, IDS)) == rule, text
    assert read_text(text, IDS) == plain, text


WORDS = st.sampled_from(
    ["and", "or", "not", "(", ")", "[", "]", "{", "}", ":", ",", "did", "never", "viewed", "is",
     "at", "least", "most", "3", "times", "in", "the", "last", "30", "days", "where", "country",
     '"x"', "“y”", "-", "number", "of", "orders", "one", "all", "segment", "-1.5e3", "07"]
)  # fmt: skip


@given(st.lists(WORDS, max_size=25).map(" ".join) | st.text(max_size=60))
@settings(max_examples=300)
def test_any_text_is_read_or_refused(text):
    try:
        found = encode_rule(decode_rule(read_text(text, IDS)))
    except Invalid:
        return
    assert read_text(write_text(found, NAMES), IDS) == found
