"""What templates say the same everywhere: money, numbers, times, small pictures, charts."""

import hashlib
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

from django import template
from django.contrib.staticfiles import finders
from django.templatetags.static import static
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join, json_script
from django.utils.safestring import SafeString, mark_safe

from amity.analysis.contracts import Figure, Score
from amity.infra.config import settings
from amity.kernel.money import format_minor, to_minor
from amity.web.charts import Chart
from amity.web.customers import words
from amity.web.customers.sentences import series_of

register = template.Library()

_PER_CENT: Final = re.compile(r"(?<=\d)%")
_HYPHEN: Final = re.compile(r"(?<![\w.)-])-(?=\d)")
"""A hyphen that stands for a minus, not one in a day or between two words."""


@register.filter
def money(minor: int | None, currency: str = "") -> str:
    """Write minor units with their currency; a dash for none."""
    return "–" if minor is None else format_minor(minor, currency or settings().currency)


@register.filter
def number(value: float | None, places: int = 0) -> str:
    """Write a number with thousands separated; a dash for none."""
    return "–" if value is None else f"{value:,.{places}f}".replace("-", "−")


@register.filter
def percent(rate: float | None, places: int = 0) -> str:
    """Write a rate (0..1) as per cent; a dash for none."""
    return "–" if rate is None else f"{rate * 100:,.{places}f} %".replace("-", "−")


@register.filter
def chance(rate: float | None) -> str:
    """Write a probability; never as a certainty, which it is not."""
    if rate is not None and rate > 0.99:
        return "over 99 %"
    return "under 1 %" if rate is not None and rate < 0.01 else percent(rate)


@register.simple_tag
def score_value(score: Score) -> str:
    """Write a prediction's value in its own unit; a dash for none."""
    called = words.named(score)
    if called:
        return called
    return score.label if score.name == "send_channel" else _in_unit(score.name, score.value)


@register.simple_tag
def score_change(name: str, change: float) -> str:
    """Write how far a fact moves a score: chances in points, the rest in its own unit.

    Nothing where it rounds to nothing.
    """
    moved = f"{abs(change) * 100:.0f} points" if _is_chance(name) else _in_unit(name, abs(change))
    if not any(digit in moved for digit in "123456789"):
        return ""
    return f"{'+' if change > 0 else '−'}{moved}"


@register.simple_tag
def score_range(score: Score) -> str:
    """Write a prediction's interval, or that it has none."""
    if score.low is None or score.high is None:
        return "that they buy again at all" if score.name == "p_alive" else ""
    low, high = _in_unit(score.name, score.low), _in_unit(score.name, score.high)
    shown = low if low == high else f"{low} to {high}"
    return f"if they still buy; {shown}" if score.name == "next_purchase_days" else shown


def _is_chance(name: str) -> bool:
    chances = {"p_alive", "churn", "answer_chance", "discount_share"}
    return name in chances or name.startswith("propensity:")


def _in_unit(name: str, value: float | None) -> str:
    if value is None:
        return "–"
    if _is_chance(name):
        return chance(value)
    if name == "send_hour":
        return f"{value:02.0f}:00"
    if name == "send_channel":
        return f"{value:.1f} ×"
    if name in {"clv", "next_basket", "profit", "referral_value"}:
        currency = settings().currency
        minor = to_minor(round(value, 6), currency)
        return "–" if minor is None else format_minor(minor, currency)
    shown = number(value, 1 if value < 10 else 0)
    return f"{shown} days" if name == "next_purchase_days" else shown


@register.filter
def unit_words(unit: str) -> str:
    """Return a figure's unit as words to put beside its title; none where the value says it."""
    return "" if unit in {"rate", "share"} or (len(unit) == 3 and unit.isupper()) else unit


@register.simple_tag
def figure_value(figure: Figure) -> str:
    """Write a figure's value in its unit."""
    return _figure_number(figure, figure.value)


@register.simple_tag
def figure_range(figure: Figure) -> str:
    """Write a figure's interval."""
    return f"{_figure_number(figure, figure.low)} to {_figure_number(figure, figure.high)}"


@register.simple_tag
def figure_delta(figure: Figure) -> SafeString | str:
    """Write how a figure moved: green up, red down, grey when chance may have done it."""
    if figure.value is None or not figure.before:
        return ""
    change = (figure.value - figure.before) / abs(figure.before)
    inside = (
        figure.low is not None
        and figure.high is not None
        and figure.low <= figure.before <= figure.high
    )
    kind = "quiet" if inside or abs(change) < 0.005 else ("up" if change > 0 else "down")
    return format_html(
        '<span class="delta {}" title="{} before">{}</span>',
        kind,
        _figure_number(figure, figure.before),
        say_change(figure.value, figure.before, is_share=figure.unit in {"rate", "share"}),
    )


