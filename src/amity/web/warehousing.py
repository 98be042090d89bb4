"""All that the engines export to the warehouse: composed here, since no engine knows all others."""

from datetime import UTC, datetime, timedelta
from typing import Final

from amity.analysis import api as analysis
from amity.broadcast import api as broadcast
from amity.infra.warehouse import Export
from amity.personalization import api as personalization
from amity.store import api as store

_PRUNED_EVERY: Final = timedelta(days=1)


def list_exports() -> list[Export]:
    """Return the exports of all engines, the events first."""
    return [
        *store.warehouse_exports(),
        *analysis.warehouse_exports(),
        *personalization.warehouse_exports(),
        *broadcast.warehouse_exports(),
    ]


class Exporter:
    """The worker's turns: erasures left undone, what is new, and once a day a tidy-up."""

    def __init__(self) -> None:
        self._is_begun = False
        self._pruned_at: datetime | None = None

    def turn(self) -> int:
        """Do all there is to do; return 0, since the next turn may wait.

        What another process is writing is left to it.
        """
        from amity.infra.warehouse_rewriting import compact, forget_asked  # noqa: PLC0415
        from amity.infra.warehouse_writing import export_slice, sweep_leftovers  # noqa: PLC0415

        exports = list_exports()
        self._begin(exports)
        forget_asked()
        for export in exports:
            done: tuple[int, bool] | None = (0, False)
            while done is not None and not done[1]:
                done = export_slice(export, waits=False)
        compact()
        self._prune(exports)
        sweep_leftovers()
        return 0

    def _begin(self, exports: list[Export]) -> None:
        from amity.infra.warehouse_writing import ensure_exports  # noqa: PLC0415

        if not self._is_begun:
            ensure_exports(exports)
            self._is_begun = True

    def _prune(self, exports: list[Export]) -> None:
        from amity.infra.warehouse_verifying import prune_all  # noqa: PLC0415

        now = datetime.now(UTC)
        if self._pruned_at is None or now - self._pruned_at > _PRUNED_EVERY:
            prune_all(exports)
            self._pruned_at = now
