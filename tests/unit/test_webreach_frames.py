"""A message in its sandbox: nothing runs, nothing is fetched, links open in a tab of their own."""

import pytest

from amity.web.messages.frames import _open_in_tabs, _without_remote


@pytest.mark.parametrize(
    "html",
    [
        '<img src="http://127.0.0.1:8080/o/x.gif" width="1" alt="a">',
        "<img alt='a' SRC = 'https://elsewhere.example/x.png'>",
        '<img src="//elsewhere.example/x.png">',
        '<img src="data:,x" srcset="https://elsewhere.example/x.png 2x">',
        '<td background="https://elsewhere.example/x.png">',
        "<p style=\"background:url('https://elsewhere.example/x.png')\">",
        "<style>p { background: url( //elsewhere.example/x.png ) }</style>",
    ],
)
def test_pictures_from_elsewhere_are_taken_out(html: str) -> None:
    left = _without_remote(html)
    assert "elsewhere" not in left
    assert "127.0.0.1" not in left
    assert ("alt" in left) == ("alt" in html)


def test_links_and_pictures_inside_stay() -> None:
    html = '<a href="https://shop.example/x"><img src="data:image/png;base64,AA" alt="x"></a>'
    assert _without_remote(html) == html


@pytest.mark.parametrize(
    ("html", "shown"),
    [
        ("<html><head><title>x", '<html><head><base target="_blank"><title>x'),
        ("<!doctype html><p>x", '<!doctype html><base target="_blank"><p>x'),
        ("<header>x", '<base target="_blank"><header>x'),
    ],
)
def test_links_open_in_a_tab_of_their_own(html: str, shown: str) -> None:
    assert _open_in_tabs(html) == shown