def say_change(value: float, before: float, *, is_share: bool) -> str:
    """Say how a number moved: a share in points, anything else in parts of what it was.

    In parts, 4 % that become 45 % would have grown by a thousand per cent.
    """
    moved = (value - before) * 100
    if not is_share:
        moved /= abs(before)
    if abs(moved) < (0.05 if is_share else 0.5):
        return "no change"
    return (f"{moved:+.1f} points" if is_share else f"{moved:+,.0f} %").replace("-", "−")


def _figure_number(figure: Figure, value: float | None) -> str:
    if value is None:
        return "–"
    if figure.unit in {"rate", "share"}:
        return percent(value, 1)
    if len(figure.unit) == 3 and figure.unit.isupper():
        minor = to_minor(round(value, 6), figure.unit)
        return "–" if minor is None else format_minor(minor, figure.unit)
    return number(value, 0 if float(value).is_integer() else 1)


@register.simple_tag
def series(index: int) -> str:
    """Return the colour of the n-th of several."""
    return f"s{index % 6 + 1}"


@register.simple_tag
def event_series(name: str) -> str:
    """Return the colour events of one name have everywhere."""
    return series_of(name)


@register.filter
def spell(name: str) -> str:
    """Turn a name of code into words."""
    return words.spell(name)


@register.filter
def ticked(text: str) -> SafeString:
    """Write text with names between backticks as code."""
    parts = text.split("`")
    return format_html_join(
        "",
        "{}",
        (
            (format_html("<code>{}</code>", part) if place % 2 else part,)
            for place, part in enumerate(parts)
        ),
    )


@register.filter
def tidy(sentence: str) -> str:
    """Write a sentence's numbers as pages write theirs: `12 %`, and `−3` with a minus."""
    return _HYPHEN.sub("−", _PER_CENT.sub(" %", str(sentence)))


@register.filter
def plain_value(value: Any) -> str:
    """Write any value the way it should be read."""
    return number(value) if isinstance(value, int) else str(words.value_of(value))


@register.simple_tag
def when(moment: datetime | date | None, style: str = "ago") -> str | SafeString:
    """Write a moment: ``ago``, ``clock``, ``seconds`` or ``date``; the exact one on hover.

    The server writes it in the reader's zone (told by a cookie); the script keeps `ago` fresh.
    """
    if moment is None:
        return "–"
    if not isinstance(moment, datetime):
        return format_html('<time datetime="{}">{}</time>', moment.isoformat(), _day(moment))
    local = timezone.localtime(moment)
    return format_html(
        '<time datetime="{}" title="{}" data-style="{}">{}</time>',
        moment.astimezone(UTC).isoformat(),
        local.strftime("%A, %-d %B %Y, %H:%M:%S %Z"),
        style,
        _local_words(local, style),
    )


def _day(day: date) -> str:
    return day.strftime("%-d %b %Y")


def _local_words(local: datetime, style: str) -> str:
    if style == "clock":
        return local.strftime("%H:%M")
    if style == "seconds":
        return local.strftime("%H:%M:%S")
    if style == "date":
        return _day(local)
    return _ago((datetime.now(UTC) - local).total_seconds())


def _ago(seconds: float) -> str:
    sizes = ((60, 1, "sec."), (3600, 60, "min."), (86400, 3600, "hr."))
    if abs(seconds) < 5:
        return "just now"
    for below, size, unit in sizes:
        if abs(seconds) < below:
            count = round(abs(seconds) / size)
            return f"{count} {unit} ago" if seconds > 0 else f"in {count} {unit}"
    days = round(abs(seconds) / 86400)
    words = f"{days} day{'s' if days != 1 else ''}"
    return f"{words} ago" if seconds > 0 else f"in {words}"


