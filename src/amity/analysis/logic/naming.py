"""Names of what rules name by number beside segments: whoever keeps it says how to look it up."""

from collections.abc import Callable, Mapping
from typing import Final

from amity.rules.condition import Named

Load = Callable[[list[int] | None], Mapping[int, str]]
"""Given numbers, or None for all there are."""
_loaders: Final[dict[str, Load]] = {}


def know_names(*, kind: str, load: Load) -> None:
    """Say how the names of a kind are looked up; see `api.know_names`."""
    _loaders[kind] = load


def list_names(kind: str) -> Mapping[int, str]:
    """Return the names of all of a kind; none where nobody said how they are looked up."""
    load = _loaders.get(kind)
    return {} if load is None else load(None)


class RuleNames(Named):
    """The names of the segments of one moment; others are looked up when words ask for them."""

    def find_run(self, kind: str, number: int) -> str | None:
        load = _loaders.get(kind)
        return None if load is None else load([number]).get(number)
