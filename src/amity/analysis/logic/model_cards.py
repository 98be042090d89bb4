"""The model cards of the estimators of purchases, and how cards are joined."""

from typing import Final

from amity.analysis.contracts_estimates import ModelCard

_REFUSES_THIN: Final = "Fewer than 30 customers, or fewer than 10 who bought on more than one day."
_SEASONS: Final = "Seasons, campaigns and prices: a rate is a rate."
_NO_EFFECT: Final = "What a message or a discount would change: this is a forecast, not an effect."
_WHOLE_HISTORY: Final = (
    "Every purchase of every customer from the first one on: who, and which day."
)

BGNBD: Final = ModelCard(
    title="BG/NBD",
    purpose="How often each customer of a business without contracts buys, and whether he or "
    "she still is a customer.",
    assumes=[
        "While a customer stays, purchases come at random at a steady rate of his or her own.",
        "After each repeat purchase the customer leaves for good with a chance of his or her own.",
        "Rates are gamma distributed over customers, chances of leaving beta, independently.",
    ],
    needs=[_WHOLE_HISTORY],
    refuses=[_REFUSES_THIN],
    cannot_know=[
        _SEASONS,
        "That someone who bought once has left: the model lets nobody leave before a repeat.",
        _NO_EFFECT,
    ],
    sources=[
        'Fader, Hardie & Lee (2005), "Counting Your Customers" the Easy Way, '
        "Marketing Science 24(2), 275-284.",
    ],
)

PARETO_NBD: Final = ModelCard(
    title="Pareto/NBD",
    purpose="How often each customer of a business without contracts buys, and whether he or "
    "she still is a customer, leaving at any moment rather than after a purchase.",
    assumes=[
        "While a customer stays, purchases come at random at a steady rate of his or her own.",
        "A customer may leave at any moment, bought or not, at a steady rate of his or her own.",
        "Both rates are gamma distributed over customers, independently.",
    ],
    needs=[_WHOLE_HISTORY],
    refuses=[_REFUSES_THIN],
    cannot_know=[
        _SEASONS,
        "Why somebody left, or whether one who is silent will return.",
        _NO_EFFECT,
    ],
    sources=[
        "Schmittlein, Morrison & Colombo (1987), Counting Your Customers: Who Are They and What "
        "Will They Do Next?, Management Science 33(1), 1-24.",
        "Fader & Hardie (2005), A Note on Deriving the Pareto/NBD Model and Related Expressions.",
    ],
)

GAMMA_GAMMA: Final = ModelCard(
    title="Gamma-Gamma",
    purpose="What each customer spends at a purchase on average, drawn towards the average of "
    "all the more, the fewer purchases are known.",
    assumes=[
        "A customer's purchases vary around an average of his or her own that does not change.",
        "How much is spent at a purchase does not depend on how often one buys.",
    ],
    needs=["The amounts of purchases, of 20 customers at least who bought on more than one day."],
    refuses=["Amounts that are all alike, or whose average over customers is not finite."],
    cannot_know=["Rising prices and growing baskets: an average is an average."],
    sources=["Fader & Hardie (2013), The Gamma-Gamma Model of Monetary Value."],
)

SBG: Final = ModelCard(
    title="Shifted beta-geometric (sBG)",
    purpose="How many customers with a contract renew it each time, and how long those who are "
    "left will stay.",
    assumes=[
        "At the end of each period a customer leaves with a chance of his or her own that does "
        "not change.",
        "These chances are beta distributed over customers; retention rises over time because "
        "those who leave easily go first, not because anybody grows loyal.",
    ],
    needs=[
        "When each contract began and ended, also of those who left long ago; or how often each "
        "was renewed and whether it then ended.",
        "At least 30 contracts, 10 of which ended, seen for 2 periods.",
    ],
    refuses=["Fewer contracts, ends or periods than that."],
    cannot_know=[
        "A change of price or product that makes people leave at a certain time.",
        "Why somebody leaves, or what an offer would change.",
        "Those who left before the file begins: without them it flatters.",
    ],
    sources=[
        "Fader & Hardie (2007), How to Project Customer Retention, Journal of Interactive "
        "Marketing 21(1), 76-90.",
    ],
)

RFM: Final = ModelCard(
    title="RFM",
    purpose="Where each customer stands among all by how recently, how often and for how much he "
    "or she bought, in fifths.",
    assumes=["Nothing: it describes what was, and predicts nothing by itself."],
    needs=["Every purchase: who, which day, how much."],
    refuses=["Fewer than 5 customers."],
    cannot_know=["What comes: who bought much lately may have bought a wedding."],
    sources=["Hughes (1994), Strategic Database Marketing, Probus."],
)


def join_cards(title: str, purpose: str, *cards: ModelCard) -> ModelCard:
    """Return one card of several models that answer a question together."""
    return ModelCard(
        title=title,
        purpose=purpose,
        assumes=_join([card.assumes for card in cards]),
        needs=_join([card.needs for card in cards]),
        refuses=_join([card.refuses for card in cards]),
        cannot_know=_join([card.cannot_know for card in cards]),
        sources=_join([card.sources for card in cards]),
    )


def _join(parts: list[list[str]]) -> list[str]:
    return list(dict.fromkeys(sentence for part in parts for sentence in part))
