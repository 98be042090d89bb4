"""What a folding process remembers between batches: profiles and owners it used lately.

It is only a shortcut: whatever is not remembered is read. It holds for one epoch of one
database; another process that changed the projections has raised the epoch, and any failure
makes it void.
"""

from typing import Final, TypeVar

from amity.store.logic.folding.evidence import Pair, Sighting
from amity.store.logic.folding.fold import State
from amity.store.logic.identity.rules import Key, Owner

MAX_STATES: Final = 50_000
MAX_OWNERS: Final = 200_000
MAX_PAIRS: Final = 200_000

K = TypeVar("K")
V = TypeVar("V")


class Memory:
    """Profiles and identifiers as of one epoch, the least lately used first."""

    def __init__(self) -> None:
        self.states: dict[int, State] = {}
        self.owners: dict[Key, Owner] = {}
        self.pairs: dict[Pair, Sighting] = {}
        self._valid_for: tuple[str, int] | None = None

    def enter(self, database: str, epoch: int) -> None:
        """Forget everything unless it was kept for this database and epoch."""
        if self._valid_for != (database, epoch):
            self.clear()

    def keep(
        self,
        states: dict[int, State],
        owners: dict[Key, Owner],
        pairs: dict[Pair, Sighting],
        *,
        database: str,
        epoch: int,
    ) -> None:
        """Remember what a committed batch left behind."""
        _renew(self.states, states, MAX_STATES)
        _renew(self.owners, owners, MAX_OWNERS)
        _renew(self.pairs, pairs, MAX_PAIRS)
        self._valid_for = (database, epoch)

    def clear(self) -> None:
        """Forget everything."""
        self.states.clear()
        self.owners.clear()
        self.pairs.clear()
        self._valid_for = None


def _renew(held: dict[K, V], used: dict[K, V], limit: int) -> None:
    for key, value in used.items():
        held.pop(key, None)
        held[key] = value
    if len(held) > limit:
        for key in list(held)[: len(held) - limit]:
            del held[key]
