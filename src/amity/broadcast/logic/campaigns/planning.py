"""Campaigns as people define them, and the moves between their states.

A campaign is a draft until it is launched; then `targeting` draws whom it is for and it runs. Each
move is one UPDATE that names the states it may start from, so two people cannot both make one.
"""

import logging
import secrets
from datetime import datetime
from typing import Any, Final

import msgspec
import psycopg

from amity.analysis import api as analysis
from amity.analysis import api_metrics as metrics
from amity.broadcast.contracts import Campaign, CampaignPlan, CampaignState, SendCounts
from amity.broadcast.logic.campaigns import targeting
from amity.broadcast.logic.sending.reasons import REASONS
from amity.infra import queries
from amity.infra.database import Connection, transaction
from amity.kernel.clock import format_instant
from amity.kernel.errors import Conflict, Invalid, NotFound
from amity.kernel.pagination import Page, decode_cursor, encode_cursor
from amity.personalization import api as personalization

_SQL: Final = queries.load("amity.broadcast")
_log = logging.getLogger("amity.campaigns")
_MAX_NAME: Final = 100
_MAX_TEXT: Final = 1000
_MAX_LIMIT: Final = 1000
_MOST_GUARDRAILS: Final = 10
_MOST_HELD_OUT: Final = 0.5
_LONGEST_WINDOW_DAYS: Final = 365
_LONGEST_EXPIRY_HOURS: Final = 24 * 30
_CHANNELS: Final = frozenset({"email"})
_CLASS: Final = "marketing"


def create_campaign(*, plan: CampaignPlan, by: str, now: datetime) -> Campaign:
    """Add a campaign as a draft; see `api.create_campaign`."""
    plan = _check(plan)
    values = msgspec.structs.asdict(plan) | {"salt": secrets.token_hex(16), "by": by, "now": now}
    with _unique(plan.name), transaction() as connection:
        _content_of(connection, plan)
        row = connection.execute(_SQL["campaign_insert"], values).fetchone()
        assert row is not None
        return load(connection, row[0])


def update_campaign(*, campaign_id: int, plan: CampaignPlan, now: datetime) -> Campaign:
    """Change a campaign that has not begun; see `api.update_campaign`."""
    plan = _check(plan)
    with _unique(plan.name), transaction() as connection:
        held = load(connection, campaign_id)
        content_id = _content_of(connection, plan)
        values = msgspec.structs.asdict(plan) | {
            "campaign_id": campaign_id,
            # Launched already: what is sent is what the template says now.
            "content_id": content_id if held.state == "scheduled" else None,
            "now": now,
        }
        if not connection.execute(_SQL["campaign_update"], values).rowcount:
            raise _refuse(connection, campaign_id, "changed")
        return load(connection, campaign_id)


def copy_campaign(*, campaign_id: int, name: str | None, by: str, now: datetime) -> Campaign:
    """Make a draft like another campaign; see `api.copy_campaign`."""
    held = get_campaign(campaign_id=campaign_id)
    if name is None:
        name = _free_name(held.name)
    return create_campaign(plan=msgspec.structs.replace(plan_of(held), name=name), by=by, now=now)


def plan_of(campaign: Campaign) -> CampaignPlan:
    """Return what of a campaign can be changed."""
    names = CampaignPlan.__struct_fields__
    return CampaignPlan(**{name: getattr(campaign, name) for name in names})


def _free_name(name: str) -> str:
    for number in range(1, 1000):
        ending = " (copy)" if number == 1 else f" (copy {number})"
        wanted = name[: _MAX_NAME - len(ending)] + ending
        if find_campaign(name=wanted) is None:
            return wanted
    raise Conflict(f"there are too many copies of {name!r}", code="campaign_exists")


def launch_campaign(*, campaign_id: int, at: datetime | None, by: str, now: datetime) -> Campaign:
    """Have a campaign begin at once or later; see `api.launch_campaign`."""
    if at is not None and at.tzinfo is None:
        raise Invalid("the time to begin needs a zone", code="bad_time")
    if at is not None and at < now:
        raise Invalid(
            f"{format_instant(at)} is in the past: give a later time, or none to begin at once",
            code="in_the_past",
        )
    plan = _check(plan_of(get_campaign(campaign_id=campaign_id)))
    if at is None:
        _check_somebody(plan, now)
    with transaction() as connection:
        values = {
            "campaign_id": campaign_id,
            "at": at or now,
            "content_id": _content_of(connection, plan),
            "now": now,
        }
        if not connection.execute(_SQL["campaign_launch"], values).rowcount:
            raise _refuse(connection, campaign_id, "launched")
        _log.info("campaign %s was launched by %s", campaign_id, by)
        return load(connection, campaign_id)


