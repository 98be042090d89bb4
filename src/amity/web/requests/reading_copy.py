"""The page of a copy that people read: one file, no script, nothing from elsewhere, printable."""

from html import escape
from typing import IO, Any, Final

import msgspec

from amity.store.contracts_requests import Held

MOST_ROWS: Final = 200
"""So many rows of a table are on the page; the CSV file has all."""

_LONGEST: Final = 2_000
_HEAD: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>A copy of your data</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<style>
:root { color-scheme: light dark }
body { font: 16px/1.6 system-ui, sans-serif; max-width: 62rem; margin: 0 auto;
       padding: 2rem 1rem 4rem }
h1 { font-size: 1.8rem; margin: 0 0 .5rem } h2 { font-size: 1.2rem; margin: 2.5rem 0 .25rem }
p { max-width: 44rem } .quiet { opacity: .7; font-size: .9rem }
.row { border-top: 1px solid #8884; padding: .6rem 0; break-inside: avoid }
dl { display: grid; grid-template-columns: minmax(7rem, 14rem) 1fr; gap: .1rem 1rem; margin: 0 }
dt { opacity: .7; font-size: .85rem }
dd { margin: 0; overflow-wrap: anywhere; white-space: pre-wrap }
@media (max-width: 36rem) { dl { grid-template-columns: 1fr } dd { margin-bottom: .4rem } }
@media print { body { max-width: none; padding: 0; font-size: 11pt } }
</style></head><body><main>
"""


class CopyPage:
    """Writes the page while the tables are read, one after the other."""

    def __init__(self, file: IO[str], about: dict[str, Any]) -> None:
        self._file = file
        self._count = 0
        self._held: Held | None = None
        file.write(_HEAD)
        who = about["controller"]
        file.write("<h1>A copy of your data</h1>")
        file.write(f"<p>{escape(about['holds'])}</p>")
        place = ", ".join(each for each in (who["name"], who["address"], who["contact"]) if each)
        file.write(f'<p class="quiet">From {escape(place)}. Made on {about["made_at"][:10]}, ')
        file.write(f"request {about['request_id']}. {escape(about['rights'])}</p>")
        file.write("<h2>What we use it for</h2>")
        for each in about["purposes"]:
            basis = each["lawful_basis"].replace("_", " ")
            words = f"{each['title']}: {each['covers']}".strip(": ")
            file.write(f'<p>{escape(words)} <span class="quiet">({escape(basis)})</span></p>')

    def begin_table(self, held: Held) -> None:
        """Begin the part about one table."""
        self._count, self._held = 0, held

    def add_row(self, row: dict[str, Any]) -> None:
        """Show a row, one of the first; what is empty is left out."""
        assert self._held is not None
        if self._count == 0:
            self._file.write(f"<section><h2>{escape(self._held.title)}</h2>")
            self._file.write(f'<p class="quiet">{escape(self._held.holds.capitalize())}.</p>')
        self._count += 1
        if self._count > MOST_ROWS:
            return
        pairs = "".join(
            f"<dt>{escape(name.replace('_', ' '))}</dt><dd>{escape(_words(value))}</dd>"
            for name, value in row.items()
            if value not in (None, "", [], {})
        )
        self._file.write(f'<div class="row"><dl>{pairs}</dl></div>')

    def end_table(self) -> None:
        """End the part about one table; of an empty one nothing is said."""
        assert self._held is not None
        if self._count > MOST_ROWS:
            more = self._count - MOST_ROWS
            file = f"csv/{escape(self._held.table)}.csv"
            self._file.write(f'<p class="quiet">And {more:,} more: all are in {file}.</p>')
        if self._count:
            self._file.write("</section>")

    def end(self) -> None:
        """End the page."""
        self._file.write("</main></body></html>\n")


def _words(value: Any) -> str:
    text = value if isinstance(value, str) else _indented(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _indented(value: Any) -> str:
    encoded = msgspec.json.encode(value)
    return (msgspec.json.format(encoded, indent=1) if isinstance(value, dict) else encoded).decode()
