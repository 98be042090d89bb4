"""Fixtures only this repository's own tests need: a real browser, a data folder to begin with."""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    sync_playwright,
)

from amity.testing.template import make_template

# Each run tries the same examples, so that none fails by its luck or by a slow machine;
# `--hypothesis-profile search` tries others.
settings.register_profile(
    "search", deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("same", settings.get_profile("search"), derandomize=True)
settings.load_profile("same")

_QUIET = [
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
_PERSON = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/126.0.0.0 Safari/537.36"
)


def _chromium() -> str | None:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        path = shutil.which(name)
        if path:
            return path
    return None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long, so that no process ends with it alone."""
    items.sort(key=lambda item: not {"acceptance", "chaos"} & set(item.path.parts))


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder that never ran, for all who begin with a database of their own.

    One for all processes of a run: the first that asks makes it, and the others wait.
    """
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    data, done = shared / "template" / "data", shared / "template.made"
    with (shared / "template.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            make_template(data)
            done.touch()
    return data


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, for one module: Django refuses to work beside Playwright's event loop.

    Without a Chromium the test is skipped, and in CI that is a failure.
    """
    path = _chromium()
    if path is None:
        if os.environ.get("CI") == "true":
            pytest.fail("no Chromium here: in CI the browser tests must run (scripts/browser.sh)")
        pytest.skip("no Chromium here; install the package chromium to run the browser tests")
    # What calls itself headless is taken for a machine when it follows a link. Said to the whole
    # browser: what a page only emulates is not said by what it sends while it closes.
    arguments = [*_QUIET, f"--user-agent={_PERSON}"]
    if os.geteuid() == 0:
        arguments.append("--no-sandbox")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Browser) -> Iterator[Callable[[], Page]]:
    """Opens pages of visitors of their own, who may speak to this machine only.

    Any other request fails the test, of the tabs a page opens too.
    """
    contexts: list[BrowserContext] = []
    strangers: list[str] = []
    errors: list[str] = []

    def watch(request: Request) -> None:
        host = request.url.split("/")[2].split(":")[0] if "://" in request.url else ""
        if host not in {"127.0.0.1", "localhost", ""}:
            strangers.append(request.url)

    def listen(message: ConsoleMessage) -> None:
        if message.type == "error" and "Content Security Policy" in message.text:
            errors.append(message.text)

    def make() -> Page:
        context = chromium.new_context(
            viewport={"width": 1280, "height": 900},
        )
        context.on("request", watch)
        context.on("weberror", lambda error: errors.append(str(error.error)))
        context.on("console", listen)
        contexts.append(context)
        return context.new_page()

    yield make
    for context in contexts:
        context.close()
    assert not strangers, f"the page asked other hosts: {strangers}"
    assert not errors, f"the page reported errors: {errors}"


@pytest.fixture
def page(open_page: Callable[[], Page]) -> Page:
    """A page of its own."""
    return open_page()
