"""What a template may not do: reach Python, files or other templates, loop or grow for ever."""

import time
from datetime import UTC, datetime

import pytest

from amity.broadcast.logic.liquid.compiling import compile_liquid
from amity.broadcast.logic.liquid.values import LONGEST_OUTPUT, RenderFailed
from amity.kernel.errors import Invalid

DATA = {
    "x": "text",
    "n": 7,
    "rows": [{"name": "a"}, {"name": "b"}],
    "customer": {"name": "{{ secret }}", "first_name": None},
    "long": "a" * 60_000,
    "now": datetime(2026, 3, 1, 8, 30, tzinfo=UTC),
}
INNER = [
    *("__class__", "__init__", "__globals__", "__mro__", "__subclasses__", "__dict__", "mro"),
    *("__class__.__base__", "__class__.__mro__[1]", "__init__.__globals__", "func_globals"),
    *("format", "format_map", "join", "encode", "upper", "items", "keys", "pop", "update"),
    *("__builtins__", "__import__", "__getattribute__", "__reduce__", "_run", "denominator"),
    *("real", "imag", "to_bytes", "bit_length", "__doc__", "__module__", "__len__", "__str__"),
    *(
        "append",
        "copy",
        "sort",
        "__add__",
        "__format__",
        "gi_frame",
        "f_back",
        "tb_frame",
        "cr_code",
    ),
]
REACHING = [
    template
    for step in INNER
    for template in (
        f"{{{{ x.{step} }}}}",
        f"{{{{ n.{step} }}}}",
        f"{{{{ rows.{step} }}}}",
        f"{{{{ customer.{step} }}}}",
        f"{{{{ now.{step} }}}}",
        f'{{{{ x["{step}"] }}}}',
        f"{{% assign k = '{step}' %}}{{{{ rows[k] }}}}",
    )
]
# Of other template languages: to Liquid they are text, or wrong.
FOREIGN = [
    *(
        "{{ config }}",
        "{{ self }}",
        "{{ request }}",
        "{{ env }}",
        "{{ settings }}",
        "{{ globals }}",
    ),
    *("{0.__class__}", "%(x)s", "${7*7}", "#{7*7}", "<%= 7*7 %>", "@(7*7)", "*{7*7}"),
    *("{{ lipsum }}", "{{ cycler }}", "{{ joiner }}", "{{ namespace }}", "{{ url_for }}"),
    *("{{ _self.env }}", "{php}echo 1;{/php}", "$x", "#set($x=7)", "[[${7*7}]]", "{{ data }}"),
    *("{{ budget }}", "{{ write }}", "{{ out }}", "{{ link }}", "{{ apply }}", "{{ item }}"),
]
WRONG = [
    *(
        "{{ 7*7 }}",
        "{{ x() }}",
        "{{ x|attr('__class__') }}",
        "{{ ''.join(x) }}",
        "{{ x.__class__() }}",
    ),
    *("{% include 'x' %}", "{% render 'x' %}", "{% extends 'x' %}", "{% import 'os' %}"),
    *("{% include x %}", "{% layout 'x' %}", "{% block a %}{% endblock %}", "{% macro a %}"),
    *("{% liquid assign a = 1 %}", "{% tablerow r in rows %}{% endtablerow %}", "{% echo x %}"),
    *("{% increment a %}", "{% cycle 'a', 'b' %}", "{% python %}", "{% set a = 1 %}", "{% with %}"),
    *("{{ x | map: 'y' }}", "{{ x | base64_decode }}", "{{ x | system }}", "{{ x | json }}"),
    *(
        "{% if %}",
        "{% for %}",
        "{% for a in %}",
        "{% endif %}",
        "{% if x %}",
        "{{ x",
        "{% assign %}",
    ),
    *(
        "{{ x | upcase: 1 }}",
        "{{ x | replace }}",
        "{{ x | truncate: 1, 2, 3 }}",
        "{{ x | default: a: 1 }}",
    ),
    *(
        "{% for a in rows offset: continue %}{% endfor %}",
        "{% for a in rows cols: 2 %}{% endfor %}",
    ),
    *(
        "{{ forloop.name }}{% for r in rows %}{{ forloop }}{% endfor %}",
        "{% break %}",
        "{% else %}",
    ),
    "{{ 1" + "0" * 40 + " }}",
    "{% if " + "x and " * 3000 + "x %}{% endif %}",
    "{% if x %}" * 60 + "{% endif %}" * 60,
    "{% for a in rows %}" * 12 + "{% endfor %}" * 12,
]
DOUBLING = "{% assign s = 'aaaaaaaa' %}" + "{% assign s = s | append: s %}" * 40 + "{{ s }}"
ENDLESS = [
    "{% for a in (1..1000000000) %}x{% endfor %}",
    "{% for a in (1..n) %}{% for b in (1..99999) %}{{ b }}{% endfor %}{% endfor %}",
    "{% for a in (1..9999) %}{% for b in (1..9999) %}{% endfor %}{% endfor %}",
    "{% for a in (1..90000) %}{% for b in rows %}x{% endfor %}{% endfor %}",
    DOUBLING,
    "{% capture s %}aaaaaaaaaaaaaaaa{% endcapture %}"
    + "{% capture s %}{{ s }}{{ s }}{% endcapture %}" * 30,
    "{% assign s = long | replace: 'a', long %}{{ s }}",
    "{% assign s = long | split: '' | join: long %}{{ s }}",
    "{% assign i = 99999999 %}" + "{% assign i = i | times: i %}" * 20 + "{{ i }}",
    "{% for a in (1..9999) %}{{ long }}{% endfor %}",
    "{{ long }}" * 30,
    "{% for a in (1..5000) %}{{ long | upcase | size }}{% endfor %}",
    "{% for a in (1..9000) %}{{ long | replace: 'a', 'b' | size }}{% endfor %}",
    "{% for a in (1..9999) %}{% if long contains 'b' %}{% endif %}{{ long | size }}{% endfor %}",
    "{{ 1e5 }}{{ long | truncate: 99999999999999999999999999999999 }}" + "{{ long }}" * 20,
    "{% for a in (1..99) %}" + "{{ x | upcase }}" * 500 + "{% endfor %}",
    "{{ '1' | divided_by: 0 }}",
    "{{ n | times: 1.0e300 | times: 1.0e300 | round }}" * 9 + "{{ long }}" * 20,
]


