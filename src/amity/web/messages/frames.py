"""Mail as HTML, shown only in a sandbox: no script, no form, no picture from elsewhere (rule D43).

A page puts such an answer into an `<iframe sandbox="allow-popups …">`; its own policy says the
same again, so it is as harmless when it is opened by itself.
"""

import re
from typing import Final

from django.http import HttpResponse

POLICY: Final = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; "
    "img-src 'self' data:; style-src 'unsafe-inline'; frame-ancestors 'self'"
)
# Links of a message open in a tab of their own: the frame may go nowhere.
_BASE: Final = '<base target="_blank">'
_HEAD: Final = re.compile(r"<head(?:\s[^>]*)?>", re.IGNORECASE)
# The policy would block pictures from elsewhere anyway; taken out, they raise no alarm either.
_REMOTE: Final = re.compile(
    r"""(<img\b[^>]*?\ssrc\s*=\s*|\sbackground\s*=\s*)(["'])\s*(?:https?:)?//[^"']*\2""",
    re.IGNORECASE,
)
_REMOTE_SET: Final = re.compile(r"""\ssrcset\s*=\s*(?:"[^"]*"|'[^']*')""", re.IGNORECASE)
_REMOTE_STYLE: Final = re.compile(r"""url\(\s*["']?\s*(?:https?:)?//[^)]*\)""", re.IGNORECASE)
_NOTHING: Final = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="
_DOCTYPE: Final = re.compile(r"\s*<!doctype[^>]*>", re.IGNORECASE)


def frame(html: str, *, status: int = 200) -> HttpResponse:
    """Answer with a message's HTML in its sandbox."""
    answer = HttpResponse(_open_in_tabs(_without_remote(html)), status=status)
    answer["Content-Security-Policy"] = POLICY
    answer["X-Frame-Options"] = "SAMEORIGIN"
    answer["Referrer-Policy"] = "no-referrer"
    return answer


def frame_words(words: str, *, status: int = 200) -> HttpResponse:
    """Answer with a sentence where a message would be: why it cannot be made."""
    escaped = words.replace("&", "&amp;").replace("<", "&lt;")
    style = "font:15px/1.5 system-ui,sans-serif;color:#55585d;padding:2rem;max-width:32rem"
    return frame(f'<!doctype html><body style="{style}">{escaped}', status=status)


def _without_remote(html: str) -> str:
    """Replace pictures from elsewhere by an empty one; their words stay."""
    html = _REMOTE.sub(rf"\1\2{_NOTHING}\2", html)
    return _REMOTE_STYLE.sub("none", _REMOTE_SET.sub("", html))


def _open_in_tabs(html: str) -> str:
    found = _HEAD.search(html) or _DOCTYPE.match(html)
    at = found.end() if found else 0
    return html[:at] + _BASE + html[at:]
