"""`amity demo load`: fill a running Amity with the demo shop."""

import sys
import time
from typing import Final

import click

from amity.cli.output import json_option, print_facts, print_json
from amity.cli.running import needs_database

_WIDTH: Final = 24
_REDRAW_SECONDS: Final = 0.1


class Bar:
    """Shows what is being done on standard error, with its rate; a line a step where nobody is."""

    def __init__(self) -> None:
        self._label = ""
        self._began = self._drawn = 0.0
        self._from = 0
        self._width = 0
        self._is_watched = sys.stderr.isatty()

    def __call__(self, label: str, done: int, total: int) -> None:
        now = time.monotonic()
        if label != self._label:
            self.end()
            self._label, self._began, self._drawn, self._from = label, now, 0.0, done
            if not self._is_watched:
                click.echo(f"{label} …", err=True)
        if self._is_watched and (done >= total or now - self._drawn >= _REDRAW_SECONDS):
            self._drawn = now
            self._draw(done, total, now - self._began)

    def _draw(self, done: int, total: int, seconds: float) -> None:
        line = self._label
        if total:
            filled = _WIDTH * min(done, total) // total
            rate = (done - self._from) / seconds if seconds > 0.5 else 0.0
            line = f"{self._label:<14} [{'#' * filled}{'-' * (_WIDTH - filled)}] {done:,}/{total:,}"
            line += f"  {rate:,.0f}/s" if rate else ""
        click.echo("\r" + line.ljust(self._width), nl=False, err=True)
        self._width = len(line)

    def end(self) -> None:
        """Leave the line as it is and begin another."""
        if self._width:
            click.echo(err=True)
        self._width = 0


@click.group()
def demo() -> None:
    """The demo shop, "Journey Market"."""


@demo.command()
@click.option("--full", is_flag=True, help="All households, not every tenth.")
@click.option("--offline", is_flag=True, help="Fetch nothing: the small generated shop.")
@json_option
@needs_database
def load(*, full: bool, offline: bool, as_json: bool) -> None:
    """Load the demo shop into the Amity that runs here.

    A second call notices that it is loaded; one after an interruption goes on where it stopped.
    """
    from amity.cli.demo.load import load_demo

    bar = Bar()
    try:
        done = load_demo(full=full, progress=bar, offline=offline)
    finally:
        bar.end()
    if as_json:
        print_json(done)
        return
    if done.was_loaded:
        click.echo(f"{done.about.title} is loaded already.")
        return
    click.echo(f"{done.about.title} is loaded, after {done.seconds:,.1f} s.")
    print_facts(list(done.about.counts.items()), indent=2)
    print_facts(
        [
            ("orders a second", done.orders_per_second),
            ("order lines a second", done.lines_per_second),
            ("events a second", done.events_per_second),
            ("seconds until the fold had caught up", done.fold_seconds),
            ("scores", done.scores),
        ],
        indent=2,
    )
