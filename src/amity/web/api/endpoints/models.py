"""Models of what customers will do: an event, a horizon, no code."""

from typing import Annotated

import msgspec
from msgspec import Meta

from amity.analysis import api_models
from amity.analysis.contracts_models import Model, ModelState, StoreEstimateState
from amity.kernel.pagination import Page
from amity.web.api.routing import Call, SmallRowId, route

Key = Annotated[str, Meta(min_length=1, max_length=40, description="The key of the model.")]


class NewModel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model to make."""

    key: Annotated[
        str,
        Meta(
            pattern="^[a-z][a-z0-9_-]{0,39}$",
            description="Its scores are called `propensity:` and this.",
        ),
    ]
    name: Annotated[str, Meta(min_length=1, max_length=100)]
    event: Annotated[
        str, Meta(min_length=1, max_length=200, description="What is predicted, by its name.")
    ]
    horizon_days: Annotated[int, Meta(ge=1, le=365)]
    segment_id: SmallRowId | None = None
    traits: Annotated[list[str], Meta(max_length=20)] = []
    is_first: Annotated[
        bool, Meta(description="Only of those who have never done it, as a lead score is.")
    ] = False


@route("GET", "/models", scope="segments:read")
def list_models() -> Page[ModelState]:
    """List the models, each with its latest run: version, quality on time held out, warnings."""
    return Page(api_models.list_models())


@route("POST", "/models", scope="segments:write", status=201, location="/models/{it.key}")
def create_model(body: NewModel, call: Call) -> Model:
    """Make a model; it is learnt within minutes and anew each night.

    It learns from all customers active in a year and scores those, or the members of a segment.
    """
    return api_models.create_model(
        key=body.key,
        name=body.name,
        event=body.event,
        horizon_days=body.horizon_days,
        segment_id=body.segment_id,
        traits=body.traits,
        is_first=body.is_first,
        by=call.caller,
        now=call.now,
    )


@route("GET", "/models/{key}", scope="segments:read")
def get_model(key: Key) -> ModelState:
    """Get a model with its latest run."""
    return api_models.get_model(key=key)


@route("DELETE", "/models/{key}", scope="segments:write")
def archive_model(key: Key, call: Call) -> None:
    """Take a model out of use and its scores away; its runs stay."""
    api_models.archive_model(key=key, now=call.now)


@route("GET", "/estimates", scope="segments:read")
def list_estimates() -> Page[StoreEstimateState]:
    """List the estimates over the store: their scores, cards and latest runs, or why refused."""
    return Page(api_models.list_store_estimates())
