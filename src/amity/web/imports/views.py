"""Imports: a file comes up, its columns are named, it runs, and every row is accounted for."""

import csv
import io
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.multipartparser import MultiPartParserError
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from amity.infra.config import settings
from amity.kernel.cells import guard_cell
from amity.kernel.errors import AmityError, Invalid
from amity.store import api as store
from amity.store.contracts import Import, ImportKind, ImportPreview, ImportProblem
from amity.web.access import may, requires, staff_of
from amity.web.imports.uploads import KeptFile, StreamToDisk, forget, get_draft, remember
from amity.web.sources.raw import show_raw

_PAGE: Final = 25
_PIECE: Final = 32_768
_STATES: Final = {
    "waiting": "info",
    "running": "info",
    "finished": "good",
    "failed": "bad",
    "cancelled": "warn",
}


_FIRST: Final = {
    "customers": 0,
    "orders": 1,
    "events": 2,
    "mailchimp": 3,
    "hubspot": 4,
    "mautic": 5,
}


def _connectors() -> list[ImportKind]:
    """Return the kinds of file, in the order in which a shop usually brings them."""
    return sorted(store.list_connectors(), key=lambda kind: (_FIRST.get(kind.name, 9), kind.name))


def _sentence(error: AmityError) -> str:
    return f"{error.message[:1].upper()}{error.message[1:].rstrip('.')}."


def _told(record: Import) -> dict[str, Any]:
    """Return an import with what its page says about it."""
    seconds = None
    if record.started_at and record.finished_at:
        seconds = max((record.finished_at - record.started_at).total_seconds(), 0.001)
    return {
        "record": record,
        "tone": _STATES[record.state],
        "is_under_way": record.state in ("waiting", "running"),
        "seconds": seconds,
        "rate": record.rows_done / seconds if seconds else None,
        "hidden_problems": max(0, record.rejected - len(record.problems)),
    }


@require_GET
@requires("imports.read")
def show_list(request: HttpRequest) -> HttpResponse:
    """Show the imports there were, and where to begin another."""
    return _list(request)


def _list(request: HttpRequest, *, error: str = "", status: int = 200) -> HttpResponse:
    page = store.list_imports(cursor=request.GET.get("cursor") or None, limit=_PAGE)
    context = {
        "imports": [_told(record) for record in page.items],
        "next_cursor": page.next_cursor,
        "connectors": _connectors(),
        "largest_bytes": settings().max_import_bytes,
        "error": error,
        "can_write": may(request, "imports.write"),
    }
    return render(request, "imports/list.html", context, status=status)


# Checking the token reads the form, and reading the form takes the file in: so the handler that
# caps the file must be in place first, and the check comes second.
@csrf_exempt
@require_POST
@requires("imports.write")
def upload(request: HttpRequest) -> HttpResponse:
    """Take a file in, streamed to disk, and go on to its columns."""
    handler = StreamToDisk(request)
    request.upload_handlers = [handler]
    if int(request.META.get("CONTENT_LENGTH") or 0) > settings().max_import_bytes + 65_536:
        return _list(request, error=_too_large(), status=413)
    return _take(request, handler)


def _too_large() -> str:
    most = settings().max_import_bytes / 1_048_576
    return f"The file is larger than {most:,.0f} MiB. Split it, or import it on the command line."


@csrf_protect
def _take(request: HttpRequest, handler: StreamToDisk) -> HttpResponse:
    try:
        kept = request.FILES.get("file")
    except MultiPartParserError:
        kept = None
    if handler.is_too_large:
        return _list(request, error=_too_large(), status=413)
    if not isinstance(kept, KeptFile):
        return _list(request, error="Choose a file first.", status=422)
    draft = remember(request, kept)
    connector = request.POST.get("connector", "customers")
    try:
        store.preview_file(path=draft.path, connector=connector)
    except AmityError as refusal:
        forget(request, draft)
        return _list(request, error=f"{draft.file_name}: {_sentence(refusal)}", status=422)
    return redirect(f"{reverse('import_map', args=[draft.token])}?as={connector}")


@require_http_methods(["GET", "POST"])
@requires("imports.write")
def map_columns(request: HttpRequest, token: str) -> HttpResponse:
    """Show what each column is taken for and what the first rows become; start the import."""
    draft = get_draft(request, token)
    if request.method == "GET":
        connector = request.GET.get("as", "customers")
        return _mapping_page(request, token, connector, mapping=None)
    connector = request.POST.get("connector", "customers")
    mapping = _read_mapping(request)
    doing = request.POST.get("do")
    if doing not in ("start", "try"):
        return _mapping_page(request, token, connector, mapping=mapping)
    create = store.create_dry_run if doing == "try" else store.create_import
    try:
        record = create(
            content=draft.path,
            file_name=draft.file_name,
            connector=connector,
            mapping=mapping,
            source_id=_read_source(request),
            by=staff_of(request).get_username(),
        )
    except AmityError as refusal:
        return _mapping_page(request, token, connector, mapping=mapping, error=_sentence(refusal))
    forget(request, draft)
    return redirect("import", record.import_id)


