"""Writing a parsed template as Python source: only names made here become source.

What a person typed is bound to generated names, as in `amity.rules.writer`. Each block becomes
straight lines of Python; texts and values between two tags are put together in one f-string.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from liquid.ast import BlockNode, Node
from liquid.builtin.content import ContentNode
from liquid.builtin.expressions import LoopExpression, Path
from liquid.builtin.expressions import primitive as pr
from liquid.builtin.output import OutputNode
from liquid.builtin.tags.assign_tag import AssignNode
from liquid.builtin.tags.capture_tag import CaptureNode
from liquid.builtin.tags.case_tag import CaseNode, MultiExpressionBlockNode
from liquid.builtin.tags.comment_tag import CommentNode
from liquid.builtin.tags.for_tag import BreakNode, ContinueNode, ForNode
from liquid.builtin.tags.if_tag import IfNode
from liquid.builtin.tags.inline_comment_tag import InlineCommentNode
from liquid.builtin.tags.unless_tag import UnlessNode

from amity.broadcast.logic.liquid import values
from amity.broadcast.logic.liquid.expressions import ExpressionWriter, Loop, Refused
from amity.broadcast.logic.liquid.links import Address, cut_addresses

_PIECES: Final = 64
"""Texts and values written at once: between two writes nothing is counted."""
_DEEPEST_LOOP: Final = 8
_FEW: Final = 8
_ROWS_OF: Final = frozenset(("offers", "products"))


class Writer(ExpressionWriter):
    """Writes one template; `function` gives the finished function."""

    def __init__(self, *, is_html: bool, assigned: Iterable[str]) -> None:
        super().__init__(is_html=is_html, assigned=assigned)
        self._lines: list[str] = []
        self._indent = 1
        self._pieces: list[str] = []
        self._has_values = False
        self._write = "write"
        self._is_silent = False
        self.links = 0

    # Writing out

    def _line(self, line: str) -> None:
        self._lines.append(" " * self._indent + line)

    def _say(self, source: str, *, is_value: bool = True) -> None:
        if self._is_silent:
            return
        self._pieces.append("{" + source + "}")
        self._has_values |= is_value
        if len(self._pieces) >= _PIECES:
            self._flush()

    def _say_text(self, text: str) -> None:
        if text:
            self._say(self._bind(text), is_value=False)

    def _flush(self) -> None:
        if not self._pieces:
            return
        self._line(f's = f"{"".join(self._pieces)}"')
        self._line(f"{self._write}(s)")
        if self._has_values or self._loops:
            self._line("room -= len(s)")
            self._line("if room < 0: budget.write(room)")
        self._pieces = []
        self._has_values = False

    def _shown(self, source: str) -> str:
        show = "escape(t)" if self._is_html else "t"
        return f"({show} if (t := {source}).__class__ is str else text(t))"

    # Blocks

    def block(self, nodes: Sequence[Node]) -> None:
        """Write nodes one after the other, addresses in attributes as one."""
        if not self._is_html or self._is_silent:
            for node in nodes:
                self._node(node)
            return
        for part in cut_addresses(nodes):
            if isinstance(part, Address):
                self._address(part)
            elif isinstance(part, str):
                self._say_text(part)
            else:
                self._node(part)

    def _inner(self, block: BlockNode) -> None:
        """Write a block one step further in; one that only has spaces to say says nothing."""
        before = self._is_silent
        self._is_silent = before or bool(block.blank)
        self._indent += 1
        self._line("pass")
        self.block(block.nodes)
        self._flush()
        self._indent -= 1
        self._is_silent = before

    def _node(self, node: Node) -> None:
        kind = node.__class__
        if kind is ContentNode:
            self._say_text(node.text)  # type: ignore[attr-defined]
        elif kind is OutputNode:
            self._say(self._shown(self.expression(node.expression)))  # type: ignore[attr-defined]
        elif kind in (CommentNode, InlineCommentNode):
            return
        elif kind in _TAGS:
            _TAGS[kind](self, node)
        else:
            raise Refused("this tag is not known here", node.token)

    def _address(self, address: Address) -> None:
        """Write an attribute's address: what is put into it is encoded, what could run is not."""
        if address.text is not None:
            url = self._bind(values.unescape(address.text))
        elif all(isinstance(node, ContentNode | OutputNode) for node in address.nodes):
            url = self._joined(address.nodes)
        else:
            self._flush()
            url = self._gather(address.nodes)
        if address.is_link:
            self.links += 1
            row = next((x.variable for x in reversed(self._loops) if x.is_rows), "None")
            self._say(f"link({self.links}, {url}, {row})")
        else:
            self._say(f"safe_url({url})")

    def _joined(self, nodes: Sequence[Node]) -> str:
        """Return source for an address of texts and values only."""
        pieces: list[str] = []
        has_begun = False
        for node in nodes:
            if isinstance(node, OutputNode):
                encode = "url_part" if has_begun else "url_text"
                pieces.append(f"{encode}({self.expression(node.expression)})")
                has_begun = True
            elif isinstance(node, ContentNode):
                pieces.append(self._bind(values.unescape(node.text)))
                has_begun |= not node.text.isspace()
        if len(pieces) == 1 and has_begun and isinstance(nodes[0], OutputNode):
            value = self.expression(nodes[0].expression)
            return f"(t if (t := {value}).__class__ is str else url_text(t))"
        return _together(pieces)

    def _gather(self, nodes: Sequence[Node]) -> str:
        """Write what makes up an address into a list of its own; return how to reach it."""
        kept, self._write = self._write, self._fresh("w")
        pieces = self._fresh("u")
        self._line(f"{pieces} = []; {self._write} = {pieces}.append")
        is_html, self._is_html = self._is_html, False
        has_begun = False
        for node in nodes:
            if isinstance(node, ContentNode):
                self._say_text(values.unescape(node.text))
                has_begun |= not node.text.isspace()
                continue
            if isinstance(node, OutputNode):
                # Text literals and some filters give Markup only where HTML is written.
                self._is_html = True
                source = self.expression(node.expression)
                self._is_html = False
                self._say(f"{'url_part' if has_begun else 'url_text'}({source})")
            else:
                self._node(node)
            has_begun = True
        self._flush()
        self._is_html, self._write = is_html, kept
        name = self._fresh("u")
        self._line(f'{name} = "".join({pieces})')
        return name

    # Tags

    def _if(self, node: Any) -> None:
        source = self._choice(node)
        if source is not None:
            self._say(source)
            return
        self._flush()
        self._line(f"if {self.condition(node.condition)}:")
        self._inner(node.consequence)
        self._alternatives(node)

    def _choice(self, node: Any) -> str | None:
        """Return an `if` between a few words as one expression; None when it is more than that."""
        branches = [(node.condition, node.consequence)]
        branches += [(other.expression, other.block) for other in node.alternatives]
        said = [_simple(block) for _, block in branches]
        last = [] if node.default is None else _simple(node.default)
        if self._is_silent or node.blank or last is None or None in said:
            return None
        source = self._words(last)
        for (condition, _), nodes in zip(reversed(branches), reversed(said), strict=True):
            words = self._words(nodes or [])
            source = f"({words} if {self.condition(condition)} else {source})"
        return source

    def _words(self, nodes: Sequence[Node]) -> str:
        pieces = [
            self._shown(self.expression(node.expression))
            if isinstance(node, OutputNode)
            else self._bind(node.text)  # type: ignore[attr-defined]
            for node in nodes
        ]
        return _together(pieces)

    def _unless(self, node: Any) -> None:
        self._flush()
        self._line(f"if not {self.condition(node.condition)}:")
        self._inner(node.consequence)
        self._alternatives(node)

    def _alternatives(self, node: Any) -> None:
        for other in node.alternatives:
            self._line(f"elif {self.condition(other.expression)}:")
            self._inner(other.block)
        if node.default:
            self._line("else:")
            self._inner(node.default)

    def _case(self, node: Any) -> None:
        self._flush()
        met = self._fresh("m")
        self._line(f"{met} = True")
        for block in node.blocks:
            if isinstance(block, MultiExpressionBlockNode):
                any_of: Any = block.expression
                tests = "".join(
                    f"{self._equal(any_of.left, right)}, " for right in any_of.expressions
                )
                # Said as often as it is met: so does the original.
                self._line(f"for _ in range(({tests}).count(True)):")
                self._indent += 1
                self._line(f"{met} = False")
                self._indent -= 1
                self._loops.append(Loop("", "", "", "", is_rows=False))
                self._inner(block.block)
                self._loops.pop()
            else:
                self._line(f"if {met}:")
                self._inner(block)

    def _assign(self, node: Any) -> None:
        self._flush()
        self._line(f"{self._assigned[str(node.name)]} = {self.expression(node.expression)}")

    def _capture(self, node: Any) -> None:
        self._flush()
        kept, self._write = self._write, self._fresh("w")
        pieces = self._fresh("u")
        self._line(f"{pieces} = []; {self._write} = {pieces}.append")
        self._line("if True:")
        self._inner(node.block)
        self._write = kept
        joined = f'"".join({pieces})'
        target = self._assigned[str(node.name)]
        self._line(f"{target} = Markup({joined})" if self._is_html else f"{target} = {joined}")

    def _for(self, node: Any) -> None:
        said: LoopExpression = node.expression
        if said.cols is not None or (
            isinstance(said.offset, pr.StringLiteral) and said.offset.value == "continue"
        ):
            raise Refused("a loop takes only limit, offset and reversed", said.token)
        if len(self._loops) >= _DEEPEST_LOOP:
            raise Refused(f"loops may be at most {_DEEPEST_LOOP} deep", said.token)
        self._flush()
        found, variable, counter, length = (self._fresh(p) for p in ("r", "v", "i", "n"))
        limit = "None" if said.limit is None else self.expression(said.limit)
        offset = "None" if said.offset is None else self.expression(said.offset)
        source = self.expression(said.iterable)
        if limit == offset == "None" and not said.reversed:
            self._line(f"if ({found} := {source}).__class__ is not list:")
            self._line(f" {found} = rows({found}, None, None, is_reversed=False)")
        else:
            self._line(
                f"{found} = rows({source}, {limit}, {offset}, is_reversed={bool(said.reversed)})"
            )
        self._line(f"{length} = len({found})")
        self._line(f"budget.spend({length} * {_weight(node.block)})")
        is_rows = isinstance(said.iterable, Path) and said.iterable.path[0] in _ROWS_OF
        self._loops.append(Loop(str(said.identifier), variable, counter, length, is_rows=is_rows))
        place = len(self._lines)
        self._line(f"for {variable} in {found}:")
        self._inner(node.block)
        if self._loops.pop().is_counted:
            indent = " " * self._indent
            self._lines[place] = f"{indent}for {counter}, {variable} in enumerate({found}):"
        if node.default:
            self._line(f"if not {length}:")
            self._inner(node.default)

    def _break(self, node: Node) -> None:
        self._flush()
        if not any(loop.name for loop in self._loops):
            raise Refused("`break` and `continue` belong into a loop", node.token)
        if not self._loops[-1].name:
            raise Refused("`break` and `continue` cannot be inside `when`", node.token)
        self._line("break" if isinstance(node, BreakNode) else "continue")

    # The whole

    def function(self) -> Callable[..., str]:
        """Return what was written as a function of data, budget and what makes links."""
        self._flush()
        lines = [
            "def run(data, budget, link):",
            *(
                " " + line
                for line in (
                    "out = []; write = out.append; room = budget.room",
                    'now = data.get("now")',
                )
            ),
            *(" " + line for line in self._head),
            *self._lines,
            ' return "".join(out)',
        ]
        exec(compile("\n".join(lines), "<template>", "exec"), self.scope)  # noqa: S102
        run: Callable[..., str] = self.scope["run"]
        return run


