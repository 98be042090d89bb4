"""Uniform: every eligible offer alike. It learns nothing, and stands in when others fail."""

from collections.abc import Sequence

from amity.personalization.policy import POLICIES, Policy


@POLICIES.register("uniform")
class Uniform(Policy):
    """The same probability for all."""

    name = "uniform"
    title = "By chance"
    words = "Every offer that may be shown is equally likely. For comparison."

    def probabilities(self, eligible: Sequence[int]) -> Sequence[float]:
        return [1 / len(eligible)] * len(eligible)
