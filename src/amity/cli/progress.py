"""A progress bar on standard error; silent where nobody watches."""

import sys
from types import TracebackType
from typing import Final

import click

_WIDTH: Final = 30


class Progress:
    """Draws `label [####----] done/total` on one line, only when it changes to the eye."""

    def __init__(self, label: str) -> None:
        self.label = label
        self._shown = ""
        self._is_watched = sys.stderr.isatty()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._shown:
            click.echo(err=True)

    def tell(self, step: int, steps: int, what: str) -> None:
        """Show at which step of long work it is."""
        self.label = what[:1].upper() + what[1:] or self.label
        self.update(step, steps)

    def update(self, done: int, total: int) -> None:
        """Show that ``done`` of ``total`` are through; a total of 0 is unknown."""
        if not self._is_watched:
            return
        filled = _WIDTH * min(done, total) // total if total else 0
        bar = f"[{'#' * filled}{'-' * (_WIDTH - filled)}] " if total else ""
        line = f"{self.label} {bar}{done:,}" + (f"/{total:,}" if total else "")
        if line != self._shown:
            click.echo("\r" + line.ljust(len(self._shown)), nl=False, err=True)
            self._shown = line
