"""The personalization engine's door: keyword-only functions, contracts in and out."""

from datetime import datetime

from amity.kernel.pagination import Page
from amity.personalization.contracts import PluginWords, Product, Recommended, RecommenderRun
from amity.personalization.logic import products
from amity.store.contracts import FoldResult

# Offers and placements

# Decisions

# Learning


def reward_batch(*, now: datetime, limit: int = 2000) -> FoldResult:
    """Take one turn of the rewards consumer: what came of what was shown."""
    return FoldResult(events=0)


def publish_snapshot(*, now: datetime) -> int | None:
    """Make a new snapshot when anything it holds has changed; return its id, or None."""
    return None


# Recommenders


def refresh_recommenders(*, now: datetime) -> list[RecommenderRun]:
    """Learn products and what goes with what from all order lines up to ``now``.

    Takes some seconds for a million lines. Decisions use what was learnt from the next snapshot
    on; two refreshes wait for each other.
    """
    return products.refresh_recommenders(now=now)


def get_latest_recommender_run(*, recommender: str) -> RecommenderRun:
    """Return the latest learning of a recommender; raise NotFound when there is none yet."""
    return products.get_latest_run(recommender=recommender)


def list_recommenders() -> list[PluginWords]:
    """Return every recommender there is, in words."""
    return products.list_recommenders()


def recommend(*, recommender: str, product_ids: list[str], limit: int = 10) -> list[Recommended]:
    """Return what a recommender says goes with some products, the best first.

    None of ``product_ids`` is among them; empty when nothing is learnt of these. It reads the
    whole model: for people and checks, not for traffic. Raises NotFound for an unknown recommender.
    """
    return products.recommend(recommender=recommender, product_ids=product_ids, limit=limit)


def list_products(*, search: str = "", cursor: str | None = None, limit: int = 50) -> Page[Product]:
    """Return products, those with most buyers first, by a part of their name or category."""
    return products.list_products(search=search, cursor=cursor, limit=limit)


def get_products(*, product_ids: list[str]) -> dict[str, Product]:
    """Return those of these products that are known, by id."""
    return products.get_products(product_ids=product_ids)
