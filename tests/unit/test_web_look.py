"""The look keeps its promises: readable contrast (WCAG AA) in both themes, no other host."""

import re
from pathlib import Path

import pytest

import amity.web

WEB = Path(amity.web.__file__).parent
STYLE = (WEB / "static" / "amity.css").read_text("utf-8")
TOKENS = {
    name: (light, dark)
    for name, light, dark in re.findall(
        r"--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)", STYLE
    )
}
INKS = ("ink", "ink-2", "ink-3", "accent", "good", "bad", "warn", "info")
GROUNDS = ("paper", "surface", "sunken")
PAIRS = [
    *((ink, ground) for ink in INKS for ground in GROUNDS),
    *((tone, f"{tone}-soft") for tone in ("good", "bad", "warn", "info", "accent")),
    ("accent-ink", "accent"),
]


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2.2 defines it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_words_can_be_read(theme: int) -> None:
    poor = {
        (ink, ground): round(contrast(TOKENS[ink][theme], TOKENS[ground][theme]), 2)
        for ink, ground in PAIRS
        if contrast(TOKENS[ink][theme], TOKENS[ground][theme]) < 4.5
    }
    assert poor == {}


def test_the_measure_of_contrast_is_right() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def test_no_page_asks_another_host_or_carries_inline_style_or_script() -> None:
    for template in WEB.glob("**/templates/**/*.html"):
        text = template.read_text("utf-8")
        assert not re.search(r"(src|href|action)=[\"'](https?:)?//", text), template
        assert not re.search(r"\sstyle=|\son(click|change|input|load|submit)=", text), template
        assert "<style" not in text, template
    assert "@import" not in STYLE
    assert "url(" not in STYLE
