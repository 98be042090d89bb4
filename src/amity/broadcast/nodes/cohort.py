"""``cohort``: chance parts people, so that ways can be compared."""

from typing import Annotated, ClassVar, Self

import msgspec
from msgspec import Meta

from amity.broadcast.node import NODES, Context, Names, Node, Outcome, Take, Target

Share = Annotated[float, Meta(gt=0, le=1_000_000)]
Label = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_ -]{0,39}$")]


class Arm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One way out: its weight against the others', and where it leads."""

    share: Share = 1
    next: Target = ""


@NODES.register("cohort")
class Cohort(Node, frozen=True, tag="cohort"):
    """Takes one edge by chance, always the same for one person's visit."""

    arms: Annotated[dict[Label, Arm], Meta(min_length=2, max_length=20)]

    title: ClassVar[str] = "Random split"
    about: ClassVar[str] = "Parts people by chance, in the shares you say."
    setting_words: ClassVar[dict[str, str]] = {
        "arms": "by name, each way's `share` (a weight) and the node that is `next`",
    }
    edge_names: ClassVar[tuple[str, ...]] = ()

    def enter(self, context: Context) -> Outcome:
        left = context.draw() * sum(arm.share for arm in self.arms.values())
        chosen = ""
        for name, arm in sorted(self.arms.items()):  # JSON objects have no order to rely on
            chosen = name
            left -= arm.share
            if left < 0:
                break
        return Take(chosen)

    def edges(self) -> dict[str, str]:
        return {name: arm.next for name, arm in self.arms.items()}

    def describe(self, names: Names) -> str:
        total = sum(arm.share for arm in self.arms.values())
        shares = ", ".join(f"{arm.share / total:.0%} {name}" for name, arm in self.arms.items())
        return f"draws by chance: {shares}"

    @classmethod
    def examples(cls) -> list[Self]:
        return [
            cls(arms={"a": Arm(next="mail"), "b": Arm()}),
            cls(arms={"most": Arm(share=90, next="x"), "few": Arm(share=9), "one": Arm()}),
        ]
