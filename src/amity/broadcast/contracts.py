"""All that crosses the broadcast engine's doors."""

from datetime import datetime
from typing import Any, Literal, TypedDict
from uuid import UUID

import msgspec

from amity.kernel.estimate import Estimate
from amity.store.contracts_events import EventWords

MessageClass = Literal["marketing", "transactional", "service"]
RunKind = Literal["campaign", "journey", "test", "service"]
SendState = Literal[
    "queued", "claimed", "wire", "sent", "failed", "unknown", "suppressed", "cancelled", "expired"
]
CampaignState = Literal[
    "draft", "scheduled", "targeting", "sending", "paused", "finished", "stopped", "archived"
]
JourneyState = Literal["draft", "live", "paused", "archived"]


class Template(msgspec.Struct, frozen=True, kw_only=True):
    """A message to be filled in for each person: MJML or HTML with Liquid in it."""

    template_id: int
    name: str
    content_id: int
    message_class: MessageClass
    subject: str
    preheader: str
    source: str
    text: str
    """The text part, made from the HTML when none was written."""
    warnings: list[str]
    """For people: a variable nobody has, no unsubscribe link, larger than Gmail shows."""
    is_archived: bool
    created_by: str
    created_at: datetime
    updated_at: datetime


class TemplateFields(TypedDict, total=False):
    """What can be written of a template."""

    message_class: MessageClass
    subject: str
    preheader: str
    source: str
    text: str
    """"" has the text part made from the HTML."""


class Starter(msgspec.Struct, frozen=True, kw_only=True):
    """A template to begin with."""

    key: str
    title: str
    words: str
    message_class: MessageClass
    subject: str
    preheader: str
    source: str


class Rendered(msgspec.Struct, frozen=True, kw_only=True):
    """A message as one person would get it; ``problem`` says why it cannot be made."""

    profile_id: int | None
    to: str
    subject: str
    html: str
    text: str
    size_bytes: int
    problem: str = ""


class Campaign(msgspec.Struct, frozen=True, kw_only=True):
    """A planned message to the members of a segment, measured against a holdout."""

    campaign_id: int
    name: str
    description: str
    channel: str
    purpose: str
    segment_id: int
    segment_name: str
    template_id: int
    template_name: str
    content_id: int | None
    placement_key: str
    holdout_rate: float
    goal_event: str
    goal_metric: str
    guardrail_metrics: list[str]
    window_days: float
    state: CampaignState
    scheduled_at: datetime | None
    expires_hours: float
    began_at: datetime | None
    targeted_at: datetime | None
    finished_at: datetime | None
    note: str
    """Why it ended otherwise than planned; "" mostly."""
    created_by: str
    created_at: datetime
    updated_at: datetime


class CampaignPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What a campaign is to do: all that can be changed until it begins."""

    name: str
    segment_id: int
    template_id: int
    description: str = ""
    channel: str = "email"
    purpose: str = "marketing.email"
    """What consent is needed for."""
    placement_key: str = ""
    """The placement decided for each person while rendering; "" = none."""
    holdout_rate: float = 0.1
    """0..0.5: the share of those who could be reached that is held out, to measure against."""
    goal_event: str = "Order Completed"
    goal_metric: str = ""
    """The metric of the catalogue it is to move, for each customer in the window; "" = none."""
    guardrail_metrics: list[str] = []
    """Metrics it is not to harm."""
    window_days: float = 7
    """How long after it was drawn a customer's doings count."""
    expires_hours: float = 24
    """Nothing is sent later than this after it began."""


