"""Linking the records of one or two CSV files, and writing which of them are one."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from amity.kernel.cells import guard_cell
from amity.kernel.errors import Invalid, NotFound
from amity.store.contracts_linkage import (
    LinkComparison,
    LinkConfig,
    LinkFile,
    LinkKey,
    LinkLevel,
    LinkReport,
)
from amity.store.linkage.linker import Linker
from amity.store.linkage.meaning import (
    IGNORE,
    Meaning,
    find_id,
    guess_meanings,
    looks_like_a_record,
)
from amity.store.linkage.model import (
    Field,
    KeyPart,
    KeyUse,
    Kind,
    Linkage,
    Options,
    Records,
    probability_of,
)
from amity.store.linkage.scoring import weights_of
from amity.store.logic.importing.files import iter_rows, read_layout
from amity.store.matcher import find_matcher, matchers

_SHOWN_PROBLEMS: Final = 20
_LETTERS: Final = "AB"
_SPACE: Final = 32


class _Sheet(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One file as read: its columns, the ids of its records, what was wrong."""

    path: Path
    columns: dict[str, list[str]]
    ids: list[str]
    id_column: str | None
    rejected: int
    problems: list[str]
    notes: list[str]


class _Plan(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What is compared: the records of all files by field, and each file's own headings."""

    records: Records
    fields: list[Field]
    why: dict[str, str]
    kind: Kind
    ignored: list[list[str]]


def link_files(*, paths: Sequence[Path], out: Path, config: LinkConfig) -> LinkReport:
    """Say which records of one file, or of two, are one; write a row for each record to ``out``.

    One file is deduplicated; of two, only records of different files are compared. The rows of
    ``out`` are in the order of the files. Raises Invalid with what is wrong with a file or the
    configuration; ``out`` is written whole or not at all.
    """
    _check(paths, out, config)
    sheets = [_read(path, config) for path in paths]
    plan = _plan(sheets, config)
    options = Options(
        kind=plan.kind,
        threshold=config.threshold,
        keys=tuple(tuple(_key_part(text, plan.fields) for text in key) for key in config.keys),
        one_to_one=config.one_to_one,
        max_block=config.max_block,
        seed=config.seed,
    )
    linkage = Linker.link(plan.records, plan.fields, options)
    _write(out, plan.records, linkage)
    return _report(sheets, plan, linkage, out)


def _check(paths: Sequence[Path], out: Path, config: LinkConfig) -> None:
    if out.resolve() in {path.resolve() for path in paths}:
        raise Invalid(f"{out} is one of the files to read; write the clusters to another")
    if not 0 < config.threshold < 1:
        raise Invalid("the threshold is a probability: above 0 and below 1", code="bad_config")
    if config.one_to_one and len(paths) == 1:
        raise Invalid("one-to-one needs two files", code="bad_config")
    for name in config.columns.values():
        if name != IGNORE:
            try:
                find_matcher(name)
            except NotFound as error:
                raise Invalid(f"{error.message}, {IGNORE}", code="bad_config") from error


def _read(path: Path, config: LinkConfig) -> _Sheet:
    try:
        layout = read_layout(path)
    except Invalid as error:
        raise Invalid(f"{path.name}: {error.message}", code=error.reason) from error
    if any(ord(letter) < _SPACE for heading in layout.columns for letter in heading):
        raise Invalid(
            f"{path.name} is not a text file, or not in an encoding known here; save it as CSV"
        )
    if looks_like_a_record(layout.columns):
        raise Invalid(
            f"the first row of {path.name} looks like a record; headings are needed",
            code="no_headings",
        )
    cells: list[list[str]] = []
    problems = []
    for row in iter_rows(path, layout):
        if row.problem:
            problems.append(f"row {row.number}: {row.problem}")
        else:
            cells.append(row.cells)
    if not cells:
        raise Invalid(f"{path.name} has no records below its headings", code="empty_file")
    values = list(zip(*cells, strict=True))
    columns = {
        heading: list(column)
        for heading, column in zip(layout.columns, values, strict=True)
        if heading
    }
    id_column = _id_column(path, columns, config)
    ids = columns[id_column] if id_column else [str(n) for n in range(1, len(cells) + 1)]
    return _Sheet(
        path=path,
        columns=columns,
        ids=ids,
        id_column=id_column,
        rejected=len(problems),
        problems=problems[:_SHOWN_PROBLEMS],
        notes=[f"{path.name}: {note}" for note in layout.notes],
    )


def _id_column(path: Path, columns: dict[str, list[str]], config: LinkConfig) -> str | None:
    name = config.id or find_id(columns)
    if name is None:
        return None
    if name not in columns:
        raise Invalid(f"{path.name} has no column {name!r}; it has: {', '.join(columns)}")
    seen: set[str] = set()
    for number, value in enumerate(columns[name], start=1):
        if not value:
            raise Invalid(f"{path.name}: record {number} has no {name!r}", code="bad_ids")
        if value in seen:
            raise Invalid(
                f"{path.name}: more than one record has the {name!r} {value!r}; name another column"
                ' with {"id": …} in --config, or give the records ids of their own',
                code="bad_ids",
            )
        seen.add(value)
    return name


def _plan(sheets: Sequence[_Sheet], config: LinkConfig) -> _Plan:
    headings = {heading for sheet in sheets for heading in sheet.columns}
    if unknown := sorted(set(config.columns) - headings):
        raise Invalid(f"no file has a column {unknown[0]!r}", code="bad_config")
    kind: Kind | None = config.kind
    meanings = []
    for sheet in sheets:
        others = {h: v for h, v in sheet.columns.items() if h != sheet.id_column}
        kind, found = guess_meanings(others, kind)
        for heading in set(config.columns) & set(sheet.columns):
            found[heading] = Meaning(config.columns[heading], "told")
        meanings.append(found)
    assert kind is not None
    pairs = _match_columns(meanings)
    if not pairs:
        raise Invalid(_say_nothing(sheets, meanings), code="not_comparable")
    columns = {
        name: [
            value
            for sheet, heading in zip(sheets, theirs, strict=True)
            for value in sheet.columns[heading]
        ]
        for name, theirs in pairs.items()
    }
    sizes = [len(sheet.ids) for sheet in sheets]
    if sum(sizes) <= 1:
        raise Invalid(
            f"{sheets[0].path.name} holds one record; to compare it needs another, in this file or"
            " in a second one",
            code="too_few_records",
        )
    records = Records(
        ids=[value for sheet in sheets for value in sheet.ids],
        columns=columns,
        side=np.repeat(np.arange(2, dtype=np.int8), sizes) if len(sheets) == 2 else None,
    )
    return _Plan(
        records=records,
        fields=[Field(name=name, matcher=meanings[0][name].matcher) for name in pairs],
        why={name: meanings[0][name].why for name in pairs},
        kind=kind,
        ignored=[
            _list_ignored(found, {theirs[place] for theirs in pairs.values()})
            for place, found in enumerate(meanings)
        ],
    )


def _list_ignored(found: dict[str, Meaning], taken: set[str]) -> list[str]:
    lacking = "the other file has none"
    return [
        f"{heading} ({meaning.why if meaning.matcher == IGNORE else lacking})"
        for heading, meaning in found.items()
        if heading not in taken
    ]


def _match_columns(meanings: Sequence[dict[str, Meaning]]) -> dict[str, tuple[str, ...]]:
    """Return by the first file's heading what each file calls a field that all of them have.

    The same heading with the same meaning is the same field; what is left is paired by meaning,
    in the order of the columns.
    """
    first = {heading: one.matcher for heading, one in meanings[0].items() if one.matcher != IGNORE}
    if len(meanings) == 1:
        return {heading: (heading,) for heading in first}
    second = {heading: one.matcher for heading, one in meanings[1].items() if one.matcher != IGNORE}
    found = {h: (h, h) for h, matcher in first.items() if second.get(h) == matcher}
    for heading, matcher in first.items():
        taken = {pair[1] for pair in found.values()}
        if heading not in found:
            like = [h for h, m in second.items() if m == matcher and h not in taken]
            if like:
                found[heading] = (heading, like[0])
    return {heading: found[heading] for heading in first if heading in found}


def _say_nothing(sheets: Sequence[_Sheet], meanings: Sequence[dict[str, Meaning]]) -> str:
    told = "; ".join(
        f"{sheet.path.name}: "
        + ", ".join(f"{h} ({one.matcher}: {one.why})" for h, one in found.items())
        for sheet, found in zip(sheets, meanings, strict=True)
    )
    return (
        "no column can be compared"
        + (" in both files" if len(sheets) == 2 else "")
        + f" ({told}); say what columns are in a file for --config, such as"
        ' {"columns": {"'
        + next(iter(meanings[0]), "heading")
        + '": "surname"}}; known are: '
        + ", ".join(sorted(matchers().names()))
    )


def _key_part(text: str, fields: Sequence[Field]) -> KeyPart:
    name, _, way = text.partition(":")
    known = {field.name: field.matcher for field in fields}
    if name not in known:
        raise Invalid(f"blocking key: {name!r} is not compared; {', '.join(known)} are")
    ways = find_matcher(known[name]).ways
    if way and way not in ways:
        raise Invalid(f"blocking key: {name!r} has no {way!r}; it has: {', '.join(ways)}")
    return KeyPart(name, way or ways[0])


def _write(out: Path, records: Records, linkage: Linkage) -> None:
    names = _cluster_names(records)
    sizes = np.bincount(linkage.cluster, minlength=len(records))
    heads = ["record_id", "cluster_id", "cluster_size", "match_probability"]
    fresh = out.with_name(f".{out.name}.new")
    try:
        with fresh.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(heads if records.side is None else ["file", *heads])
            for place, cluster in enumerate(linkage.cluster.tolist()):
                side = [] if records.side is None else [_LETTERS[records.side[place]]]
                cells = [records.ids[place], names[cluster], str(sizes[cluster])]
                cells.append(f"{linkage.probability[place]:.6f}")
                writer.writerow([*side, *(guard_cell(cell) for cell in cells)])
        fresh.replace(out)
    finally:
        fresh.unlink(missing_ok=True)


def _cluster_names(records: Records) -> list[str]:
    """Return the name of the cluster each record would begin: its id, and its file of two."""
    if records.side is None:
        return records.ids
    return [
        f"{_LETTERS[side]}:{name}"
        for side, name in zip(records.side.tolist(), records.ids, strict=True)
    ]


def _report(sheets: Sequence[_Sheet], plan: _Plan, linkage: Linkage, out: Path) -> LinkReport:
    sizes = np.bincount(linkage.cluster)
    chance = probability_of(linkage.bits)
    model = linkage.model
    compared = [comparison.field.name for comparison in model.comparisons]
    dropped = [field.name for field in plan.fields if field.name not in compared]
    return LinkReport(
        kind=model.kind,
        files=[
            LinkFile(
                name=sheet.path.name,
                records=len(sheet.ids),
                rejected=sheet.rejected,
                problems=sheet.problems,
                id_column=sheet.id_column,
                ignored_columns=ignored,
            )
            for sheet, ignored in zip(sheets, plan.ignored, strict=True)
        ],
        records=len(plan.records),
        clusters=int(np.count_nonzero(sizes)),
        matched=int(sizes[sizes > 1].sum()),
        largest_cluster=int(sizes.max()),
        pairs_compared=len(linkage.left),
        links=int(np.count_nonzero(chance >= model.threshold)),
        chains_broken=linkage.split,
        threshold=model.threshold,
        prior=model.prior,
        comparisons=_comparisons(plan, linkage),
        keys=[_key(use) for use in linkage.keys],
        warnings=[
            *(note for sheet in sheets for note in sheet.notes),
            *(f"Column {name!r} holds at most one value and was not compared." for name in dropped),
            *linkage.warnings,
        ],
        out=str(out),
    )


def _comparisons(plan: _Plan, linkage: Linkage) -> list[LinkComparison]:
    return [
        LinkComparison(
            column=one.field.name,
            matcher=one.field.matcher,
            why=plan.why[one.field.name],
            filled_rate=linkage.filled[one.field.name],
            distinct_values=linkage.distinct[one.field.name],
            levels=[
                LinkLevel(level=level, m=m, u=u, bits=bits)
                for level, m, u, bits in zip(
                    one.levels, one.m, one.u, weights_of(one).tolist(), strict=True
                )
            ],
        )
        for one in linkage.model.comparisons
    ]


def _key(use: KeyUse) -> LinkKey:
    return LinkKey(
        key=" + ".join(
            part.field if part.way == "whole" else f"{part.field} ({part.way})"
            for part in use.parts
        ),
        pairs=use.pairs,
        largest_block=use.largest_block,
        records_passed_over=use.passed_over,
    )
