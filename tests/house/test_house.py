"""What a linter cannot see: sizes, names, doors, and documents that hold true."""

import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "amity"
MODULES = sorted(p for p in SOURCE.rglob("*.py") if "migrations" not in p.parts)
DOCUMENTS = sorted(
    p for p in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")] if ".venv" not in p.parts
)
ENGINES = {"store", "analysis", "personalization", "broadcast"}


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def project_files() -> Iterator[Path]:
    """The project's own files; found without git, which a machine need not have."""
    for folder, below, names in os.walk(ROOT):
        below[:] = [name for name in below if not is_made(name)]
        yield from (Path(folder) / name for name in names)


def is_made(folder: str) -> bool:
    """Say whether a folder is made by tools rather than written: what git ignores."""
    made = {".git", ".venv", ".bench", ".spark", ".amity", "__pycache__", "build", "dist"}
    return folder in {*made, "test-artifacts", "node_modules"} or folder.endswith(
        (".egg-info", "_cache", ".hypothesis")
    )


def test_files_and_functions_stay_small():
    too_long = []
    for path in MODULES:
        text = path.read_text("utf-8")
        if text.count("\n") > 600:
            too_long.append(f"{relative(path)}: {text.count(chr(10))} lines")
        for function in functions(ast.parse(text)):
            assert function.end_lineno is not None
            length = function.end_lineno - function.lineno + 1
            if length > 60:
                too_long.append(
                    f"{relative(path)}:{function.lineno} {function.name}: {length} lines"
                )
    assert not too_long


def test_functions_take_few_arguments():
    crowded = []
    for path in MODULES:
        for function in functions(ast.parse(path.read_text("utf-8"))):
            plain = [a for a in function.args.args if a.arg not in {"self", "cls"}]
            if "cli" in path.parts:  # click hands a command each of its options
                continue
            if len(plain) > 6:
                crowded.append(f"{relative(path)}:{function.lineno} {function.name}")
    assert not crowded


def test_class_names_say_what_a_thing_is():
    empty_words = ("Manager", "Helper", "Util", "Utils", "Service", "Impl", "Data", "Info")
    named = [
        f"{relative(path)}: {node.name}"
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ClassDef) and node.name.endswith(empty_words)
    ]
    assert not named


def test_only_config_reads_the_environment():
    readers = []
    for path in MODULES:
        if path == SOURCE / "infra" / "config.py" or "testing" in path.parts:
            continue
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            reads = re.search(r"os\.(environ|getenv)\b", line)
            if reads and 'setdefault("DJANGO_SETTINGS_MODULE"' not in line:
                readers.append(f"{relative(path)}:{number}")
    assert not readers


def test_the_event_log_is_touched_only_by_the_store():
    outside = [
        relative(path)
        for path in [*MODULES, *SOURCE.rglob("*.sql")]
        if "store_event_log" in path.read_text("utf-8")
        and "store" not in path.parts
        and "testing" not in path.parts  # which looks behind the doors
        and path != SOURCE / "site" / "migrate.py"  # which takes rights on it away
    ]
    assert not outside


_ADDED = re.compile(r"(?<![+*-] )%(?:\(\w+\))?s\s*[+*-]\s*%(?:\(\w+\))?s(?!::| \*)")


def test_sums_of_parameters_say_their_type():
    # PostgreSQL takes two small numbers for two-byte ones, and their sum is soon too large.
    queries = {path: path.read_text("utf-8") for path in SOURCE.rglob("*.sql")}
    found = [
        f"{path.name}: {sum_[0]}"
        for path, text in queries.items()
        for sum_ in _ADDED.finditer(text)
    ]
    assert _ADDED.search("SELECT %(after)s + %(limit)s")
    assert not found, "cast one of them: %(after)s::bigint + %(limit)s"