def _check_somebody(plan: CampaignPlan, now: datetime) -> None:
    found = targeting.estimate_campaign(
        segment_id=plan.segment_id, purpose=plan.purpose, holdout_rate=plan.holdout_rate, now=now
    )
    if found.reachable or not found.is_complete:
        return
    if not found.members:
        raise Invalid("there is nobody in the segment now", code="nobody_reachable")
    why = " ".join(f"{count:,}: {REASONS[reason]}" for reason, count in found.excluded.items())
    raise Invalid(
        f"none of the {found.members:,} members can be reached. {why}", code="nobody_reachable"
    )


def pause_campaign(*, campaign_id: int, by: str, now: datetime) -> Campaign:
    """Let nothing more of a campaign leave until it is resumed."""
    _log.info("campaign %s: pause asked for by %s", campaign_id, by)
    return _move("campaign_pause", "paused", {"campaign_id": campaign_id, "now": now})


def resume_campaign(*, campaign_id: int, by: str, now: datetime) -> Campaign:
    """Go on with a paused campaign where it stood."""
    _log.info("campaign %s: resumption asked for by %s", campaign_id, by)
    return _move("campaign_resume", "resumed", {"campaign_id": campaign_id, "now": now})


def archive_campaign(*, campaign_id: int, now: datetime) -> Campaign:
    """Put a campaign that is over, or never began, away; its figures stay, its name is free."""
    return _move("campaign_archive", "archived", {"campaign_id": campaign_id, "now": now})


def stop_campaign(*, campaign_id: int, by: str, now: datetime) -> Campaign:
    """End a campaign for good; see `api.stop_campaign`."""
    values = {"campaign_id": campaign_id, "note": f"stopped by {by}", "now": now}
    # Committed first: from here on the gate lets nothing of it through.
    _move("campaign_stop", "stopped", values)
    targeting.cancel_rest(campaign_id=campaign_id, now=now)
    return get_campaign(campaign_id=campaign_id)


def _move(query: str, what: str, values: dict[str, Any]) -> Campaign:
    campaign_id = values["campaign_id"]
    _check_number(campaign_id)
    with transaction() as connection:
        if not connection.execute(_SQL[query], values).rowcount:
            raise _refuse(connection, campaign_id, what)
        return load(connection, campaign_id)


def _refuse(connection: Connection, campaign_id: int, what: str) -> Conflict:
    """Return why a move was not made; raise NotFound when there is no such campaign."""
    held = load(connection, campaign_id)
    return Conflict(
        f"the campaign “{held.name}” is {held.state}, so it cannot be {what}", code="bad_state"
    )


def get_campaign(*, campaign_id: int) -> Campaign:
    """Return a campaign, archived or not; raise NotFound when there is none."""
    with transaction("readonly") as connection:
        return load(connection, campaign_id)


def find_campaign(*, name: str) -> Campaign | None:
    """Return the campaign of that name, in any case of letters, that is not archived."""
    with transaction("readonly") as connection:
        found = _select(connection, name=name.strip().replace("\0", ""))
    return found[0] if found else None


def list_campaigns(
    *, search: str, state: CampaignState | None, cursor: str | None, limit: int
) -> Page[Campaign]:
    """Return campaigns, the latest made first; see `api.list_campaigns`."""
    if limit < 1:
        raise Invalid("a page has at least one row", code="bad_limit")
    limit = min(limit, _MAX_LIMIT)
    before = None if cursor is None else decode_cursor(cursor, (int,))[0]
    with transaction("readonly") as connection:
        found = _select(
            connection,
            search=search.strip().replace("\0", "").encode("utf-8", "replace").decode(),
            state=state,
            before=before,
            limit=limit + 1,
        )
    more = len(found) > limit
    found = found[:limit]
    return Page(found, encode_cursor([found[-1].campaign_id]) if more else None)


def list_measured_by(metrics: list[str]) -> list[str]:
    """Return the names of campaigns measured by any of some metrics, the latest made first."""
    with transaction("readonly") as connection:
        rows = connection.execute(_SQL["campaigns_measured_by"], {"names": metrics}).fetchall()
    return [row[0] for row in rows]


def list_counts(*, campaign_ids: list[int]) -> dict[int, SendCounts]:
    """Return what became of the messages of campaigns, by campaign."""
    with transaction("readonly") as connection:
        rows = connection.execute(_SQL["campaign_counts"], [campaign_ids]).fetchall()
    states: dict[int, dict[str, int]] = {campaign_id: {} for campaign_id in campaign_ids}
    for campaign_id, state, count in rows:
        states[campaign_id][state] = count
    return {campaign_id: add_up(found) for campaign_id, found in states.items()}


def add_up(states: dict[str, int]) -> SendCounts:
    """Return the figures of a ledger from how many rows are in each state."""
    counted = {
        "sent": states.get("sent", 0),
        "suppressed": states.get("suppressed", 0),
        "failed": states.get("failed", 0),
        "unknown": states.get("unknown", 0),
        "pending": sum(states.get(state, 0) for state in ("queued", "claimed", "wire")),
        "cancelled": states.get("cancelled", 0) + states.get("expired", 0),
    }
    return SendCounts(targeted=sum(states.values()), **counted)


