"""What crosses the analysis engine's door about segments beyond their definition."""

from datetime import date, datetime
from typing import Any, Literal

import msgspec

from amity.analysis.contracts import SegmentState

SegmentOrder = Literal["name", "members", "made", "changed"]


class SegmentSearch(msgspec.Struct, frozen=True, kw_only=True):
    """Which segments a list shows, and in which order."""

    text: str = ""
    """In the name, the description, or a name or value in the rule; in any case of letters."""
    state: SegmentState | Literal["any"] | None = None
    """None: those that are not archived."""
    made_by: str = ""
    order: SegmentOrder = "name"
    """By name, the largest first, the latest made first, or the latest changed first."""


class SegmentNumbers(msgspec.Struct, frozen=True, kw_only=True):
    """How many segments there are."""

    building: int
    live: int
    archived: int
    memberships: int
    """How many customers are in each that is not archived, together."""

    @property
    def followed(self) -> int:
        """How many are not archived."""
        return self.building + self.live

    @property
    def total(self) -> int:
        """How many there are, archived or not."""
        return self.followed + self.archived


class RuleDifference(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that differs between two rules, in words."""

    kind: Literal["added", "removed", "changed"]
    before: str
    """Empty for what was added."""
    after: str
    """Empty for what was removed."""
    inside: str = ""
    """The group of conditions it stands in, such as "at least one of"; empty at the top."""


class SegmentVersion(msgspec.Struct, frozen=True, kw_only=True):
    """How a segment stood from one change of its name, description or rule to the next."""

    segment_id: int
    number: int
    name: str
    description: str
    rule: dict[str, Any]
    words: str
    rule_version: int
    how: Literal["made", "changed", "restored", "recorded"]
    """`recorded`: as it stood when versions began to be kept."""
    restored_from: int | None
    changed_by: str
    changed_at: datetime
    changes: list[RuleDifference]
    """What differs from the version before; nothing for the first."""


class SegmentImpact(msgspec.Struct, frozen=True, kw_only=True):
    """Who would enter and who would leave one segment."""

    segment_id: int
    name: str
    members: int
    """Now."""
    entering: int | None
    """None where it cannot be told: the rule would be too large to look through."""
    leaving: int | None

    @property
    def after(self) -> int | None:
        """How many it would have then."""
        if self.entering is None or self.leaving is None:
            return None
        return self.members + self.entering - self.leaving


class RuleImpact(msgspec.Struct, frozen=True, kw_only=True):
    """What another rule would do to a segment, if it were saved now."""

    changed: SegmentImpact
    differences: list[RuleDifference]
    examples_entering: list[int]
    """Profile ids, the most recently seen first."""
    examples_leaving: list[int]
    dependants: list[SegmentImpact]
    """The segments whose rules ask for this one, directly or through others; the first ten."""
    dependants_left_out: int
    is_building: bool
    """Whether the segment is still being filled by its last rule, so that the numbers may move."""

    @property
    def segment_ids(self) -> list[int]:
        """The segment and those that ask for it."""
        return [each.segment_id for each in (self.changed, *self.dependants)]


class SegmentSize(msgspec.Struct, frozen=True, kw_only=True):
    """A segment and how many are in it now."""

    segment_id: int
    name: str
    members: int


class OverlapCell(msgspec.Struct, frozen=True, kw_only=True):
    """Those who are in exactly these of the segments compared, and in none of the others."""

    segment_ids: list[int]
    customers: int


class OverlapPair(msgspec.Struct, frozen=True, kw_only=True):
    """How far two segments hold the same customers."""

    segment_ids: list[int]
    both: int
    jaccard: float | None
    """Those in both as a share of those in either; None when both are empty."""
    of_first: float | None
    of_second: float | None


class SegmentOverlap(msgspec.Struct, frozen=True, kw_only=True):
    """How two to five segments lie over each other, now."""

    segments: list[SegmentSize]
    cells: list[OverlapCell]
    """The largest first; a combination nobody is in is left out."""
    pairs: list[OverlapPair]
    in_any: int
    in_none: int
    """Customers in none of them."""
    sentence: str


class DayMoves(msgspec.Struct, frozen=True, kw_only=True):
    """How often somebody entered and left on a day (UTC)."""

    day: date
    entered: int
    left: int


class SegmentMovement(msgspec.Struct, frozen=True, kw_only=True):
    """How a segment changed between two moments.

    `before` + `entered` - `left` - `merged` is `after`. Who entered and left again in between is
    `passed` and in none of these.
    """

    segment_id: int
    since: datetime
    until: datetime
    before: int
    after: int
    stayed: int
    entered: int
    left: int
    merged: int
    """Profiles that were in it and are parts of others now: they neither stayed nor left."""
    passed: int
    left_rate: float | None
    """Those who left as a share of those who were in it; None when nobody was."""
    left_low: float | None
    left_high: float | None
    days: list[DayMoves]
    """Every entry and leaving, so that one customer can count more than once."""
    examples_entered: list[int]
    examples_left: list[int]
    notes: list[str]
    """For people: that it was made or its rule changed meanwhile."""
    sentence: str


class GroupDifference(msgspec.Struct, frozen=True, kw_only=True):
    """One thing in which the members of a segment differ from others."""

    kind: Literal["trait", "event", "score", "channel", "figure"]
    name: str
    words: str
    """What is measured, such as "country is “FR”"."""
    measure: Literal["share", "mean"]
    unit: Literal["", "days", "money"]
    """Of a mean; money is in units of the home currency."""
    inside: float
    outside: float
    difference: float
    low: float
    high: float
    """All intervals together hold with 95 %: each is wider for how many things were looked at."""
    effect: float
    """The difference without its unit (Cohen's h of shares, d of means), to rank by."""
    counted_inside: int
    counted_outside: int
    is_by_rule: bool
    """Whether the segment's rule asks for it, so that they differ in it by definition."""


class SegmentDifferences(msgspec.Struct, frozen=True, kw_only=True):
    """What sets the members of a segment apart, the largest differences first."""

    segment_id: int
    against_id: int | None
    """The other segment; None for everybody else."""
    name: str
    against_name: str
    sampled_inside: int
    sampled_outside: int
    is_sampled: bool
    """Whether more customers were there than looked at."""
    looked_at: int
    """How many things were compared; those without a sure difference are left out."""
    differences: list[GroupDifference]
    sentence: str
    computed_at: datetime


class EmptySegment(msgspec.Struct, frozen=True, kw_only=True):
    """A segment nobody has been in for long."""

    segment_id: int
    name: str
    since: datetime
    days: int


class DoubledSegment(msgspec.Struct, frozen=True, kw_only=True):
    """Two segments that find the same customers."""

    segment_ids: tuple[int, int]
    names: tuple[str, str]
    is_same_rule: bool
    """Whether both rules say the same, written otherwise perhaps; else their members are near."""
    jaccard: float | None
    """Those in both as a share of those in either; None when the rules are the same."""


class SegmentReview(msgspec.Struct, frozen=True, kw_only=True):
    """Segments that can be tidied up."""

    segments: int
    empty_days: int
    empty: list[EmptySegment]
    doubled: list[DoubledSegment]
    is_complete: bool
    """False when there were too many pairs of like size to look at all."""
    computed_at: datetime


class RfmCell(msgspec.Struct, frozen=True, kw_only=True):
    """The customers RFM gives one word."""

    word: str
    customers: int
    rate: float


class RfmCells(msgspec.Struct, frozen=True, kw_only=True):
    """Everybody who ordered, by the word RFM gives them, the largest first."""

    customers: int
    cells: list[RfmCell]
    computed_at: datetime


class ClusterTrial(msgspec.Struct, frozen=True, kw_only=True):
    """How well so many groups hold together, and how surely they are found again."""

    clusters: int
    silhouette: float
    """-1..1: how much nearer customers are to their own group than to the next (mean)."""
    stability: float
    """Mean adjusted Rand index between the grouping and those of bootstrap resamples."""
    stability_low: float
    """The worst of these."""


class ClusterTrait(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of a group beside that of all."""

    name: str
    words: str
    median: float
    median_of_all: float
    effect: float
    """Standard deviations of all that the group's mean lies above it."""


class FoundCluster(msgspec.Struct, frozen=True, kw_only=True):
    """One group of alike customers."""

    number: int
    name: str
    customers: int
    """Of those looked at."""
    rate: float
    traits: list[ClusterTrait]
    """The most different first."""
    centre: list[float]


class ClusterSet(msgspec.Struct, frozen=True, kw_only=True):
    """Groups of alike customers, with how many there are and how far to believe them."""

    looked_at: int
    is_sampled: bool
    chosen: ClusterTrial
    tried: list[ClusterTrial]
    clusters: list[FoundCluster]
    means: list[float]
    deviations: list[float]
    """With `means` and the centres what assigns anybody to a group."""
    sentence: str
    computed_at: datetime


class LikenessTrait(msgspec.Struct, frozen=True, kw_only=True):
    """One thing likeness is told by, and how much it weighs."""

    kind: Literal["trait", "event", "figure"]
    name: str
    value: bool | str | None = None
    """The trait's value; None for events and figures."""
    words: str
    weight: float
    """Of having it, or of one unit of the logarithm of a figure."""
    strength: float
    """The weight in standard deviations, to compare by; below 0 it speaks against likeness."""


class Lookalikes(msgspec.Struct, frozen=True, kw_only=True):
    """How those who are not in a segment resemble those who are.

    Likeness says who resembles the members today. It is no forecast that anybody becomes one, and
    no promise of how they answer.
    """

    segment_id: int
    name: str
    members: int
    """Looked at."""
    others: int
    held_out: int
    """How many of both the ranking was tried on that it had not learned from."""
    auc: float
    """The chance that a member held out ranks above somebody else held out."""
    auc_low: float
    auc_high: float
    intercept: float
    traits: list[LikenessTrait]
    """The strongest first."""
    left_out: list[str]
    """What the rule asks for and so says nothing about likeness."""
    warnings: list[str]
    computed_at: datetime
