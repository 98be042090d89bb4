"""The model cards of estimators that more than one estimate rests on."""

from typing import Final

from amity.analysis.contracts_estimates import ModelCard

BGNBD_AND_GAMMA_GAMMA: Final = ModelCard(
    title="Lifetime value: BG/NBD and Gamma-Gamma",
    purpose=(
        "What each customer of a business without contracts will probably buy within a horizon, "
        "whether he or she still is a customer, and what that is worth."
    ),
    assumes=[
        "While a customer stays, purchases come at random at a steady rate of his or her own.",
        "After each repeat purchase the customer leaves for good with a chance of his or her own.",
        "Rates are gamma distributed over customers, chances of leaving beta, independently.",
        "How much is spent at a purchase does not depend on how often one buys.",
    ],
    needs=[
        "Every purchase of every customer from the first one on: who, which day, how much.",
        "At least 30 customers, 10 of whom bought on more than one day; for values 20 of those.",
    ],
    refuses=[
        "Fewer customers or repeaters than that.",
        "Amounts that are all alike, or whose average over customers is not finite.",
    ],
    cannot_know=[
        "Seasons, campaigns and prices: a rate is a rate.",
        "That someone who bought once has left: the model lets nobody leave before a repeat.",
        "What a message or a discount would change: this is a forecast, not an effect.",
    ],
    sources=[
        'Fader, Hardie & Lee (2005), "Counting Your Customers" the Easy Way, '
        "Marketing Science 24(2), 275-284.",
        "Fader & Hardie (2013), The Gamma-Gamma Model of Monetary Value.",
    ],
)