@register.simple_tag
def spark(values: Sequence[Any], series: str = "s1", label: str = "") -> SafeString | str:
    """Draw a trend as a small line; values are numbers or (day, number) pairs."""
    points = [float(value[1] if isinstance(value, tuple | list) else value) for value in values]
    if len(points) < 2:
        return ""
    low, high = min(points), max(points)
    span = (high - low) or 1.0
    step = 116 / (len(points) - 1)
    places = [(2 + index * step, 33 - 30 * (p - low) / span) for index, p in enumerate(points)]
    path = "M" + " ".join(f"{x:.1f} {y:.1f}" for x, y in places)
    middle = 33 - 30 * (sum(points) / len(points) - low) / span
    return format_html(
        '<svg class="spark {}" width="120" height="36" viewBox="0 0 120 36" role="img" '
        'aria-label="{}"><path class="mid" d="M2 {} H118"/><path class="trend" d="{}"/>'
        '<circle class="last" cx="{}" cy="{}" r="2.6"/></svg>',
        series,
        label or f"trend from {points[0]:,.4g} to {points[-1]:,.4g}",
        f"{middle:.1f}",
        path,
        f"{places[-1][0]:.1f}",
        f"{places[-1][1]:.1f}",
    )


@register.simple_tag
def share(part: float, whole: float) -> SafeString:
    """Draw a part of a whole as a thin bar."""
    width = 0 if not whole else max(0.0, min(100.0, 100 * part / whole))
    return format_html(
        '<svg class="share" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="of" width="100" height="6"/><rect width="{}" height="6"/></svg>',
        f"{width:.1f}",
    )


@register.simple_tag
def interval(low: float, value: float, high: float, most: float) -> SafeString:
    """Draw an interval and the value in it on a line from 0 to ``most``."""
    scale = 100 / most if most else 0.0
    return format_html(
        '<svg class="interval" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="of" y="3.5" width="100" height="1"/>'
        '<rect x="{}" y="2" width="{}" height="4"/>'
        '<rect class="mid" x="{}" width="1" height="8"/></svg>',
        f"{low * scale:.2f}",
        f"{max((high - low) * scale, 0.5):.2f}",
        f"{min(value * scale, 99):.2f}",
    )


@register.simple_tag
def chart(drawn: Chart, element_id: str) -> SafeString:
    """Place a chart: its figure as data, and where the script draws it; a broad one scrolls."""
    place = format_html(
        '<div class="chart{}" id="{}" data-figure="{}-figure" role="img" aria-label="{}">{}</div>',
        " broad" if drawn.is_broad else "",
        element_id,
        element_id,
        tidy(drawn.title),
        "Drawing…",
    )
    if drawn.is_broad:
        place = format_html('<div class="scroll">{}</div>', place)
    return mark_safe(place + json_script(drawn.figure, f"{element_id}-figure"))  # noqa: S308


@register.simple_tag
def chart_assets() -> SafeString:
    """Load what draws charts; for the block `head` of pages that have one.

    The empty style link by this id keeps plotly from writing style elements, which the CSP
    forbids; its few rules are in `plotly.css`.
    """
    return format_html(
        '<link rel="stylesheet" href="{}" id="plotly.js-style-global" class="no-inline-styles">'
        '<meta name="no-map-styles" id="{}"><script src="{}" defer></script>'
        '<script src="{}" defer></script>',
        asset("plotly.css"),
        _map_style_id(),
        asset("plotly/plotly.min.js"),
        asset("charts.js"),
    )


@cache
def _map_style_id() -> str:
    """Return the id under which plotly would write its maps' style element if none were there.

    Amity draws no maps; an element by that id keeps it from trying, which the CSP would report.
    """
    script = finders.find("plotly/plotly.min.js")
    text = Path(script).read_text("utf-8") if isinstance(script, str) else ""
    found = re.search(r'getElementById\("([0-9a-f]{64})"\)', text)
    return found.group(1) if found else "no-map-styles"


@register.simple_tag
def asset(name: str) -> str:
    """Return the address of a static file with its fingerprint, so that it can be kept long."""
    return f"{static(name)}?v={_fingerprint(name)}"


@cache
def _fingerprint(name: str) -> str:
    found = finders.find(name)
    if not isinstance(found, str):
        return "0"
    return hashlib.sha256(Path(found).read_bytes()).hexdigest()[:10]


@register.simple_tag(takes_context=True)
def address(context: template.Context, to: str = "", **changes: Any) -> str:
    """Return this page's address with some of its query changed; None takes a part away.

    ``to`` names another page that takes the same query.
    """
    query = context["request"].GET.copy()
    for name, value in changes.items():
        query.pop(name, None)
        if value not in (None, ""):
            query[name] = str(value)
    path = reverse(to) if to else context["request"].path
    return f"{path if to else ''}?{query.urlencode()}" if query else path


@register.filter
def get(mapping: dict[Any, Any], key: Any) -> Any:
    """Look a key up; None when it is not there."""
    return mapping.get(key)
