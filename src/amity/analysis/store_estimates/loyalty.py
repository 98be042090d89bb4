"""Which cell of the loyalty matrix customers are in today, kept as a score."""

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from amity.analysis.contracts_estimates import ModelCard
from amity.analysis.contracts_models import ScoreWords
from amity.analysis.estimator import Column, Refused
from amity.analysis.logic.behaviour.loyalty import (
    CELLS,
    DAYS,
    OFTEN,
    SCORE,
    SIGNS,
    express_standing,
)
from amity.analysis.store_estimate import (
    STORE_ESTIMATES,
    Known,
    Rows,
    Scored,
    StoreEstimated,
    StoreEstimator,
)

if TYPE_CHECKING:
    import ibis

_WORTH: Final = {"none": 0.0, "spurious": 1.0, "latent": 2.0, "true": 3.0}


@STORE_ESTIMATES.register("loyalty")
class LoyaltyCell(StoreEstimator):
    """The loyalty matrix of half a year up to today, as a score of each customer placed in it."""

    name = "loyalty"
    card = ModelCard(
        title="The cell of the loyalty matrix",
        purpose="To keep of each customer which cell of the loyalty matrix they are in, so that "
        "rules, offers and journeys can ask for it.",
        assumes=[
            f"{OFTEN} orders in {DAYS} days are often.",
            f"Who answered no survey thinks well of us with {SIGNS} signs of interest: mails "
            "opened and clicked, sign-ins, reviews, shares, wish lists, referrals.",
        ],
        needs=[
            f"Orders, and answers to surveys or signs of interest, of the last {DAYS} days; 1 "
            "customer of whom something is known of what they think.",
        ],
        refuses=["Nobody answered or showed a sign: then nothing is known of what they think."],
        cannot_know=[
            "What those who say nothing think: a sign of interest is weaker than an answer.",
            "Where they will be: it says where they are.",
        ],
        sources=[
            "Dick, Basu (1994), Customer loyalty: toward an integrated conceptual framework, "
            "Journal of the Academy of Marketing Science 22.",
        ],
    )
    scores = (
        ScoreWords(
            name=SCORE,
            title="Loyalty",
            meaning=f"The cell of the loyalty matrix: true (buys often, at least {OFTEN} orders in "
            f"{DAYS} days, and thinks well of us), latent (thinks well and buys seldom), spurious "
            "(buys often and does not), none. The label begins with the cell; the value is 3, 2, "
            "1 and 0.",
        ),
    )
    tables = frozenset(("profiles", "orders", "events"))
    days = DAYS

    def expressions(
        self, tables: Mapping[str, "ibis.Table"], known: Known
    ) -> dict[str, "ibis.Table"]:
        asked = msgspec.structs.replace(known.asked, choices={"often": OFTEN, "signs": SIGNS})
        standing = express_standing(tables, asked, windows=1)
        return {"standing": standing.drop("period").order_by("customer_id")}

    def estimate(self, rows: Rows, known: Known, rng: np.random.Generator) -> StoreEstimated:
        people = rows["standing"].to_pylist()
        answered = sum(one["is_good"] is not None for one in people)
        if not answered and not any(one["signs"] for one in people):
            raise Refused(
                f"of {len(people):,} customers nobody answered a survey or showed a sign of "
                f"interest in {DAYS} days, so nothing is known of what they think"
            )
        sizes = Counter(one["cell"] for one in people)
        column = Column(
            value=np.array([_WORTH[one["cell"]] for one in people]),
            labels=[f"{CELLS[one['cell']]}: {_why(one)}" for one in people],
        )
        ids = np.array([one["customer_id"] for one in people], np.int64)
        said = [f"{sizes[cell]:,} {words.lower()}" for cell, words in CELLS.items()]
        return StoreEstimated(
            scores={SCORE: Scored(customer_id=ids, column=column)},
            parameters={cell: float(sizes[cell]) for cell in CELLS},
            report={
                "sentence": f"Of {len(people):,} customers {', '.join(said)}",
                "facts": {"customers": len(people), "of them answered": answered},
                "warnings": []
                if answered == len(people)
                else [
                    f"{answered:,} of {len(people):,} answered a survey; of the others a sign of "
                    "interest stands for what they think, which is weaker"
                ],
                "calibration": {
                    "refused": "it says where customers are and foretells nothing, so no later "
                    "time can prove it right or wrong"
                },
            },
        )


def _why(one: Mapping[str, Any]) -> str:
    orders = f"{one['orders']:,} order{'' if one['orders'] == 1 else 's'} in {DAYS} days"
    if one["is_good"] is not None:
        return f"{orders}, answered {'well' if one['is_good'] else 'not well'}"
    return f"{orders}, {one['signs']:,} sign{'' if one['signs'] == 1 else 's'} of interest"