def _read_source(request: HttpRequest) -> int:
    text = request.POST.get("source", "")
    if text == "new":
        name = request.POST.get("source_name", "")
        found = store.find_source(name=name)
        return (found or store.create_source(name=name, kind="server")).source_id
    if not text.isdecimal():
        raise Invalid("choose which source the rows are to count for")
    return int(text)


def _read_mapping(request: HttpRequest) -> dict[str, str]:
    """Read the columns' fields; `+` keeps a column under the name typed beside it."""
    mapping = {}
    for index, column in enumerate(request.POST.getlist("column")):
        field = request.POST.get(f"field.{index}", "")
        if field == "+":
            field = f"{request.POST.get('extras', '')}.{request.POST.get(f'name.{index}', '')}"
        mapping[column] = field.strip()
    return mapping


def _mapping_page(
    request: HttpRequest,
    token: str,
    connector: str,
    *,
    mapping: dict[str, str] | None,
    error: str = "",
) -> HttpResponse:
    draft = get_draft(request, token)
    preview = store.preview_file(path=draft.path, connector=connector, mapping=mapping)
    kinds = _connectors()
    kind = next(kind for kind in kinds if kind.name == connector)
    sources = [source for source in store.list_sources() if source.kind != "system"]
    context = {
        "draft": draft,
        "preview": preview,
        "kind": kind,
        "connectors": kinds,
        "columns": _columns(preview, kind),
        "examples": [show_raw(msgspec.json.encode(event)) for event in preview.examples],
        "sources": sources,
        "source": request.POST.get("source", ""),
        "source_name": request.POST.get("source_name", "Imported files"),
        "error": error,
    }
    template = "imports/_mapping.html" if getattr(request, "htmx", False) else "imports/map.html"
    return render(request, template, context, status=422 if error else 200)


def _columns(preview: ImportPreview, kind: ImportKind) -> list[dict[str, Any]]:
    known = {field.name for field in kind.fields}
    return [
        {
            "index": index,
            "column": column,
            "is_extra": column.field.startswith(f"{kind.extras}.") and column.field not in known,
            "extra_name": column.field.removeprefix(f"{kind.extras}."),
        }
        for index, column in enumerate(preview.columns)
    ]


@require_GET
@requires("imports.read")
def show_one(request: HttpRequest, import_id: int) -> HttpResponse:
    """Show one import: how far it is, and what became of every row."""
    context = _told(store.get_import(import_id=import_id)) | {
        "can_write": may(request, "imports.write"),
        "source": next(
            source
            for source in store.list_sources()
            if source.source_id == store.get_import(import_id=import_id).source_id
        ),
    }
    piece = bool(getattr(request, "htmx", False))
    return render(request, "imports/_progress.html" if piece else "imports/one.html", context)


@require_GET
@requires("imports.read")
def download_problems(request: HttpRequest, import_id: int) -> StreamingHttpResponse:
    """Send every row that was left out as a CSV file: row numbers and reasons."""
    record = store.get_import(import_id=import_id)
    answer = StreamingHttpResponse(
        _lines(store.iter_problems(import_id=record.import_id)),
        content_type="text/csv; charset=utf-8",
    )
    answer["Content-Disposition"] = f'attachment; filename="import-{import_id}-problems.csv"'
    return answer


def _lines(problems: Iterator[ImportProblem]) -> Iterator[str]:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["row", "reason"])
    for problem in problems:
        writer.writerow([problem.row, guard_cell(problem.reason)])
        if text.tell() > _PIECE:
            yield text.getvalue()
            text.seek(0)
            text.truncate()
    yield text.getvalue()


@require_POST
@requires("imports.write")
def bring_in(request: HttpRequest, import_id: int) -> HttpResponse:
    """Import the file of a dry run, as it was mapped there."""
    try:
        record = store.import_checked(import_id=import_id, by=staff_of(request).get_username())
    except AmityError as refusal:
        messages.error(request, _sentence(refusal))
        return redirect("import", import_id)
    return redirect("import", record.import_id)


@require_POST
@requires("imports.write")
def cancel(request: HttpRequest, import_id: int) -> HttpResponse:
    """Stop an import; what is in stays in."""
    try:
        record = store.cancel_import(import_id=import_id)
    except AmityError as refusal:
        messages.info(request, _sentence(refusal))
    else:
        messages.success(
            request, f"Stopped. The {record.stored:,} events that were in by then stay in."
        )
    return redirect("import", import_id)
