"""MJML and HTML become HTML with their Liquid intact; the text part is readable by itself."""

import time
from datetime import UTC, datetime
from uuid import UUID

import pytest
from markupsafe import Markup

from amity.broadcast.logic.liquid.compiling import compile_liquid
from amity.broadcast.logic.mail.text_part import make_text
from amity.broadcast.logic.templates import keeping, making
from amity.broadcast.logic.templates.source import make_html
from amity.infra import config
from amity.infra.config import override
from amity.kernel.errors import Invalid

MJML = """<mjml><mj-body>
<mj-raw>{% for offer in offers %}</mj-raw>
<mj-section><mj-column>
  <mj-text>Hi {{ name | default: "you & me" }}<br>
  {% if offer.price < 3 and "a" != 'b' %}cheap{% endif %}</mj-text>
  <mj-button href="{{ offer.action_url | append: "?a" }}" background-color="{{ color }}">
  {{ offer.label }}</mj-button>
  <mj-image src="{{ offer.image_url }}" alt="{{ offer.label }}" />
</mj-column></mj-section>
<mj-raw>{% endfor %}</mj-raw>
</mj-body></mjml>"""


def test_liquid_goes_through_mjml_unharmed():
    html = make_html(MJML)
    assert "{% if offer.price < 3 and \"a\" != 'b' %}" in html
    offers = [
        {"action_url": f"https://s.example/{n}", "label": f"L{n}", "price": n} for n in (1, 5)
    ]
    found = compile_liquid(html, is_html=True).render({"offers": offers, "color": "#123456"})
    assert found.count("Hi you & me") == 2
    assert found.count("cheap") == 1
    assert 'href="https://s.example/1?a"' in found
    assert 'href="https://s.example/5?a"' in found
    assert 'alt="L5"' in found
    assert "background:#123456" in found
    assert "<mj" not in found


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("<mjml><mj-body><mj-foo/></mj-body></mjml>", "<mj-foo>"),
        ("<mjml><mj-body>", "MJML: unexpected end of stream"),
        ("<mjml><mj-body>\n\n<mj-section></mj-column></mj-section></mj-body></mjml>", "line 3"),
        ("<mjml><mj-body><mj-include path='/etc/passwd'/></mj-body></mjml>", "included template"),
        (
            "<mjml><mj-head>\n<mj-attributes>{{ a }}</mj-attributes></mj-head>"
            "<mj-body></mj-body></mjml>",
            "line 2: unexpected token",
        ),
    ],
)
def test_what_mjml_cannot_take_is_said_in_its_words(source, words):
    with pytest.raises(Invalid) as refused:
        make_html(source)
    assert words in refused.value.message


def test_style_sheets_are_put_into_the_elements_around_liquid():
    html = make_html(
        "<style>td { color: red } @media (max-width: 9px) { td { color: blue } }</style>"
        '<table>{% for a in b %}<tr class="{{ a.c }}"><td>{{ a.n }} &amp; é</td></tr>{% endfor %}'
        "</table>"
    )
    assert "@media" in html
    assert html.index("{% for") > html.index("<table>")
    found = compile_liquid(html, is_html=True).render({"b": [{"c": "x", "n": 1}, {"n": 2}]})
    assert found.count('style="color: red;"') == 2
    assert 'class="x"' in found
    assert "2 &amp; é" in found


def test_html_without_a_style_sheet_stays_as_it_is():
    source = "<p>Hi {{ name }}<p>unclosed <table><tr>{% if a %}<td>{% endif %}"
    assert make_html(source) == source


def test_the_text_part_reads_well():
    html = """<html><head><title>no</title><style>no</style></head><body>
    <div style="display:none">no</div><!--[if mso]>no<![endif]-->
    <h1>Hello   {{ name | default: "you" }}</h1>
    <p>One<br/>two &amp; three&nbsp;four</p>
    <ul><li>tea<ul><li>green</li></ul></li><li>coffee</li></ul>
    <ol><li>first</li><li>second</li></ol>
    <p><a href="https://s.example/?a=1&amp;b={{ c }}">Shop <b>now</b></a>
    <a href="https://s.example">https://s.example</a> <a href="#top">up</a>
    <a href="{{ u }}"><img src="x.png" alt="A picture"></a></p><hr>
    <table><tr><td>Left</td><td>Right</td></tr></table>
    {% for a in b %}<p>{{ a }}</p>{% endfor %}<script>no</script></body></html>"""
    assert make_text(html) == (
        'Hello {{ name | default: "you" }}\n\n'
        "One\ntwo & three four\n\n"
        "- tea\n  - green\n- coffee\n\n1. first\n2. second\n\n"
        "Shop now (https://s.example/?a=1&b={{ c }}) https://s.example up A picture ({{ u }})\n\n"
        "---\n\nLeft\nRight\n\n{% for a in b %}\n\n{{ a }}\n\n{% endfor %}\n"
    )