def _together(pieces: Sequence[str]) -> str:
    """Return source that puts texts together; it can stand inside an f-string."""
    if len(pieces) == 1:
        return pieces[0]
    return f"''.join(({', '.join(pieces)}))" if pieces else "''"


def _simple(block: BlockNode) -> list[Node] | None:
    """Return the nodes of a block that holds a few texts and values, and no attribute's address."""
    nodes = block.nodes
    if len(nodes) > _FEW or any(node.__class__ not in (ContentNode, OutputNode) for node in nodes):
        return None
    if any(isinstance(part, Address) for part in cut_addresses(nodes)):
        return None
    return list(nodes)


def _weight(block: Node) -> int:
    """Return how many steps one round of a block takes; inner loops count by themselves."""
    weight = 1
    for node in getattr(block, "nodes", ()):
        weight += 1
        if isinstance(node, ForNode):
            continue
        for name in ("consequence", "default", "block"):
            inner = getattr(node, name, None)
            weight += 0 if inner is None else _weight(inner)
        for name in ("alternatives", "blocks"):
            for inner in getattr(node, name, ()):
                weight += _weight(getattr(inner, "block", inner))
    return weight


_TAGS: Final[dict[type, Callable[[Writer, Any], None]]] = {
    IfNode: Writer._if,
    UnlessNode: Writer._unless,
    CaseNode: Writer._case,
    AssignNode: Writer._assign,
    CaptureNode: Writer._capture,
    ForNode: Writer._for,
    BreakNode: Writer._break,
    ContinueNode: Writer._break,
}
