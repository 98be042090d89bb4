"""Small pictures of how sources come."""

from collections.abc import Sequence

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

register = template.Library()
_WIDTH = 10
_HEIGHT = 60


@register.simple_tag
def bars(values: Sequence[int], label: str) -> SafeString:
    """Draw amounts as bars beside each other, all of one width; ``label`` says what they tell."""
    most = max([*values, 1])
    drawn = format_html_join(
        "",
        '<rect x="{}" y="{}" width="{}" height="{}"/>',
        (
            (
                index * _WIDTH + 1,
                f"{_HEIGHT - height:.1f}",
                _WIDTH - 2,
                f"{height:.1f}",
            )
            for index, value in enumerate(values)
            if (height := max(1.5, _HEIGHT * value / most) if value else 0.0)
        ),
    )
    return format_html(
        '<svg class="hourbars" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" '
        'aria-label="{}"><rect class="of" y="{}" width="{}" height="1"/>{}</svg>',
        len(values) * _WIDTH,
        _HEIGHT,
        label,
        _HEIGHT - 1,
        len(values) * _WIDTH,
        drawn,
    )