DEEP = {
    "MJML": "<mjml><mj-body><mj-raw>" + "<div>" * 20_000 + "</div>" * 20_000 + "</mj-raw>",
    "MJML in paragraphs": "<mjml><mj-body><mj-raw>" + "<p>" * 20_000 + "</p>" * 20_000,
    "in a script": "<mjml><mj-body><mj-raw><script>" + "<i>" * 20_000,
    "styled": "<style>p{color:red}</style>" + "<div>" * 20_000 + "</div>" * 20_000,
    "closed in comments": "<style>p{color:red}</style>" + "<b><!--</b>-->" * 20_000,
    "closed in texts": "<style>p{color:red}</style>" + "<b><i title='</b>'></i>" * 20_000,
    "closed elsewhere": "<style>p{color:red}</style>" + "<b><table><td></b></td></table>" * 9_000,
}


@pytest.mark.parametrize("name", DEEP)
def test_what_is_nested_without_end_is_refused_and_not_followed(name):
    """Both libraries recurse, and a stack that ends takes the whole process with it."""
    with pytest.raises(Invalid, match="stand inside each other"):
        make_html(DEEP[name])


def test_nested_tables_and_elements_that_need_no_end_are_no_reason():
    tables = "<table><tr><td>" * 40 + "x" + "</td></tr></table>" * 40
    assert make_html("<style>td{color:red}</style>" + tables).count("<td") == 40
    loose = "<style>p{color:red}</style>" + "<p>a<br>b<li>c" * 2_000
    assert make_html(loose).count("<p") == 2_000
    lines = "<mj-text>" + "a<br>b<br />c<img src='x'>" * 500 + "</mj-text>"
    body = f"<mj-body><mj-section><mj-column>{lines}</mj-column></mj-section></mj-body>"
    assert make_html(f"<mjml>{body}</mjml>").count("<img") == 500


SLOW = {
    "outputs without end": ("<p>" + "{{" * 60_000, "without"),
    "tags without end": ("<p>" + "{%" * 60_000, "without"),
    "raw without end": ("{% raw %}" * 30_000, "without"),
    "comments without end": ("{% comment %}" * 30_000, "without"),
    "spaces in Liquid": ("<p>{{" + " " * 400_000 + "x }}", "spaces in a row"),
    "too many pieces": ("<p>" + "{{ a }} " * 50_000, "more than 5000"),
    "spaces": ("<p>" + " " * 400_000 + "</p>", None),
    "comments first": ("<!-- a -->\n" * 40 + "<p>x</p>", None),
    "names of ours": ("<p>" + "".join(f"lq{n}x" for n in range(50_000)), None),
    "breaks": ("<mjml><mj-body><mj-raw>" + "<br" * 100_000, "MJML"),
    "tags within tags": ("<p>" + "<a " * 60_000, None),
    "beginnings of comments": ("<p>" + "<!--" * 100_000, None),
}


@pytest.mark.parametrize("name", SLOW)
def test_no_source_is_read_for_ever(name):
    source, problem = SLOW[name]
    began = time.process_time()
    draft = keeping.Draft(subject="Hi", source=source)
    if problem is None:
        keeping.compose(draft)
    else:
        with pytest.raises(Invalid, match=problem):
            keeping.compose(draft)
    assert time.process_time() - began < 2.5


@pytest.mark.parametrize("word", ["İndirim İstanbul", "ẞ", "ǰ", "plain"])
def test_a_footer_stands_before_the_end_whatever_letters_come_before(word, tmp_path):
    """Small letters can be more than their large ones, and so move every place after them."""
    with override(data=tmp_path):
        draft = keeping.Draft(subject="x", source=f"<html><body><p>{word * 30}</p></BODY></html>")
        content = keeping.compose(draft)
        html = making.get_maker(content, config.settings()).fill(
            making.Recipient(
                send_id=UUID(int=7),
                profile_id=1,
                address="ann@x.example",
                address_key="k",
                data={"_pixel": Markup("<img>")},
                now=datetime(2026, 3, 1, tzinfo=UTC),
            )
        )[1]
    assert content.html.endswith("</div></BODY></html>")
    assert html.endswith("</div><img></BODY></html>")
