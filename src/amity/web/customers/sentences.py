"""One event, said in a sentence. An event without words of its own is told by its name.

A sentence is a list of pieces; strong ones are what the reader looks for.
"""

from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

import msgspec

from amity.infra.config import settings
from amity.kernel.money import format_minor, to_minor
from amity.store.contracts import Activity
from amity.web.customers.words import KINDS, spell, value_of

Properties = dict[str, Any]


class Piece(msgspec.Struct, frozen=True):
    """Some words of a sentence."""

    text: str
    strong: bool = False
    href: str = ""
    is_quiet: bool = False


Sentence = list[Piece]
_TELLERS: dict[str, tuple[str, Callable[[Properties], Sentence]]] = {}
_MAX_WORDS: Final = 120

FILTERS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "orders": (
        "Orders",
        (
            "Order Completed",
            "Order Refunded",
            "Order Cancelled",
            "Order Updated",
            "Checkout Completed",
            "Coupon Applied",
            "Coupon Redeemed",
        ),
    ),
    "visits": (
        "Visits",
        (
            "Page Viewed",
            "Screen Viewed",
            "Product Viewed",
            "Product List Viewed",
            "Products Searched",
            "Product Added",
            "Product Removed",
            "Cart Viewed",
            "Product Added to Wishlist",
            "Checkout Started",
            "Checkout Step Viewed",
            "Signed In",
        ),
    ),
    "campaigns": (
        "Campaigns",
        (
            "Campaign Received",
            "Campaign Held Out",
            "Email Sent",
            "Email Delivered",
            "Email Opened",
            "Email Link Clicked",
            "Email Bounced",
            "Promotion Viewed",
            "Promotion Clicked",
            "Coupon Received",
        ),
    ),
    "calls": ("Calls and mail", ("Call Started", "Call Ended", "Email Received")),
    "consents": ("Consents", ("Segment Consent Preference Updated", "Unsubscribed")),
    "segments": ("Segments", ("Segment Entered", "Segment Left")),
    "identity": (
        "Identity",
        ("Identify", "Alias", "Group", "Profile Merged", "Profile Unmerged"),
    ),
}
"""The timeline's filters: a word in the address, its label, the events it keeps."""


def tell(activity: Activity) -> tuple[str, Sentence]:
    """Return the dot's series and the sentence for one event."""
    series, teller = _TELLERS.get(activity.name, ("", None))
    if teller is None:
        return "", [Piece(activity.name), *_named(activity.properties)]
    return series, teller(activity.properties)


def series_of(name: str) -> str:
    """Return the dot's series of events of one name; empty for those without words."""
    return _TELLERS[name][0] if name in _TELLERS else ""


def _tells(series: str, *names: str) -> Callable[[Callable[[Properties], Sentence]], None]:
    def add(teller: Callable[[Properties], Sentence]) -> None:
        _TELLERS.update(dict.fromkeys(names, (series, teller)))

    return add


def _text(value: object) -> str:
    words = str(value_of(value))
    return words if len(words) <= _MAX_WORDS else words[: _MAX_WORDS - 1] + "…"


def _named(properties: Properties) -> Sentence:
    """Return the name a thing goes by in an event's properties, when it has one."""
    for key in ("name", "title", "product_name", "product", "label", "category"):
        value = properties.get(key)
        if isinstance(value, str) and value:
            return [Piece(" "), Piece(_text(value), strong=True)]
    return []


def _amount(properties: Properties, *keys: str) -> str:
    currency = properties.get("currency")
    currency = currency if isinstance(currency, str) and len(currency) == 3 else settings().currency
    for key in keys:
        minor = to_minor(properties.get(key), currency)
        if minor is not None:
            return format_minor(minor, currency)
    return ""


def _items(properties: Properties) -> int:
    products = properties.get("products")
    if not isinstance(products, list):
        return 0
    quantities = [item.get("quantity", 1) if isinstance(item, dict) else 1 for item in products]
    return sum(int(q) if isinstance(q, int | float) else 1 for q in quantities)


def _order(verb: str, properties: Properties) -> Sentence:
    count = _items(properties)
    pieces = [Piece(f"{verb} ")]
    what = f"{count:,} item{'s' if count != 1 else ''}" if count else "an order"
    pieces.append(Piece(what, strong=True))
    amount = _amount(properties, "total", "revenue", "value")
    if amount:
        pieces += [Piece(", "), Piece(amount, strong=True)]
    coupon = properties.get("coupon")
    if isinstance(coupon, str) and coupon:
        pieces.append(Piece(f", with coupon {_text(coupon)}"))
    return [*pieces, *_first_names(properties.get("products"))]


def _first_names(products: object, shown: int = 3) -> Sentence:
    """Return the names of the first few products, quietly."""
    if not isinstance(products, list):
        return []
    named = [item.get("name") for item in products if isinstance(item, dict)]
    names = [name for name in named if isinstance(name, str) and name]
    if not names:
        return []
    rest = f" and {len(names) - shown} more" if len(names) > shown else ""
    return [Piece(" " + _text(", ".join(names[:shown])) + rest, is_quiet=True)]