def load(connection: Connection, campaign_id: int) -> Campaign:
    """Return a campaign in the caller's transaction; raise NotFound when there is none."""
    _check_number(campaign_id)
    found = _select(connection, campaign_id=campaign_id, is_any=True)
    if not found:
        raise NotFound(f"there is no campaign {campaign_id}")
    return found[0]


def _check_number(campaign_id: int) -> None:
    if not 0 < campaign_id < 2**31:
        raise NotFound(f"there is no campaign {campaign_id}")


def _select(connection: Connection, **wanted: Any) -> list[Campaign]:
    values: dict[str, Any] = {
        "campaign_id": None,
        "name": None,
        "state": None,
        "is_any": False,
        "search": "",
        "before": None,
        "limit": 1,
    }
    names = Campaign.__struct_fields__
    rows = connection.execute(_SQL["campaign_select"], values | wanted)
    return [Campaign(**dict(zip(names, row, strict=True))) for row in rows]


def _content_of(connection: Connection, plan: CampaignPlan) -> int:
    """Return what the plan's template says now; raise Invalid when it cannot be sent."""
    row = connection.execute(_SQL["campaign_template"], [plan.template_id]).fetchone()
    if row is None:
        raise Invalid(f"there is no template {plan.template_id}", code="no_template")
    content_id, is_archived, message_class, channel = row
    if is_archived:
        raise Invalid("the template is archived", code="template_archived")
    if message_class != _CLASS:
        raise Invalid(
            f"the template is for {message_class} messages; a campaign needs one for marketing",
            code="bad_template",
        )
    if channel != plan.channel:
        raise Invalid(f"the template is not for {plan.channel}", code="bad_template")
    found: int = content_id
    return found


def _check(plan: CampaignPlan) -> CampaignPlan:
    """Return a plan with its texts trimmed; raise Invalid for what cannot be carried out."""
    texts = ("name", "description", "purpose", "goal_event", "goal_metric", "placement_key")
    cleaned = {name: getattr(plan, name).strip() for name in texts}
    guardrails = list(dict.fromkeys(name.strip() for name in plan.guardrail_metrics))
    plan = msgspec.structs.replace(plan, **cleaned, guardrail_metrics=guardrails)
    if not 1 <= len(plan.name) <= _MAX_NAME:
        raise Invalid(f"a campaign needs a name of 1 to {_MAX_NAME} characters", code="bad_name")
    if any("\0" in text or len(text) > _MAX_TEXT for text in cleaned.values()):
        raise Invalid(
            f"a text is longer than {_MAX_TEXT} characters or holds a NUL", code="bad_text"
        )
    if plan.channel not in _CHANNELS:
        raise Invalid(f"there is no channel {plan.channel!r}", code="bad_channel")
    if not plan.purpose or not plan.goal_event:
        raise Invalid("a campaign needs a purpose and a goal", code="bad_plan")
    _check_metrics(plan)
    _check_numbers(plan)
    _check_segment(plan.segment_id)
    if plan.placement_key and personalization.find_placement(key=plan.placement_key) is None:
        raise Invalid(f"there is no placement {plan.placement_key!r}", code="no_placement")
    return plan


def _check_metrics(plan: CampaignPlan) -> None:
    if len(plan.guardrail_metrics) > _MOST_GUARDRAILS:
        raise Invalid(f"a campaign has at most {_MOST_GUARDRAILS} guardrails", code="bad_plan")
    for name in (*filter(None, [plan.goal_metric]), *plan.guardrail_metrics):
        metrics.check_customer_metric(name=name)


def _check_numbers(plan: CampaignPlan) -> None:
    if not 0 <= plan.holdout_rate <= _MOST_HELD_OUT:
        raise Invalid("the holdout is a share from 0 to 0.5", code="bad_holdout")
    if not 0 < plan.window_days <= _LONGEST_WINDOW_DAYS:
        raise Invalid(
            f"the window has more than 0 and at most {_LONGEST_WINDOW_DAYS} days", code="bad_window"
        )
    if not 0 < plan.expires_hours <= _LONGEST_EXPIRY_HOURS:
        raise Invalid(
            f"it expires after more than 0 and at most {_LONGEST_EXPIRY_HOURS} hours",
            code="bad_expiry",
        )


def _check_segment(segment_id: int) -> None:
    try:
        segment = analysis.get_segment(segment_id=segment_id)
    except NotFound as error:
        raise Invalid(f"there is no segment {segment_id}", code="no_segment") from error
    if segment.state == "archived":
        raise Invalid(f"the segment “{segment.name}” is archived", code="segment_archived")


class _unique:  # a context manager, used as a function
    """Turn the database's refusal of a second campaign of a name into a Conflict."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, psycopg.errors.UniqueViolation):
            raise Conflict(
                f"there is already a campaign {self._name!r}", code="campaign_exists"
            ) from error
