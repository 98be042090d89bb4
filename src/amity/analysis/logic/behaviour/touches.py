"""Touches as plain Ibis: when a customer came by which channel, and which orders came after."""

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from amity.analysis.logic.reporting import frames
from amity.analysis.report import Asked

if TYPE_CHECKING:
    import ibis
    import ibis.expr.types as ir

PLACES: Final = 10
"""How many touches of a journey are kept, the last ones."""
OTHERS: Final = "(others)"
_CHANNELS: Final = 20
_SAME_SECONDS: Final = 1800
_OWN_SOURCE: Final = 1
_HOST: Final = r"^[A-Za-z][A-Za-z0-9+.-]*://(?:www\.)?([^/:?#]+)"
_SEARCH: Final = (
    r"(^|\.)(google|bing|yahoo|duckduckgo|ecosia|qwant|startpage|baidu|yandex|brave|kagi|seznam)\."
)
_SOCIAL: Final = (
    r"(^|\.)(facebook|instagram|pinterest|linkedin|lnkd|twitter|x|t|reddit|tiktok|youtube|youtu|"
    r"snapchat|threads|whatsapp|telegram|tumblr|quora|discord)\.(com|co|be|net|in|org|me|gg)$"
)


def channel_of(events: "ibis.Table") -> "ir.StringColumn":
    """Return by which channel an event says that the customer came; NULL when it says nothing.

    In this order: a click in one of our mails; the campaign of the address (`utm_*`) as medium
    and source; `channel` or `medium` among the properties; the kind of the page before, when it
    is of another site.
    """
    import ibis  # noqa: PLC0415  # loads slowly

    campaign = events.context.cast("json")["campaign"]
    medium, source = (campaign[one].str.strip().lower().nullif("") for one in ("medium", "source"))
    is_outside = events.source_id != _OWN_SOURCE
    told = ibis.coalesce(
        frames.text(events.properties, "channel"), frames.text(events.properties, "medium")
    )
    named: ir.StringColumn = ibis.coalesce(
        ibis.ifelse(events["name"] == "Email Link Clicked", "email", None),
        medium + " / " + source,
        medium,
        source,
        ibis.ifelse(is_outside, told.nullif(""), None),
        ibis.ifelse(events.type == "page", _referrer(events), None),
    )
    return named


def _referrer(events: "ibis.Table") -> "ir.StringColumn":
    import ibis  # noqa: PLC0415  # loads slowly

    page = events.context.cast("json")["page"]
    host = page["referrer"].str.lower().re_extract(_HOST, 1)
    own = ibis.coalesce(page["url"].str.lower().re_extract(_HOST, 1), "")
    is_own = (host == own) | host.endswith("." + own) | own.endswith("." + host)
    found: ir.StringColumn = ibis.cases(
        (host.isnull() | (host == "") | is_own, None),
        (host.re_search(_SEARCH), "search"),
        (host.re_search(_SOCIAL), "social"),
        else_="referral",
    )
    return found


def may_say_channel(events: "ibis.Table") -> "ibis.Table":
    """Keep the events that may say a channel, so that few are read for it.

    Most say nothing of channels; to see that takes less than reading their JSON.
    """
    import ibis  # noqa: PLC0415  # loads slowly

    may_say = [events.context.contains(f'"{name}"') for name in ("campaign", "referrer")]
    may_say += [events.properties.contains(f'"{name}"') for name in ("channel", "medium")]
    return events.filter(ibis.or_(events["name"] == "Email Link Clicked", *may_say))


def touches(tables: Mapping[str, "ibis.Table"], asked: Asked, *, days: float) -> "ibis.Table":
    """Return touches from ``days`` before the window: customer_id, at, event_id, channel.

    The same channel again within half an hour is the same touch. Beyond the twenty most frequent,
    channels are one.
    """
    import ibis  # noqa: PLC0415  # loads slowly

    events = frames.events(tables, asked, since=asked.from_at - timedelta(days=days))
    events = may_say_channel(events)
    known = events.select(
        "customer_id", "event_id", at=events.occurred_at, channel=channel_of(events)
    )
    known = known.filter(known.channel.notnull())
    in_order = ibis.window(group_by="customer_id", order_by=["at", "event_id"])
    known = known.mutate(
        before=known.channel.lag().over(in_order), before_at=known["at"].lag().over(in_order)
    )
    is_same = (known.before == known.channel) & (
        known["at"] <= known.before_at + ibis.interval(seconds=_SAME_SECONDS)
    )
    kept = known.filter(~ibis.coalesce(is_same, False))  # a value
    counts = kept.group_by("channel").aggregate(number=kept.count())
    most = counts.order_by(counts.number.desc(), "channel").limit(_CHANNELS)
    most = most.select(named="channel")
    joined = kept.left_join(most, kept.channel == most.named)
    return joined.select(
        "customer_id", "at", "event_id", channel=ibis.coalesce(joined.named, OTHERS)
    )


def orders(tables: Mapping[str, "ibis.Table"], asked: Asked) -> "ibis.Table":
    """Return the orders of the window with `previous_at`, when the customer ordered before."""
    import ibis  # noqa: PLC0415  # loads slowly

    placed = frames.orders(tables, asked)
    in_order = ibis.window(group_by="customer_id", order_by=["placed_at", "order_id"])
    placed = placed.mutate(previous_at=placed.placed_at.lag().over(in_order))
    placed = placed.filter(placed.placed_at >= ibis.literal(asked.from_at))
    return placed.select("customer_id", "order_id", "placed_at", "previous_at", value="net_minor")


def led(placed: "ibis.Table", touched: "ibis.Table", *, days: float) -> "ibis.Table":
    """Return the touches that came before an order: since the one before, ``days`` back at most,
    the last ten of them.

    customer_id, order_id, placed_at, value, at, event_id, channel.
    """
    import ibis  # noqa: PLC0415  # loads slowly

    both = placed.join(touched, "customer_id")
    since = both.placed_at - ibis.interval(seconds=round(days * 86_400))
    after = both.previous_at.isnull() | (both["at"] > both.previous_at)
    both = both.filter(both["at"] <= both.placed_at, both["at"] >= since, after)
    back = ibis.window(
        group_by=["customer_id", "order_id"],
        order_by=[both["at"].desc(), both.event_id.desc()],
    )
    numbered = both.mutate(back=ibis.row_number().over(back))
    return numbered.filter(numbered.back < PLACES).drop("previous_at", "back")


def widen(journeys: "ibis.Table", key: list[str], *, values: Mapping[str, str]) -> "ibis.Table":
    """Return a row a journey: ``key``, and the last touches, `c1` the very last.

    ``journeys`` has a row a touch, with `at`, `event_id` and `channel`; of ``values`` the greatest
    is taken.
    """
    import ibis  # noqa: PLC0415  # loads slowly

    back = ibis.window(group_by=key, order_by=[journeys["at"].desc(), journeys.event_id.desc()])
    numbered = journeys.mutate(back=ibis.row_number().over(back) + 1)
    places = {
        f"c{place}": numbered.channel.max(where=numbered.back == place)
        for place in range(1, PLACES + 1)
    }
    more = {name: numbered[column].max() for name, column in values.items()}
    return numbered.group_by(key).aggregate(**places, **more)