def test_engines_do_not_point_into_each_other(db):
    from django.apps import apps

    crossing = [
        f"{model.__name__}.{field.name} -> {field.related_model.__name__}"
        for model in apps.get_models()
        for field in model._meta.get_fields()
        if field.is_relation
        and field.concrete
        and field.related_model is not None
        and {model._meta.app_label, field.related_model._meta.app_label} & ENGINES
        and model._meta.app_label != field.related_model._meta.app_label
    ]
    assert not crossing
    from amity.infra import database

    with database.transaction("owner") as connection:
        keys = connection.execute(
            "SELECT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint"
            " WHERE contype = 'f'"
        ).fetchall()
    assert [
        (a, b)
        for a, b in keys
        if a.split("_")[0] != b.split("_")[0] and {a.split("_")[0], b.split("_")[0]} & ENGINES
    ] == []


def test_no_models_by_name_outside_migrations():
    assert [relative(p) for p in MODULES if "apps.get_model(" in p.read_text("utf-8")] == []


def test_decisions_are_whole_and_listed():
    pages = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))
    assert len(pages) >= 10
    index = (ROOT / "docs" / "adr" / "README.md").read_text("utf-8")
    for number, page in enumerate(pages, 1):
        text = page.read_text("utf-8")
        assert page.name.startswith(f"{number:04d}-")
        assert page.name in index
        for part in ("Context", "Decision", "Consequences", "Alternatives", "Held by"):
            assert f"**{part}" in text, f"{page.name} has no {part}"


def test_links_between_documents_lead_somewhere():
    broken = []
    for document in DOCUMENTS:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", document.read_text("utf-8")):
            if "://" not in target and not (document.parent / target).exists():
                broken.append(f"{relative(document)} -> {target}")
    assert not broken


def test_every_page_is_in_the_contents():
    contents = (ROOT / "docs" / "README.md").read_text("utf-8")
    pages = [page for page in (ROOT / "docs").rglob("*.md") if page.parent.name != "adr"]
    left_out = [
        name
        for name in (str(page.relative_to(ROOT / "docs")) for page in pages)
        if name != "README.md" and f"]({name})" not in contents
    ]
    assert not left_out


def test_links_into_pages_lead_to_a_heading():
    broken = []
    for document in DOCUMENTS:
        for target, part in re.findall(r"\]\(([^)#\s]*)#([^)]+)\)", document.read_text("utf-8")):
            page = document.parent / target if target else document
            if "://" not in target and page.exists() and part not in headings(page):
                broken.append(f"{relative(document)} -> {target}#{part}")
    assert not broken


def headings(page: Path) -> set[str]:
    """The names by which a page's headings are linked to."""
    titles = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_paths_named_in_documents_exist():
    missing = []
    for document in DOCUMENTS:
        for path in re.findall(
            r"`((?:src|tests|docs|bench|scripts)/[\w./-]+)`", document.read_text("utf-8")
        ):
            if not (ROOT / path).exists() and "NNNN" not in path:
                missing.append(f"{relative(document)}: {path}")
    assert not missing


def test_every_engine_has_its_page():
    for engine in ENGINES:
        page = ROOT / "docs" / "engines" / f"{engine}.md"
        assert page.exists(), f"docs/engines/{engine}.md is missing"


def test_the_readme_names_commands_that_exist():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    for document in DOCUMENTS:
        for target in re.findall(r"`make ([a-z]+)", document.read_text("utf-8")):
            assert target in targets, f"{relative(document)} names `make {target}`"


def test_nothing_names_an_index_or_a_machine():
    words = re.compile(
        "|".join(
            [
                "py" + r"pi\.org",
                "python" + "hosted",
                r"registry\.np" + "mjs",
                r"(?<![\w.])/(?:wo" + r"rk/(?:main|shared)|ro" + r"ot/)",
            ]
        )
    )
    named = []
    for path in project_files():
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue
        if words.search(text):
            named.append(relative(path))
    assert not named


def test_no_unfinished_marks():
    marks = re.compile(r"\b(TO" + "DO|FIX" + "ME|X" + r"XX)\b|NotImplemented" + r"Error\(\)?$")
    assert [
        f"{relative(path)}:{number}"
        for path in MODULES
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if marks.search(line)
    ] == []
