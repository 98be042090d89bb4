"""Fixtures only this repository's own tests need: a real browser."""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

_QUIET = [
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


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
    arguments = [*_QUIET, "--no-sandbox"] if os.geteuid() == 0 else _QUIET
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A page of its own that may speak to this machine only; any other request fails the test."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    strangers: list[str] = []

    def watch(request) -> None:
        host = request.url.split("/")[2].split(":")[0] if "://" in request.url else ""
        if host not in {"127.0.0.1", "localhost", ""}:
            strangers.append(request.url)

    opened = context.new_page()
    opened.on("request", watch)
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on(
        "console",
        lambda message: (
            errors.append(message.text)
            if message.type == "error" and "Content Security Policy" in message.text
            else None
        ),
    )
    yield opened
    context.close()
    assert not strangers, f"the page asked other hosts: {strangers}"
    assert not errors, f"the page reported errors: {errors}"
