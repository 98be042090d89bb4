"""The analysis engine's door for models of what customers will do, and estimates over the store.

A model is an event and a horizon, no code; a lead score is such a model of a first order. An
estimate over the store is a plug-in that makes scores of the warehouse each night.
"""

from datetime import datetime

from amity.analysis.contracts import ModelRun
from amity.analysis.contracts_models import Model, ModelState, ScoreWords, StoreEstimateState
from amity.analysis.contracts_work import Work
from amity.analysis.logic.learning import definitions, refreshing
from amity.analysis.logic.working import doing, queue
from amity.analysis.logic.working.doing import Tell
from amity.analysis.store_estimate import load_store_estimates


def create_model(  # noqa: PLR0913  # one argument a part of the definition
    *,
    key: str,
    name: str,
    event: str,
    horizon_days: int,
    segment_id: int | None = None,
    traits: list[str] | None = None,
    is_first: bool = False,
    by: str,
    now: datetime,
) -> Model:
    """Add a model of who will do ``event`` within ``horizon_days``.

    Its scores are called `propensity:<key>`; the worker learns it as soon as it can, from all
    customers active in a year, and scores those, or the members of a segment; with ``is_first``
    only those who have never done it. Raises Invalid, NotFound for the segment, Conflict when the
    key is taken.
    """
    made = definitions.create_model(
        Model(
            model_id=0,
            key=key,
            name=name,
            event=event,
            horizon_days=horizon_days,
            segment_id=segment_id,
            traits=traits or [],
            created_by=by,
            created_at=now,
            is_first=is_first,
        )
    )
    ask_model(key=key, by=by, now=now)
    return made


def list_models() -> list[ModelState]:
    """Return the models by name, each with its latest run: its version, quality and warnings."""
    return refreshing.list_states()


def archive_model(*, key: str, now: datetime) -> None:
    """Take a model out of use and its scores away; its runs stay. Raises NotFound."""
    refreshing.retire_model(key=key, now=now)


def ask_model(*, key: str, by: str, now: datetime) -> int:
    """Have a model learnt anew by the worker; return the number of the work. Raises NotFound."""
    from amity.analysis.logic.scoring import tasks  # noqa: PLC0415  # loads slowly

    return doing.ask(tasks.learn(key=key, now=now), by=by, now=now)


def find_model_work(*, key: str) -> Work:
    """Return how far learning a model is."""
    return queue.find("model", {"key": key})


def ask_scores(*, by: str, now: datetime) -> int:
    """Have everybody scored anew by the worker, by what they order; see `refresh_scores`."""
    from amity.analysis.logic.scoring import tasks  # noqa: PLC0415  # loads slowly

    return doing.ask(tasks.score(now=now), by=by, now=now)


def ask_store_estimates(*, by: str, now: datetime) -> int:
    """Have the scores of what the warehouse holds made anew; see `refresh_store_estimates`."""
    from amity.analysis.logic.scoring import tasks  # noqa: PLC0415  # loads slowly

    return doing.ask(tasks.score_store(now=now, name=None), by=by, now=now)


def find_scores_work() -> tuple[Work, Work]:
    """Return how far these two are."""
    return queue.find("scores", {}), queue.find("store_scores", {"name": None})


def refresh_models(
    *, now: datetime, key: str | None = None, tell: Tell | None = None
) -> list[ModelRun]:
    """Learn all models anew, or one, from the warehouse, and replace their scores.

    A model the data cannot carry has a run that says why under "refused", and keeps the scores it
    had. Raises NotFound for an unknown key, Unavailable without a warehouse, and Conflict when
    somebody stops the one that was asked for.
    """
    from amity.analysis.logic.scoring import tasks  # noqa: PLC0415  # loads slowly

    if key is None:
        return tasks.learn_all(now=now, tell=tell)
    return [doing.do_now(tasks.learn(key=key, now=now), now=now, tell=tell)]


def learn_new_models(*, now: datetime) -> list[ModelRun]:
    """Learn the models that were never learnt, so that nobody waits for the night."""
    from amity.analysis.logic.scoring import tasks  # noqa: PLC0415  # loads slowly

    return tasks.learn_new(now=now)


def get_model(*, key: str) -> ModelState:
    """Return a model with its latest run; raise NotFound when there is none, or it is archived."""
    return refreshing.get_state(key)


def list_store_estimates() -> list[StoreEstimateState]:
    """Return the estimates over the store by title, each with its card and its latest run."""
    from amity.analysis.logic.scoring import standing  # noqa: PLC0415  # loads slowly

    return standing.list_estimates()


def get_store_estimate(*, name: str) -> StoreEstimateState:
    """Return an estimate over the store with its latest run; raise NotFound."""
    from amity.analysis.logic.scoring import standing  # noqa: PLC0415  # loads slowly

    return standing.get_estimate(name)


def refresh_store_estimates(
    *, now: datetime, name: str | None = None, tell: Tell | None = None
) -> list[ModelRun]:
    """Make the scores of every estimate over the store anew, or of one, from the warehouse.

    What cannot be carried has a run that says why under "refused", and no scores. Raises NotFound
    for an unknown name, Unavailable without a warehouse.
    """
    from amity.analysis.logic.scoring import tasks  # noqa: PLC0415  # loads slowly

    return doing.do_now(tasks.score_store(now=now, name=name), now=now, tell=tell)


def find_score_words(*, name: str) -> ScoreWords | None:
    """Return what a score of an estimate over the store is called and means; None for others."""
    for kind in load_store_estimates():
        for words in kind.scores:
            if words.name == name:
                return words
    return None
