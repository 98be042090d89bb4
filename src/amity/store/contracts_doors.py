"""What crosses the store's doors about how data comes in and goes out: words, and what to paste."""

import msgspec


class Snippet(msgspec.Struct, frozen=True, kw_only=True):
    """What to paste into a client: `{url}`, `{host}` (the same without the scheme) and `{key}`
    stand for the collector's address and the source's write key."""

    key: str
    title: str
    code: str
    install: str = ""
    note: str = ""

    def fill(self, *, url: str, key: str) -> "Snippet":
        """Return it for one collector and one source."""
        words = {"{url}": url, "{host}": url.partition("://")[2], "{key}": key}
        code = self.code
        for mark, word in words.items():
            code = code.replace(mark, word)
        return msgspec.structs.replace(self, code=code)


class Door(msgspec.Struct, frozen=True, kw_only=True):
    """A way in or out that is no plug-in by itself, and how it is set up."""

    name: str
    title: str
    description: str
    needs: str
    steps: tuple[str, ...]
    """What to do, one after the other."""
    is_out: bool = False
