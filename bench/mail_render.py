"""Filling in an e-mail: our compiled Liquid beside Jinja2, python-liquid and code written by hand.

Run with `python -m bench mail_render`. The message is a newsletter of 6.4 kB with a loop of six
products and ten links, for two hundred people. All contenders escape, and write the same HTML;
`amity` besides signs each link for the person, and of the peers only `jinja2, signing` does, with
our own signer: without that it is `amity, plain links`. Goals: at least 3 times Jinja2 and 8 times
python-liquid, although neither of them signs.
"""

import re
import tempfile
from collections.abc import Callable
from html import escape, unescape
from typing import Any

from amity.broadcast.logic.liquid.compiling import compile_liquid
from amity.broadcast.logic.mail.links import Clicks, LinkMaker
from amity.infra.config import override
from bench.harness import Goal, interleave, show, summary
from bench.rules import add_peers, turns

ROW = """<tr><td style="padding:14px 0;border-bottom:1px solid #eeeeea" width="96">
<img src="{{ p.image }}" alt="{{ p.name }}" width="80" height="80" style="border-radius:6px"></td>
<td style="padding:14px 0;border-bottom:1px solid #eeeeea;font-size:16px;line-height:24px">
<a href="{{ p.url }}" style="color:#1f6f5c;text-decoration:none;font-weight:bold">{{ p.name }}</a>
<br>{{ p.words }}{% if p.is_new %} <b style="color:#a5421f">New</b>{% endif %}</td>
<td align="right" style="padding:14px 0;border-bottom:1px solid #eeeeea">{{ p.price }}</td></tr>
"""
TOP = """<!doctype html><html><head><meta charset="utf-8"><title>{{ brand.name }}</title></head>
<body style="margin:0;background:#f4f4f1;font-family:Helvetica,Arial,sans-serif;color:#333333">
<table role="presentation" width="600" align="center" cellpadding="0" cellspacing="0"><tr><td>
<a href="https://shop.example/?utm_source=mail&amp;utm_medium=news">{{ brand.name }}</a>
<h1 style="font-size:26px;line-height:34px">Hello {{ customer.first_name }},</h1>
<p style="font-size:16px;line-height:26px">you have ordered {{ customer.order_count }} times so far
and live in {{ customer.city }}. {% if customer.is_member %}Thank you for being a member.
{% else %}<a href="https://shop.example/members">Become a member</a>.{% endif %}</p>
<table role="presentation" width="100%" cellpadding="0" cellspacing="0">
"""
END = (
    """</table>
<p style="font-size:16px;line-height:26px">See you soon, {{ customer.first_name }}!</p>
<p><a href="https://shop.example/sale">Everything in the sale</a> &middot;
<a href="https://shop.example/stores">Our stores</a></p>
<p style="font-size:12px;color:#777777">{{ brand.name }}, {{ brand.address }}</p>
"""
    + "".join(
        f'<p style="font-size:12px;line-height:18px;color:#777777">Note {n}: taxes included.</p>\n'
        for n in range(22)
    )
    + "</td></tr></table></body></html>\n"
)
LIQUID = TOP + "{% for p in products %}" + ROW + "{% endfor %}" + END
SEND = "0" * 32


def people(count: int = 200) -> list[dict[str, Any]]:
    return [
        {
            "brand": {"name": "Fern & Moss", "address": "1 Market Street"},
            "customer": {
                "first_name": f"Ann <{n}>",
                "order_count": n % 9,
                "city": "Köln",
                "is_member": n % 2 == 0,
            },
            "products": [
                {
                    "name": f"Linen shirt {n}-{k}",
                    "words": "Light & airy, for long summer evenings",
                    "price": f"€{k}9.90",
                    "url": f"https://shop.example/p/{n}-{k}?a=1&b=2",
                    "image": f"https://img.shop.example/{n}-{k}.jpg",
                    "is_new": k % 3 == 0,
                }
                for k in range(6)
            ],
        }
        for n in range(count)
    ]


def plain(found: list[dict]) -> Callable[[], list[str]]:
    render = compile_liquid(LIQUID, is_html=True).render
    return lambda: [render(person) for person in found]


def _links() -> LinkMaker:
    with tempfile.TemporaryDirectory() as folder, override(data=folder) as changed:
        return LinkMaker(changed)


def ours(found: list[dict]) -> Callable[[], list[str]]:
    render = compile_liquid(LIQUID, is_html=True).render
    maker = _links()
    return lambda: [
        render(person, Clicks(maker, number, SEND, {})) for number, person in enumerate(found)
    ]


