"""Products as learnt from order lines, and what recommenders learn from the same lines."""

from datetime import datetime
from typing import Any, Final

import msgspec
import numpy as np

from amity.infra import queries
from amity.infra.columns import fetch_columns
from amity.infra.config import settings
from amity.infra.database import Connection, transaction
from amity.kernel.errors import NotFound
from amity.kernel.pagination import Page, decode_cursor, encode_cursor
from amity.personalization.contracts import PluginWords, Product, Recommended, RecommenderRun
from amity.personalization.recommender import Baskets, Recommender, load_recommenders
from amity.store import api as store

_SQL = queries.load("amity.personalization")
MOST_IN_BASKET: Final = 500
"""A basket with more products says little of what goes together, and costs its square."""
_DAY_SECONDS: Final = 86_400


def refresh_recommenders(*, now: datetime) -> list[RecommenderRun]:
    """Read all order lines, learn products from them and let every recommender learn anew."""
    with transaction() as connection:
        connection.execute(_SQL["products_lock"])
        connection.execute(_SQL["products_lines"])
        using = {"units": store.minor_units(), "currency": settings().currency}
        connection.execute(_SQL["products_upsert"], using)
        connection.execute(_SQL["products_forget"])
        baskets, too_large = _read_baskets(connection, now)
        runs = [_learn(connection, kind(), baskets, too_large, now) for kind in load_recommenders()]
    return runs


def _read_baskets(connection: Connection, now: datetime) -> tuple[Baskets, int]:
    """Return all baskets but those too large, and how many those are."""
    items = [row[0] for row in connection.execute(_SQL["products_ids"])]
    event, item, buyer, age = fetch_columns(connection, _SQL["products_baskets"], [now], width=4)
    pairs, first = np.unique(event * max(len(items), 1) + item, return_index=True)
    del pairs  # only tells the same product of one basket apart from others
    event, item, buyer, age = event[first], item[first], buyer[first], age[first]
    _, start, size = np.unique(event, return_index=True, return_counts=True)
    fits = size <= MOST_IN_BASKET
    kept = np.repeat(fits, size)
    return (
        Baskets(
            items=items,
            basket=np.repeat(np.arange(fits.sum(), dtype=np.int32), size[fits]),
            item=item[kept].astype(np.int32),
            buyer=buyer[start][fits],
            age_days=age[start][fits] / _DAY_SECONDS,
        ),
        int((~fits).sum()),
    )


def _learn(
    connection: Connection,
    recommender: Recommender,
    baskets: Baskets,
    too_large: int,
    now: datetime,
) -> RecommenderRun:
    body = recommender.learn(baskets)
    report: dict[str, Any] = {
        "pairs": len(baskets.item),
        "too_large": too_large,
        "body_bytes": len(body),
    }
    counts = len(baskets.items), len(baskets.buyer)
    row = connection.execute(
        _SQL["models_insert"],
        [recommender.name, now, *counts, body, msgspec.json.encode(report).decode()],
    ).fetchone()
    assert row is not None
    return RecommenderRun(
        model_id=row[0],
        recommender=recommender.name,
        made_at=now,
        items=counts[0],
        baskets=counts[1],
        report=report,
    )


def get_latest_run(*, recommender: str) -> RecommenderRun:
    """Return the latest learning of a recommender; raise NotFound when there is none yet."""
    with transaction("readonly") as connection:
        row = connection.execute(_SQL["models_latest"], [recommender]).fetchone()
    if row is None:
        raise NotFound(f"{recommender} has learnt nothing yet")
    names = ("model_id", "recommender", "made_at", "items", "baskets", "report")
    return RecommenderRun(**dict(zip(names, row, strict=True)))


def list_recommenders() -> list[PluginWords]:
    """Return every recommender there is, in words."""
    return [
        PluginWords(name=kind.name, title=kind.title, words=kind.words)
        for kind in load_recommenders()
    ]


def recommend(*, recommender: str, product_ids: list[str], limit: int) -> list[Recommended]:
    """Ask the latest model of a recommender; see `api.recommend`."""
    registry = load_recommenders()
    if recommender not in registry:
        raise NotFound(f"there is no recommender {recommender}")
    with transaction("readonly") as connection:
        row = connection.execute(_SQL["models_latest_body"], [recommender]).fetchone()
    if row is None:
        return []
    asked = registry[recommender]()
    model = asked.load(row[0])
    return asked.rank(model, product_ids=product_ids, exclude=(), limit=limit)


def list_products(*, search: str, cursor: str | None, limit: int) -> Page[Product]:
    """Return products, those with most buyers first; see `api.list_products`."""
    buyers, after = decode_cursor(cursor, (int, str)) if cursor else (None, "")
    arguments = {
        "search": search,
        "pattern": "%" + search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%",
        "buyers": buyers,
        "after": after,
        "limit": limit + 1,
    }
    with transaction("readonly") as connection:
        found = [_product(row) for row in connection.execute(_SQL["products_list"], arguments)]
    last = found[limit - 1] if len(found) > limit else None
    following = encode_cursor([last.buyers, last.product_id]) if last else None
    return Page(found[:limit], following)


def get_products(*, product_ids: list[str]) -> dict[str, Product]:
    """Return those of these products that are known, by id."""
    with transaction("readonly") as connection:
        rows = connection.execute(_SQL["products_get"], [product_ids]).fetchall()
    return {row[0]: _product(row) for row in rows}


def _product(row: tuple[Any, ...]) -> Product:
    return Product(**dict(zip(Product.__struct_fields__, row, strict=True)))