def run(source, *, is_html=True):
    return compile_liquid(source, is_html=is_html).render(DATA)


@pytest.mark.parametrize("is_html", [True, False])
def test_a_value_has_no_python_attributes(is_html):
    assert len(REACHING) + len(FOREIGN) + len(WRONG) + len(ENDLESS) >= 300
    for template in REACHING:
        assert run(template, is_html=is_html) in ("", "7"), template


def test_other_languages_are_text():
    for template in FOREIGN:
        found = run(template, is_html=False)
        assert found in ("", template), template
        assert "49" not in found


@pytest.mark.parametrize("template", WRONG)
def test_what_is_not_known_is_refused_when_it_is_saved(template):
    with pytest.raises(Invalid) as refused:
        compile_liquid(template, is_html=True, part="HTML")
    assert refused.value.message.startswith(("HTML", "the HTML"))
    assert refused.value.reason == "bad_template"


@pytest.mark.parametrize("template", ENDLESS, ids=range(len(ENDLESS)))
def test_nothing_goes_on_or_grows_for_ever(template):
    began = time.thread_time()
    try:
        found = run(template)
    except (RenderFailed, Invalid):
        found = ""
    assert len(found.encode()) <= LONGEST_OUTPUT
    assert time.thread_time() - began < 0.1 + 0.15  # compiling, and a machine with other work
    program = None
    try:
        program = compile_liquid(template, is_html=True)
    except Invalid:
        return
    began = time.thread_time()
    with pytest.raises(RenderFailed):
        program.render(DATA)
    assert time.thread_time() - began < 0.1


def test_what_a_value_says_is_never_a_template():
    assert run("{{ customer.name }}", is_html=False) == "{{ secret }}"
    assert run("{{ customer.name | append: customer.name | strip }}") == "{{ secret }}" * 2