@_tells("s2", "Order Completed")
def _ordered(properties: Properties) -> Sentence:
    return _order("Ordered", properties)


@_tells("s4", "Order Refunded")
def _refunded(properties: Properties) -> Sentence:
    return _order("Was refunded", properties)


@_tells("s4", "Order Cancelled")
def _cancelled(properties: Properties) -> Sentence:
    return _order("Cancelled", properties)


@_tells("s1", "Page Viewed", "Screen Viewed")
def _page(properties: Properties) -> Sentence:
    for key in ("title", "name", "path", "url"):
        value = properties.get(key)
        if isinstance(value, str) and value:
            return [Piece("Looked at "), Piece(_text(value), strong=True)]
    return [Piece("Looked at a page")]


def _verb(series: str, verb: str, *names: str, without: str = "a product") -> None:
    """Say an event as a verb and the thing's name."""

    def teller(properties: Properties) -> Sentence:
        named = _named(properties)
        pieces = [Piece(verb), *(named or [Piece(f" {without}")])]
        price = _amount(properties, "price") if "price" in properties else ""
        return [*pieces, Piece(f", {price}")] if price else pieces

    _tells(series, *names)(teller)


_verb("s1", "Viewed", "Product Viewed")
_verb("s1", "Browsed", "Product List Viewed", without="a list of products")
_verb("s1", "Put into the cart", "Product Added")
_verb("", "Took out of the cart", "Product Removed")
_verb("s1", "Looked at the cart", "Cart Viewed", without="")
_verb("s1", "Put on the wish list", "Product Added to Wishlist")
_verb("s6", "Signed in", "Signed In", without="")
_verb("s2", "Finished the checkout", "Checkout Completed", without="")
_verb("s4", "Asked in the chat", "Live Chat Conversation Started", without="")
_verb("s2", "Went to the checkout", "Checkout Started", without="")
_verb("s3", "Was sent", "Email Delivered", without="a message")
_verb("s3", "Was given", "Coupon Received", without="a coupon")
_verb("s3", "Was shown", "Promotion Viewed", without="an offer")
_verb("s3", "Clicked on", "Promotion Clicked", without="an offer")
_verb("s4", "Unsubscribed from", "Unsubscribed", without="messages")


@_tells("s1", "Products Searched")
def _searched(properties: Properties) -> Sentence:
    query = properties.get("query")
    return [Piece("Searched for "), Piece(_text(query), strong=True)] if query else _SEARCHED


_SEARCHED: Final = [Piece("Searched the shop")]


@_tells("s2", "Checkout Step Viewed")
def _step(properties: Properties) -> Sentence:
    step = properties.get("step_name") or properties.get("step") or ""
    return [Piece("Came to the checkout’s step "), Piece(_text(step), strong=True)]


@_tells("s2", "Coupon Redeemed", "Coupon Applied")
def _redeemed(properties: Properties) -> Sentence:
    coupon = properties.get("coupon_name") or properties.get("coupon_id") or ""
    return [Piece("Redeemed coupon "), Piece(_text(coupon), strong=True)]


@_tells("s3", "Campaign Held Out")
def _held_out(properties: Properties) -> Sentence:
    name = Piece(_text(properties.get("campaign_name") or "a campaign"), strong=True)
    return [Piece("Was drawn to get nothing of "), name, Piece(", to measure by")]


@_tells("s3", "Email Sent")
def _sent(properties: Properties) -> Sentence:
    return [Piece("Was sent "), _message(properties)]


@_tells("s4", "Email Bounced")
def _bounced(properties: Properties) -> Sentence:
    reason = properties.get("reason")
    ends = " for good" if properties.get("is_hard") is True else ""
    pieces = [_message(properties), Piece(f" was refused by the mail server{ends}")]
    return [*pieces, Piece(f" {_text(reason)}", is_quiet=True)] if reason else pieces


@_tells("s3", "Email Opened")
def _opened(properties: Properties) -> Sentence:
    if properties.get("is_machine") is True:
        return [_message(properties), Piece(" was opened by a scanner or proxy")]
    return [Piece("Opened "), _message(properties)]


@_tells("s3", "Email Link Clicked")
def _clicked(properties: Properties) -> Sentence:
    if properties.get("is_machine") is True:
        pieces = [Piece("A scanner or proxy followed a link in "), _message(properties)]
    else:
        pieces = [Piece("Clicked in "), _message(properties)]
    url = properties.get("link_url")
    return [*pieces, Piece(f" {_text(url)}", is_quiet=True)] if isinstance(url, str) else pieces


def _message(properties: Properties) -> Piece:
    """Return a message by its subject, leading to the ledger when it was ours."""
    for key in ("subject", "email_subject", "name"):
        value = properties.get(key)
        if isinstance(value, str) and value:
            break
    else:
        value = "a message"
    send_id = properties.get("send_id")
    return Piece(_text(value), strong=True, href=_ledger(send_id))


def _ledger(send_id: object) -> str:
    try:
        return f"/messages/{UUID(str(send_id))}/" if send_id else ""
    except ValueError:
        return ""


