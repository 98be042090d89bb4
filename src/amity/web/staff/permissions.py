"""Who may do what: roles hold capabilities, views ask for one. This table is the whole truth."""

from typing import Final, Literal

Capability = Literal[
    "overview.read",
    "profiles.read",
    "profiles.export",
    "profiles.unmerge",
    "profiles.erase",
    "segments.read",
    "segments.write",
    "sources.read",
    "sources.write",
    "outbound.read",
    "outbound.write",
    "exports.run",
    "imports.read",
    "imports.write",
    "pulls.read",
    "pulls.write",
    "models.read",
    "reports.read",
    "reports.write",
    "visits.read",
    "site.write",
    "about.read",
    "offers.read",
    "offers.write",
    "decisions.read",
    "campaigns.read",
    "campaigns.write",
    "campaigns.launch",
    "journeys.read",
    "journeys.write",
    "messages.read",
    "mailbox.read",
    "sending.manage",
    "account.own",
    "staff.manage",
    "keys.manage",
    "purposes.write",
    "retention.write",
    "requests.read",
    "requests.write",
    "requests.copy",
]

_LOOK: Final[frozenset[Capability]] = frozenset(
    {
        "overview.read",
        "profiles.read",
        "segments.read",
        "models.read",
        "reports.read",
        "visits.read",
        "about.read",
        "offers.read",
        "decisions.read",
        "campaigns.read",
        "journeys.read",
        "messages.read",
        "account.own",
    }
)
_FEEDS: Final[frozenset[Capability]] = frozenset(
    {"sources.read", "imports.read", "pulls.read", "outbound.read"}
)
_REACHES: Final[frozenset[Capability]] = frozenset(
    {"offers.write", "campaigns.write", "campaigns.launch", "journeys.write", "mailbox.read"}
)

CAPABILITIES: Final[dict[str, frozenset[Capability]]] = {
    "viewer": _LOOK,
    "agent": _LOOK | {"profiles.unmerge", "requests.read", "requests.write"},
    "analyst": _LOOK | _FEEDS | {"profiles.export", "segments.write", "reports.write"},
    "marketer": _LOOK
    | _FEEDS
    | _REACHES
    | {"profiles.export", "segments.write", "reports.write", "imports.write"},
    "admin": _LOOK
    | _FEEDS
    | _REACHES
    | {
        "sending.manage",
        "profiles.export",
        "profiles.unmerge",
        "profiles.erase",
        "segments.write",
        "reports.write",
        "sources.write",
        "outbound.write",
        "exports.run",
        "imports.write",
        "pulls.write",
        "site.write",
        "staff.manage",
        "keys.manage",
        "purposes.write",
        "retention.write",
        "requests.read",
        "requests.write",
        "requests.copy",
    },
}
"""By role. Whoever may see a source sees its write key, so viewers and agents may not."""

WORDS: Final[dict[str, str]] = {
    "admin": "Everything, with people, keys and erasure",
    "marketer": "Segments, offers, campaigns, journeys, imports, export",
    "analyst": "Customers, segments, reports, models, export",
    "agent": "Customers, their data requests, and taking wrong joins apart",
    "viewer": "Looks, changes nothing",
}
"""What a role is for, in a few words."""


def can(role: str, capability: Capability) -> bool:
    """Say whether a role holds a capability; an unknown role holds none."""
    return capability in CAPABILITIES.get(role, frozenset())