def python_liquid(found: list[dict]) -> Callable[[], list[str]]:
    from liquid import Environment

    template = Environment(autoescape=True).from_string(LIQUID)
    return lambda: [template.render(**person) for person in found]


def jinja2(found: list[dict]) -> Callable[[], list[str]]:
    from jinja2 import Environment

    environment = Environment(autoescape=True, keep_trailing_newline=True)
    template = environment.from_string(LIQUID)
    return lambda: [template.render(person) for person in found]


def jinja2_signing(found: list[dict]) -> Callable[[], list[str]]:
    """Let Jinja2 sign each link by a function of ours, as somebody would who uses it."""
    from jinja2 import Environment

    environment = Environment(autoescape=True, keep_trailing_newline=True)
    source = re.sub(
        r'href="(?:{{ (\S+) }}|([^"]*))"',
        lambda m: f'href="{{{{ click(1, {m[1] or repr(unescape(m[2]))}, none) }}}}"',
        LIQUID,
    )
    template = environment.from_string(source)
    maker = _links()
    return lambda: [
        template.render(person, click=Clicks(maker, number, SEND, {}))
        for number, person in enumerate(found)
    ]


def by_hand(found: list[dict]) -> Callable[[], list[str]]:
    """Write what somebody would write by hand for this one message, and nothing else."""
    source = f"""
def run(brand, customer, products):
    rows = "".join(["".join([{_pieces(ROW)}]) for p in products])
    return "".join([{_pieces(TOP)}, rows, {_pieces(END)}])
"""
    scope: dict[str, Any] = {"e": _escape}
    exec(source, scope)
    fill = scope["run"]
    return lambda: [fill(**person) for person in found]


def _pieces(text: str) -> str:
    parts = re.split(r"({%.*?endif %}|{{ \S+ }})", text, flags=re.DOTALL)
    return ", ".join(_piece(part) for part in parts if part)


def _piece(part: str) -> str:
    if part.startswith("{{"):
        return f"e(str({_reach(part[3:-3])}))"
    choice = re.fullmatch(r"{% if (\S+) %}(.*?)(?:{% else %}(.*?))?{% endif %}", part, re.DOTALL)
    if choice is None:
        return repr(part)
    return f"({choice[2]!r} if {_reach(choice[1])} else {(choice[3] or '')!r})"


def _reach(path: str) -> str:
    first, *rest = path.split(".")
    return first + "".join(f"[{step!r}]" for step in rest)


def _escape(text: str) -> str:
    return escape(text, quote=False).replace('"', "&#34;").replace("'", "&#39;")


def run(rounds: int, seconds: float = 0.3) -> dict:
    add_peers()
    found = people()
    contenders = {
        "amity": ours(found),
        "amity, plain links": plain(found),
        "jinja2": jinja2(found),
        "jinja2, signing": jinja2_signing(found),
        "python-liquid": python_liquid(found),
        "by hand": by_hand(found),
    }
    answers = {name: call() for name, call in contenders.items()}
    expected = answers["jinja2"]
    for name, answer in answers.items():
        if name not in ("amity", "jinja2, signing"):
            assert answer == expected, f"{name} writes something else"
    href = re.compile(r'href="[^"]*"')
    assert all(
        href.sub("", mine) == href.sub("", theirs)
        for mine, theirs in zip(answers["amity"], expected, strict=True)
    ), "amity writes something else"
    for name in ("amity", "jinja2, signing"):
        assert all(text.count("/c/v1.") in (9, 10) for text in answers[name]), "links not signed"
    size = len(expected[0].encode())
    measured = interleave(
        {name: turns(call, len(found), seconds) for name, call in contenders.items()}, rounds
    )
    goals = [
        Goal(f"amity / {peer}", measured.ratio("amity", peer, lambda s: s.rate)["median"], wanted)
        for peer, wanted in (("jinja2", 3.0), ("python-liquid", 8.0))
    ]
    show(f"an e-mail of {size / 1000:.1f} kB, links signed", measured, goals)
    ratio = measured.ratio("amity", "jinja2, signing", lambda s: s.rate)["median"]
    print(f"  both signing, beside jinja2 {ratio:38.2f}")
    for peer in ("jinja2", "python-liquid", "by hand"):
        ratio = measured.ratio("amity, plain links", peer, lambda s: s.rate)["median"]
        print(f"  without signing links, beside {peer:<28} {ratio:7.2f}")
    return summary("mail_render", measured, goals, bytes=size)
