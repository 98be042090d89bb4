"""Our compiled templates say what python-liquid's own render says, within our subset."""

import os
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st
from liquid import Environment
from liquid.exceptions import LiquidError
from liquid.filter import with_environment

from amity.broadcast.logic.liquid.compiling import compile_liquid
from amity.broadcast.logic.liquid.values import RenderFailed

WORDS = st.text("ab<>&\"' é\n1", max_size=6)
LITERALS = st.one_of(
    st.integers(-9, 99).map(str),
    st.sampled_from(["1.5", "0.25", "true", "false", "empty", "blank"]),
    st.text("ab<&; ", max_size=4).map(lambda text: f"'{text}'"),
)
PATHS = st.sampled_from(
    [
        *("a", "b", "n", "row", "row.name", "row.price", "rows[0].name", "rows.first.name", "who"),
        *("rows.last.price", "rows.size", "who.name", "who['name']", "who[a]", "who.__class__"),
        *("words", "words[1]", "words[-1]", "words.size", "forloop.index", "forloop.last", "gone"),
        *("gone.further", "x", "x.name", "flag", "zero", "float", "a.size", "n.size"),
    ]
)
VALUES = st.one_of(PATHS, PATHS, LITERALS)
FILTERS = st.one_of(
    st.sampled_from(
        [
            *("upcase", "downcase", "capitalize", "strip", "escape", "url_encode", "size", "first"),
            *("last", "round", "newline_to_br", "join", "lstrip", "rstrip", "truncate: 5", "abs"),
            *("truncatewords: 1", "reverse", "ceil", "floor", "round: 1", "default: '<i>'"),
            *("split: ','", "split: ' '", "split: ''", "join: '<br>'", "replace: 'a', '<b>'"),
            *("replace_first: 'a', 'b'", "remove: '<'", "truncate: 4, '…'"),
        ]
    ),
    st.tuples(
        st.sampled_from(
            [
                *("append", "prepend", "plus", "minus", "times", "divided_by", "modulo"),
                *("default", "at_least", "at_most"),
            ]
        ),
        st.one_of(LITERALS, st.sampled_from(["a", "n", "float", "who.name"])).filter(
            lambda value: value not in ("empty", "blank", "true", "false")
        ),
    ).map(": ".join),
)
OUTPUTS = st.tuples(VALUES, st.lists(FILTERS, max_size=3)).map(
    lambda said: "{{ " + " | ".join([said[0], *said[1]]) + " }}"
)
TESTS = st.one_of(
    # Not as a filter's value: there the original writes Python's None.
    st.just("nil"),
    VALUES,
    st.tuples(
        VALUES,
        st.sampled_from(["==", "!=", "<", ">", "<=", ">=", "contains", "and", "or"]),
        st.one_of(VALUES, st.just("nil")),
    ).map(" ".join),
)
TEXTS = st.text("ab<>&\"' \n", max_size=5)
ENDS = st.sampled_from([("{%", "%}"), ("{%-", "-%}"), ("{%-", "%}"), ("{%", "-%}")])


def _tag(ends, words):
    return f"{ends[0]} {words} {ends[1]}"


def _block(inner):
    return st.one_of(
        st.tuples(ENDS, TESTS, inner, TESTS, inner, inner).map(
            lambda t: (
                _tag(t[0], f"if {t[1]}")
                + t[2]
                + _tag(t[0], f"elsif {t[3]}")
                + t[4]
                + "{% else %}"
                + t[5]
                + "{% endif %}"
            )
        ),
        st.tuples(TESTS, inner, inner).map(
            lambda t: f"{{% unless {t[0]} %}}{t[1]}{{% else %}}{t[2]}{{% endunless %}}"
        ),
        st.tuples(VALUES, LITERALS, LITERALS, inner, inner).map(
            lambda t: (
                f"{{% case {t[0]} %}}{{% when {t[1]}, {t[2]} %}}{t[3]}"
                f"{{% else %}}{t[4]}{{% endcase %}}"
            )
        ),
        st.tuples(
            st.sampled_from(["rows", "words", "(1..3)", "gone", "a", "rows.first", "(2..1)"]),
            st.sampled_from(["", " limit: 1", " offset: 1", " reversed", " limit: 2 offset: 1"]),
            inner,
            inner,
            st.sampled_from(["", "{% break %}", "{% if forloop.first %}{% continue %}{% endif %}"]),
        ).map(
            lambda t: (
                f"{{% for row in {t[0]}{t[1]} %}}{t[2]}{t[4]}{{{{ forloop.index }}}}"
                f"{{{{ forloop.rindex0 }}}}{{% else %}}{t[3]}{{% endfor %}}"
            )
        ),
        st.tuples(inner).map(lambda t: f"{{% capture x %}}{t[0]}{{% endcapture %}}"),
        st.tuples(VALUES, st.lists(FILTERS, max_size=2)).map(
            lambda t: "{% assign x = " + " | ".join([t[0], *t[1]]) + " %}"
        ),
        st.tuples(inner).map(lambda t: f"{{% comment %}}{t[0]}{{% endcomment %}}"),
        st.just("{% raw %}{{ a }}{% endraw %}"),
    )


PIECES = st.recursive(
    st.lists(st.one_of(TEXTS, OUTPUTS), max_size=3).map("".join),
    lambda inner: st.lists(st.one_of(TEXTS, OUTPUTS, _block(inner)), max_size=4).map("".join),
    max_leaves=8,
)
DATA = st.fixed_dictionaries(
    {
        "a": WORDS,
        "b": st.one_of(WORDS, st.integers(-5, 5)),
        "n": st.integers(-100, 100),
        "float": st.sampled_from([0.0, 1.5, -2.25, 10.0]),
        "flag": st.booleans(),
        "zero": st.just(0),
        "who": st.fixed_dictionaries({"name": WORDS}),
        "words": st.lists(WORDS, min_size=1, max_size=3),
        "rows": st.lists(
            st.fixed_dictionaries({"name": WORDS, "price": st.integers(0, 50)}),
            min_size=1,
            max_size=3,
        ),
    }
)
ORIGINAL = {is_html: Environment(autoescape=is_html) for is_html in (True, False)}


def _of_nothing(original):
    """Let lists of nothing be empty: the original makes them hold Python's None."""

    @with_environment
    def change(value, *rest, environment):
        more = {"environment": environment} if hasattr(original, "with_environment") else {}
        return original([] if value is None else value, *rest, **more)

    return change


for environment in ORIGINAL.values():
    for name in ("join", "reverse"):
        environment.add_filter(name, _of_nothing(environment.filters[name]))


@settings(max_examples=int(os.environ.get("MAIL_EXAMPLES", "120")), deadline=None)
@given(PIECES, DATA)
def test_compiled_says_what_the_original_says(source, data):
    for is_html, original in ORIGINAL.items():
        try:
            wanted = original.from_string(source).render(**data)
        except (LiquidError, ArithmeticError, ValueError, LookupError, TypeError):
            wanted = None
        try:
            found = compile_liquid(source, is_html=is_html).render(
                data | {"now": datetime(2026, 3, 1, tzinfo=UTC)}
            )
        except RenderFailed:
            found = None
        if wanted is not None and found is not None:
            assert found == wanted
        elif wanted is not None:
            raise AssertionError(f"the original says {wanted!r}, ours refuses")