@_tells("s3", "Campaign Received")
def _was_sent(properties: Properties) -> Sentence:
    name = properties.get("name") or properties.get("campaign_name")
    campaign_id = properties.get("campaign_id")
    what = (
        _text(name) if name else f"campaign {_text(campaign_id)}" if campaign_id else "a campaign"
    )
    pieces = [Piece("Was sent "), Piece(what, strong=True)]
    medium = properties.get("medium")
    return [*pieces, Piece(f" by {_text(medium)}")] if medium else pieces


@_tells("s6", "Segment Consent Preference Updated")
def _consented(properties: Properties) -> Sentence:
    consent = properties.get("consent")
    source = consent if isinstance(consent, dict) else properties
    answers = source.get("categoryPreferences")
    if not isinstance(answers, dict):
        return [Piece("Changed their consents")]
    pieces: Sentence = []
    for wanted, verb in ((True, "Agreed to "), (False, "Declined ")):
        purposes = [str(name) for name, answer in answers.items() if answer is wanted]
        if purposes:
            lead = verb if not pieces else "; " + verb.lower()
            pieces += [Piece(lead), Piece(_text(", ".join(purposes)), strong=True)]
    return pieces or [Piece("Changed their consents")]


@_tells("s5", "Segment Entered")
def _entered(properties: Properties) -> Sentence:
    return [Piece("Entered the segment "), _segment(properties)]


@_tells("s5", "Segment Left")
def _left(properties: Properties) -> Sentence:
    return [Piece("Left the segment "), _segment(properties)]


def _segment(properties: Properties) -> Piece:
    name = properties.get("segment_name") or properties.get("name") or "without a name"
    segment_id = properties.get("segment_id")
    href = f"/segments/{segment_id}/" if isinstance(segment_id, int) else ""
    return Piece(_text(name), strong=True, href=href)


@_tells("s6", "Identify")
def _identified(properties: Properties) -> Sentence:
    names = [spell(name) for name in properties if not name.startswith("_")]
    if not names:
        return [Piece("Made themselves known")]
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    return [Piece("Told us: "), Piece(shown)]


@_tells("s4", "Call Started")
def _call_started(properties: Properties) -> Sentence:
    is_out = properties.get("direction") == "outbound"
    return [Piece("Was called" if is_out else "Called"), *_call_with(properties)]


@_tells("s4", "Call Ended")
def _call_ended(properties: Properties) -> Sentence:
    is_out = properties.get("direction") == "outbound"
    pieces = [Piece("Was called" if is_out else "Called"), *_call_with(properties)]
    seconds = properties.get("duration_seconds")
    if isinstance(seconds, int | float) and not isinstance(seconds, bool) and 0 <= seconds < 1e6:
        pieces.append(Piece(f", {int(seconds) // 60}:{int(seconds) % 60:02d} min"))
    if outcome := properties.get("outcome"):
        pieces += [Piece(": "), Piece(_text(outcome), strong=True)]
    link = properties.get("recording_url")
    if isinstance(link, str) and link.startswith(("https://", "http://")):
        pieces += [Piece(" "), Piece("recording", href=link)]
    return pieces


def _call_with(properties: Properties) -> Sentence:
    agent, queue = properties.get("agent"), properties.get("queue")
    if not agent and not queue:
        return []
    where = f" ({_text(queue)})" if agent and queue else ""
    return [
        Piece(" and spoke with " if agent else " "),
        Piece(_text(agent or queue), strong=True),
        Piece(where),
    ]


@_tells("s4", "Email Received")
def _wrote(properties: Properties) -> Sentence:
    is_automatic = properties.get("is_automatic") is True
    subject = properties.get("subject") or "no subject"
    pieces = [Piece("An automatic reply came: " if is_automatic else "Wrote to us: ")]
    pieces.append(Piece(_text(subject), strong=True))
    words = properties.get("text")
    return [*pieces, Piece(f" {_text(words)}", is_quiet=True)] if words else pieces


@_tells("s6", "Profile Merged")
def _merged(properties: Properties) -> Sentence:
    kind = KINDS.get(str(properties.get("kind", "")), "identifier")
    value = properties.get("value")
    shared = [Piece(f" {_text(value)}", strong=True)] if value else []
    return [Piece(f"Joined with an earlier profile: same {kind}"), *shared]


@_tells("s6", "Profile Unmerged")
def _unmerged(properties: Properties) -> Sentence:
    by = properties.get("by")
    if properties.get("reason") == "evidence":
        return [Piece("Who is who was weighed anew, as new evidence contradicted older")]
    if "split" in properties:
        done = "Taken apart by hand" if properties["split"] else "A split was undone"
        return [Piece(done + (f" by {_text(by)}" if by else ""))]
    return [Piece("A join was undone" + (f" by {_text(by)}" if by else ""))]


@_tells("s6", "Alias")
def _aliased(properties: Properties) -> Sentence:
    return [Piece("Came to be known by another id")]


@_tells("s6", "Group")
def _grouped(properties: Properties) -> Sentence:
    return [Piece("Belongs to"), *(_named(properties) or [Piece(" a group")])]
