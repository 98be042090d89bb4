"""What the demo shop's people would do with it: placements, offers, templates, a campaign…

Made by the doors its staff would use; the campaign is a draft, so that nothing is sent before
somebody says so. The journey is live: a basket left in the storefront begins it.
"""

from datetime import datetime
from typing import Any, Final

from amity.infra.config import settings
from amity.kernel.errors import AmityError
from amity.personalization.contracts import OfferChanges, PlacementChanges, PlacementKind

_PLACEMENTS: Final[tuple[tuple[str, PlacementKind, PlacementChanges], ...]] = (
    (
        "home_hero",
        "offers",
        {
            "name": "Top of the home page",
            "description": "The one offer a visitor sees first. The demo's storefront asks for it.",
        },
    ),
    (
        "email_offers",
        "offers",
        {
            "name": "Offers in the newsletter",
            "description": "Two offers, decided for each customer while the message is made.",
            "slots": 2,
        },
    ),
    (
        "also_bought",
        "products",
        {
            "name": "You may also like",
            "description": "Products that go with what is looked at or lies in the basket.",
            "slots": 4,
        },
    ),
)

_CAP: Final[OfferChanges] = {"cap_count": 6, "cap_days": 7.0}

# key, name, headline, words, button, the segment whose members may see it ("" = everybody)
_OFFERS: Final[tuple[tuple[str, str, str, str, str, str], ...]] = (
    (
        "fresh-bread",
        "Fresh bread",
        "Warm bread, every morning",
        "Baked in the store at six. A loaf on us with your next basket.",
        "Get the loaf",
        "",
    ),
    (
        "free-delivery",
        "Free delivery",
        "We bring it, you stay in",
        "No delivery fee on baskets from 40 this week.",
        "Fill a basket",
        "",
    ),
    (
        "double-points",
        "Double points",
        "Twice the points until Sunday",
        "Every basket counts double on your card.",
        "See how",
        "",
    ),
    (
        "welcome-back",
        "Welcome back",
        "We saved you a seat",
        "10 off your next basket, because it has been a while.",
        "Use it",
        "At risk",
    ),
    (
        "coupon-book",
        "Coupon book",
        "Your coupons, in one place",
        "Twelve coupons picked from what you like.",
        "Open the book",
        "Coupon lovers",
    ),
    (
        "big-basket",
        "Big basket",
        "A big shop, a big thank-you",
        "Spend 100 and take a free item of your choice.",
        "Choose yours",
        "Big baskets lately",
    ),
)
_CAMPAIGN: Final = "Weekly offers"
_JOURNEY: Final = "Left in the basket"
_READERS: Final = "May be written to by e-mail"


def shop_url() -> str:
    """Return where the demo's storefront is."""
    using = settings()
    host = "127.0.0.1" if using.edge_host in {"0.0.0.0", "::"} else using.edge_host  # noqa: S104
    return f"{(using.public_url or f'http://{host}:{using.edge_port}').rstrip('/')}/shop"


def create_reach(*, by: str, now: datetime) -> None:
    """Create what is not there yet; a second call adds nothing."""
    placement_ids = _create_placements(by=by, now=now)
    _create_offers(placement_ids, by=by, now=now)
    templates = _create_templates(by=by, now=now)
    _create_campaign(templates["newsletter"], by=by, now=now)
    _create_journey(templates["abandoned_cart"], by=by, now=now)


def _create_placements(*, by: str, now: datetime) -> dict[str, int]:
    from amity.personalization import api

    ids = {}
    for key, kind, fields in _PLACEMENTS:
        found = api.find_placement(key=key)
        if found is None:
            found = api.create_placement(key=key, kind=kind, by=by, now=now, **fields)
        ids[key] = found.placement_id
    return ids


def _create_offers(placement_ids: dict[str, int], *, by: str, now: datetime) -> None:
    from amity.analysis import api as analysis
    from amity.personalization import api

    known = {offer.key for offer in api.list_offers()}
    shown = [placement_ids["home_hero"], placement_ids["email_offers"]]
    for key, name, headline, body, label, segment_name in _OFFERS:
        if key in known:
            continue
        rule: dict[str, Any] | None = None
        if segment_name:
            segment = analysis.find_segment(name=segment_name)
            if segment is None:
                continue
            rule = {"node": "in_segment", "segment_id": segment.segment_id}
        fields: OfferChanges = {
            "name": name,
            "headline": headline,
            "body": body,
            "action_label": label,
            "action_url": f"{shop_url()}?offer={key}",
            "placement_ids": shown,
            "rule": rule,
        }
        made = api.create_offer(key=key, by=by, now=now, **(fields | _CAP))
        api.set_offer_state(offer_id=made.offer_id, state="live", by=by, now=now)


def _create_templates(*, by: str, now: datetime) -> dict[str, int]:
    """Return the templates' ids by the starter they are made from."""
    from amity.broadcast import api

    by_name = {template.name: template.template_id for template in api.list_templates()}
    ids = {}
    for starter in api.list_starters():
        if starter.title not in by_name:
            made = api.create_template(
                name=starter.title,
                message_class=starter.message_class,
                subject=starter.subject,
                preheader=starter.preheader,
                source=starter.source,
                by=by,
                now=now,
            )
            by_name[starter.title] = made.template_id
        ids[starter.key] = by_name[starter.title]
    return ids


def _create_campaign(template_id: int, *, by: str, now: datetime) -> None:
    from amity.analysis import api as analysis
    from amity.broadcast import api_campaigns
    from amity.broadcast.contracts import CampaignPlan

    segment = analysis.find_segment(name=_READERS)
    if segment is None or api_campaigns.find_campaign(name=_CAMPAIGN) is not None:
        return
    plan = CampaignPlan(
        name=_CAMPAIGN,
        description="Ready to launch: everybody who agreed, with two offers decided for each.",
        segment_id=segment.segment_id,
        template_id=template_id,
        placement_key="email_offers",
        holdout_rate=0.2,
    )
    api_campaigns.create_campaign(plan=plan, by=by, now=now)


def _create_journey(template_id: int, *, by: str, now: datetime) -> None:
    from amity.broadcast import api_journeys

    if api_journeys.find_journey(name=_JOURNEY) is not None:
        return
    made = api_journeys.create_journey(
        name=_JOURNEY,
        description="Reminds a customer of a basket that was left, once, unless they ordered.",
        definition=api_journeys.abandoned_cart(template_id=template_id),
        by=by,
        now=now,
    )
    api_journeys.set_journey_state(journey_id=made.journey_id, state="live", by=by, now=now)


def refresh_recommenders(*, now: datetime) -> str:
    """Learn what goes with what from the orders; return in words what came of it."""
    from amity.personalization import api

    try:
        runs = api.refresh_recommenders(now=now)
    except AmityError as error:
        return f"not learnt: {error.message}"
    return ", ".join(f"{run.recommender} of {run.items:,} products" for run in runs)