class CampaignEstimate(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a campaign would reach if it began now; `members` is `reachable` and all `excluded`."""

    members: int
    reachable: int
    excluded: dict[str, int]
    """Who could not be reached, by reason."""
    treatment: int
    """Expected; who is held out is drawn when it begins."""
    holdout: int
    is_complete: bool
    """False while the segment is still being built."""


class SendCounts(msgspec.Struct, frozen=True, kw_only=True):
    """What became of all that was planned; `targeted` is always the sum of the other six."""

    targeted: int = 0
    sent: int = 0
    suppressed: int = 0
    failed: int = 0
    unknown: int = 0
    pending: int = 0
    cancelled: int = 0
    """Stopped or expired before it left."""


class ReasonCount(msgspec.Struct, frozen=True, kw_only=True):
    """How many ended in a state for one reason."""

    state: SendState
    reason: str
    words: str
    count: int


class ArmFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What one group did within the window."""

    arm: Literal["treatment", "holdout"]
    customers: int
    converted: int
    conversion_rate: Estimate | None
    revenue_minor: int
    revenue_per_customer: Estimate | None
    """In units of the home currency."""


class MetricFigures(msgspec.Struct, frozen=True, kw_only=True):
    """A metric of the catalogue in both groups: for each customer, within the window."""

    name: str
    role: Literal["goal", "guardrail"]
    title: str
    definition: str
    version: int
    """Of the definition it was read by: the one that holds now; 0 is built in."""
    unit: str
    direction: str
    """Which way is better: `up`, `down` or nothing."""
    treatment: Estimate | None
    """Its mean for each customer; money in units of the home currency."""
    holdout: Estimate | None
    difference: Estimate | None
    """Treatment less holdout, with the interval that goes with the p-value."""
    p_value: float | None
    verdict: str


class CampaignReport(msgspec.Struct, frozen=True, kw_only=True):
    """A campaign in numbers: what left, what came of it, and what it caused.

    ``counts`` are those drawn for treatment; people who could not be reached when the campaign was
    drawn are ``excluded``, in neither group. ``lift`` is the difference in revenue per customer
    between treatment and holdout, everybody counted in the group they were drawn into. It is None
    while the data cannot carry it; ``verdict`` says so in words either way.
    """

    campaign: Campaign
    counts: SendCounts
    held_out: int
    excluded: int
    reasons: list[ReasonCount]
    opened: int | None
    """People who opened, machines left out; None when nobody agreed to tracking."""
    clicked: int
    clicks: int
    machine_clicks: int
    unsubscribed: int
    complained: int
    converted: int
    """Of those sent to, within the window."""
    tracked: int
    """Of those sent to, whose opens and clicks may be counted."""
    arms: list[ArmFigures]
    lift: Estimate | None
    conversion_lift: Estimate | None
    p_value: float | None
    is_significant: bool | None
    is_final: bool
    """Whether every window has closed; before that the figures are so far."""
    verdict: str
    currency: str
    definitions: dict[str, str]
    """What each figure means, by its name."""
    metrics: list[MetricFigures] = []
    """The goal metric and the guardrails, each by itself."""


class ObservedCampaign(msgspec.Struct, frozen=True, kw_only=True):
    """A campaign that was run elsewhere and is only known from events.

    Who got it was not drawn at random, so nothing can be said of what it caused: ``verdict`` says
    that, and there is no lift.
    """

    name: str
    kind: str
    began_at: datetime
    ended_at: datetime
    received: int
    redeemed: int
    """Customers who handed in one of its coupons."""
    buyers: int
    """Of those who received it, how many ordered while it ran."""
    revenue_minor: int
    currency: str
    verdict: str


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the send ledger."""

    send_id: UUID
    run_kind: RunKind
    run_id: int
    run_name: str
    profile_id: int
    channel: str
    message_class: MessageClass
    purpose: str
    content_id: int
    state: SendState
    reason: str
    words: str
    """What the state and its reason mean, in a sentence."""
    reply: str
    subject: str
    attempts: int
    planned_at: datetime
    not_before: datetime
    not_after: datetime
    wire_at: datetime | None
    settled_at: datetime | None


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What was held back from a customer, and why."""

    at: datetime
    run_kind: RunKind
    run_id: int
    run_name: str
    kind: Literal["suppressed", "held_out", "excluded", "cancelled", "expired"]
    reason: str
    words: str


class SendingState(msgspec.Struct, frozen=True, kw_only=True):
    """Whether messages may leave, where they go, and what would leave if armed."""

    is_armed: bool
    is_stopped: bool
    words: str
    goes_to: Literal["mailbox", "relay"]
    relay: str
    queued: int
    overdue: int
    """Planned before the copy was made: these expire unless chosen."""
    changed_by: str
    changed_at: datetime


class MailboxMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message in the local mailbox, as its receiver sees it."""

    mailbox_id: int
    received_at: datetime
    sender: str
    recipient: str
    subject: str
    preheader: str
    send_id: UUID | None
    html: str
    text: str
    headers: list[tuple[str, str]]
    raw: bytes


class Journey(msgspec.Struct, frozen=True, kw_only=True):
    """A standing campaign: each person goes through it by themselves."""

    journey_id: int
    name: str
    description: str
    version: int
    state: JourneyState
    definition: dict[str, Any]
    """`docs/engines/broadcast.md` describes it."""
    words: str
    problems: list[str]
    """Why it cannot go live; empty when it can."""
    created_by: str
    created_at: datetime
    updated_at: datetime


class NodeCount(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a journey with how many are there and how many went through."""

    node: str
    kind: str
    words: str
    here: int
    """Standing here now, of any version."""
    came: int
    left: dict[str, int]
    """By the edge they left by; the edges' targets are in the definition."""
    next: dict[str, str]
    """By edge, the node it leads to; "" ends the journey."""


class JourneyReport(msgspec.Struct, frozen=True, kw_only=True):
    """A journey in numbers, live."""

    journey: Journey
    entered: int
    active: int
    finished: int
    endings: dict[str, int]
    nodes: list[NodeCount]
    counts: SendCounts


class Enrolment(msgspec.Struct, frozen=True, kw_only=True):
    """One person's way through a journey."""

    enrolment_id: int
    journey_id: int
    journey_name: str
    version: int
    profile_id: int
    node: str
    entered_at: datetime
    due_at: datetime | None
    ended_at: datetime | None
    ending: str


class NodeWords(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of journey node, for people and for the reference."""

    kind: str
    title: str
    words: str
    settings: dict[str, str]
    edges: list[str]


_SENT = {
    "send_id": "the message in the send ledger",
    "campaign_id": "the campaign, when it was one",
    "journey_id": "the journey, when it was one",
    "subject": "the subject as sent",
}

HELD_OUT = "Campaign Held Out"

EVENTS: tuple[EventWords, ...] = (
    EventWords(
        name=HELD_OUT,
        words="A customer of a campaign was drawn to get nothing, so that its effect can be told.",
        properties={"campaign_id": "the campaign", "campaign_name": "its name at the time"},
        is_own=True,
    ),
    EventWords(
        name="Email Sent",
        words="A message was taken by the receiving mail server.",
        properties=_SENT,
        is_own=True,
    ),
    EventWords(
        name="Email Bounced",
        words="A message was refused by the receiving mail server.",
        properties=_SENT | {"reason": "the reply's enhanced status or code", "is_hard": "for good"},
        is_own=True,
    ),
    EventWords(
        name="Email Opened",
        words="A message was opened; recorded only with consent to `tracking.email`.",
        properties=_SENT | {"is_machine": "a proxy or scanner did it"},
        is_own=True,
    ),
    EventWords(
        name="Email Link Clicked",
        words="A link in a message was followed; recorded only with consent to `tracking.email`.",
        properties=_SENT
        | {
            "link_url": "where it led",
            "decision_id": "the decision that chose what was clicked",
            "promotion_id": "the offer that was clicked",
            "is_machine": "a proxy or scanner did it",
        },
        is_own=True,
    ),
)
"""The events the broadcast engine records."""