def test_a_line_is_named():
    with pytest.raises(Invalid, match="line 3: there is no filter `evil`"):
        compile_liquid("a\nb\n{{ c | evil }}", is_html=True)


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("{{ customer.first_name | append: '!' }}", "!"),
        ("{{ customer.first_name | date: '%Y' }}", ""),
        ("{{ customer.first_name | split: ',' | size }}", "0"),
        ("{{ x | append: customer.first_name }}", "text"),
        ("{% for a in customer.first_name %}x{% else %}none{% endfor %}", "none"),
        ("{{ 'now' | date: '%d.%m.%Y %H:%M' }}", "01.03.2026 08:30"),
        ("{{ '2026-03-01T08:30:00+00:00' | date: '%-d %b' }}", "1 Mar"),
        ("{{ 'soon' | date: '%Y' }}", "soon"),
        ("{{ now | date: '%999999999d%Q%' }}", "99999999d"),
        ("{{ 1234.5 | money: 'EUR' }}", "€1,234.50"),
        (
            "{{ 1234 | money: 'JPY' }} {{ 3 | money: 'SEK' }} {{ -2 | money }}",
            "¥1,234 3.00 SEK -2.00",
        ),
        (
            "{% for r in rows %}{% for s in rows %}{{ forloop.parentloop.index }}{% endfor %}"
            "{% endfor %}",
            "1122",
        ),
        ("{{ rows.first.name }}{{ rows[-1].name }}{{ rows.size }}", "ab2"),
    ],
)
def test_what_is_missing_is_empty_and_dates_and_money_are_written(source, wanted):
    assert run(source, is_html=False) == wanted


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ('<a href="{{ u }}">', '<a href="#">'),
        ('<a href=" {{ tab }}">', '<a href="#">'),
        ('<img src="{{ u }}">', '<img src="#">'),
        ("<a href='{{ q }}'>", "<a href='%22%20onclick=%22x'>"),
        (
            '<a href="https://s.x/?q={{ odd }}&amp;r=1">',
            '<a href="https://s.x/?q=a%26b%3D%22&amp;r=1">',
        ),
        ('<a href="https://s.x/{{ odd | url_encode }}">', '<a href="https://s.x/a%26b%3D%22">'),
        (
            '<a href="{% if n %}https://a.x/{{ n }}{% else %}{{ u }}{% endif %}">',
            '<a href="https://a.x/7">',
        ),
        ('<a class="{{ n }}" href="{{ ok }}">{{ ok }}</a>', '<a class="7" href="https://é">'),
        ('<p>href="{{ odd }}"</p>', '<p>href="a&amp;b=&#34;"</p>'),
        ('<a href="mailto:a@b.c">', '<a href="mailto:a@b.c">'),
        ('<a href="{{ data }}">', '<a href="#">'),
        ('<a href="{% if n %}">', None),
    ],
)
def test_addresses_are_encoded_and_what_could_run_is_not_there(source, wanted):
    data = {
        "u": "javascript:alert(1)",
        "tab": "\tjava\nscript:alert(1)",
        "q": '" onclick="x',
        "odd": 'a&b="',
        "n": 7,
        "ok": "https://é",
        "data": "data:text/html,<script>",
    }
    if wanted is None:
        with pytest.raises(Invalid):
            compile_liquid(source, is_html=True)
        return
    found = compile_liquid(source, is_html=True).render(data)
    assert found.replace("https://%C3%A9", "https://é", 1).startswith(wanted)


def test_a_link_knows_its_number_and_the_row_it_stands_in():
    asked = []

    def link(number, url, row):
        asked.append((number, url, row and row["item"]))
        return f"L{number}"

    program = compile_liquid(
        '<link href="a.css"><a href="https://a.x/?b&amp;c">1</a>'
        '{% for o in offers %}<a href="{{ o.url }}">{{ o.item }}</a>{% endfor %}',
        is_html=True,
    )
    offers = [{"url": "https://o.x/1", "item": "one"}, {"url": "https://o.x/2", "item": "two"}]
    found = program.render({"offers": offers}, link)
    assert found == '<link href="a.css"><a href="L1">1</a><a href="L2">one</a><a href="L2">two</a>'
    assert asked == [
        (1, "https://a.x/?b&c", None),
        (2, "https://o.x/1", "one"),
        (2, "https://o.x/2", "two"),
    ]
