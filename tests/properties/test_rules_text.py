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
from amity.rules.condition import conditions
from amity.rules.event_filter import Step
from amity.rules.operator import operators
from amity.rules.period import Period
from amity.rules.text_aliases import FIRST_WORDS
from amity.rules.text_cursor import CONTINUES
from amity.rules.text_phrases import PRODUCT
from amity.rules.text_reading import read_text
from amity.rules.text_writing import write_text

NAMES = {7: "Fans", 8: 'He said "yes"\\', 9: "9"}
IDS = {name.lower(): segment_id for segment_id, name in NAMES.items()}

TESTS = [example for kind in operators for example in kind.examples()]
LEAVES = [example for kind in iter_conditions() for example in kind.examples()]
TRICKY = [
    *("and", "not", "number", "number of orders", "last seen", "did", "trait", "a.b", "it's", "é"),
    *("true", "1", "2026-01-31", "is", "is at least", "profile.x", "“", "”", "\\", '"'),
    *("Order Completed", "EUR", "Red Wine", "it", "€", "a.", "May", "1.000", "1,000"),
    *sorted(FIRST_WORDS | CONTINUES),
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


def windows():
    """A window, by keyword."""
    periods = st.sampled_from([Period("week"), Period("year", "last", 1, "Europe/Paris")])
    periods |= st.just(Period("month", "last", 3))
    return st.fixed_dictionaries({}, optional={"within_days": st.sampled_from([0.5, 30.0])}) | (
        st.builds(lambda period: {"during": period}, periods)
    )


def made(name, **fields):
    """One kind of condition, of its own fields and a window."""
    return st.builds(
        lambda own, window: conditions[name](**own, **window),
        st.fixed_dictionaries(fields),
        windows(),
    )


def phrases():
    """Conditions with words of their own in the text, and what is nearly so."""
    numbers = st.sampled_from(
        [operators[op](value) for op in ("gt", "gte", "lt", "lte") for value in (0, 1, 3, 1.125)]
    ) | st.sampled_from([operators["between"](1, 3), operators["between"](0.5, 2)])
    texts = st.builds(operators["eq"], names()) | st.lists(names(), min_size=1, max_size=2).map(
        lambda found: operators["in"](tuple(found))
    )
    products = st.builds(Where, st.sampled_from((*PRODUCT, "colour")), texts)
    in_euros = (Where("currency", operators["eq"]("EUR")),)
    orders = st.sampled_from([(), in_euros, (Where("total", operators["gte"](5)),)])
    bounds = st.sampled_from([(None, None), (1, None), (None, 0), (None, 2), (2, 5)])
    steps = st.builds(Step, names(), st.lists(filters(), max_size=1).map(tuple))
    measures = st.sampled_from(("units", "lines", "spend", "margin"))
    return st.one_of(
        made(
            "bought",
            measure=measures,
            is_=numbers,
            lines=st.lists(products, max_size=2).map(tuple),
            where=orders,
        ),
        made(
            "ordered",
            measure=st.sampled_from(("net", "total")),
            is_=numbers,
            currency=st.just("EUR"),
        ),
        st.builds(
            lambda what, bound, run, window: conditions["message"](
                what, run, None, *bound, **window
            ),
            st.sampled_from(("sent", "opened", "clicked", "bounced", "held_out")),
            bounds,
            st.sampled_from([None, 3]),
            windows(),
        ),
        st.builds(
            lambda event, bound, where, window: conditions["active_days"](
                event, tuple(where), *bound, **window
            ),
            names(),
            bounds,
            st.lists(filters(), max_size=1),
            windows(),
        ),
        st.builds(
            conditions["lives"],
            st.sampled_from(("country", "region", "city", "postal_code")),
            texts | st.sampled_from(TESTS),
        ),
        st.builds(
            conditions["not_since"],
            names(),
            steps,
            st.lists(filters(), max_size=1).map(tuple),
            st.sampled_from(("first", "last")),
        ),
        made(
            "sequence",
            first=steps,
            then=steps,
            apart_days=st.sampled_from([None, 2.0]),
            without=st.none() | steps,
        ),
    )


def several(children):
    parts = st.lists(children, max_size=4).map(tuple)
    return st.builds(All, parts) | st.builds(Any_, parts) | st.builds(Not, children)


@given(st.recursive(leaves() | phrases(), several, max_leaves=8))
@settings(max_examples=150, deadline=None)
def test_a_rule_comes_back_from_its_text(rule):
    plain = encode_rule(rule)
    text = write_text(plain, NAMES)
    assert decode_rule(read_text(text, IDS)) == rule, text
    assert read_text(text, IDS) == plain, text


WORDS = st.sampled_from(
    ["and", "or", "not", "(", ")", "[", "]", "{", "}", ":", ",", "did", "never", "viewed", "is",
     "at", "least", "most", "3", "times", "in", "the", "last", "30", "days", "where", "country",
     '"x"', "“y”", "-", "number", "of", "orders", "one", "all", "segment", "-1.5e3", "07", "but",
     "bought", "it", "no", "order", "for", "then", "without", "has", "never", "opened", "an",
     "email", "more", "than", "100", "EUR", "this", "year", "top", "20", "%", "by", "clv",
     "lives", "city", "Berlin", "category", "birthday", "next", "spent", "on", "since", ">=", "km",
     "within", "May", "2026", "whole", "month", "or", "less", "once", "zone", "UTC"]
)  # fmt: skip


@given(st.lists(WORDS, max_size=25).map(" ".join) | st.text(max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_text_is_read_or_refused(text):
    try:
        found = encode_rule(decode_rule(read_text(text, IDS)))
    except Invalid:
        return
    assert read_text(write_text(found, NAMES), IDS) == found
