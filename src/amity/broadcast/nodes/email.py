"""``email``: a message is planned; the ledger and its gate decide whether it leaves."""

from typing import Annotated, ClassVar, Self

from msgspec import Meta

from amity.broadcast.node import (
    NODES,
    Context,
    Names,
    Node,
    Outcome,
    SendMessage,
    Take,
    Target,
)


@NODES.register("email")
class Email(Node, frozen=True, tag="email"):
    """Plans one e-mail, made from the template as it is at that moment."""

    template_id: int
    placement_key: Annotated[str, Meta(max_length=100)] = ""
    next: Target = ""

    title: ClassVar[str] = "E-mail"
    about: ClassVar[str] = "Sends an e-mail to those who may be written to; all go on."
    setting_words: ClassVar[dict[str, str]] = {
        "template_id": "the template; those who come later get its later text",
        "placement_key": "a placement whose offers or products are decided for each person",
    }

    def enter(self, context: Context) -> Outcome:
        return Take("next", (SendMessage(self.template_id, self.placement_key),))

    def describe(self, names: Names) -> str:
        name = names.templates.get(self.template_id)
        return f"sends “{name}”" if name else f"sends template no. {self.template_id}"

    def problems(self, names: Names) -> list[str]:
        if self.template_id in names.templates:
            return []
        return [f"sends template no. {self.template_id}, which is gone"]

    @classmethod
    def examples(cls) -> list[Self]:
        return [cls(template_id=1), cls(template_id=2, placement_key="mail", next="then")]
