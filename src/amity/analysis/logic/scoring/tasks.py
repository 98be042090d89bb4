"""Learning models and scoring everybody, as work that is asked for, seen by all and stopped."""

from datetime import datetime

from amity.analysis.contracts import ModelRun
from amity.analysis.logic import scores
from amity.analysis.logic.learning import refreshing
from amity.analysis.logic.scoring import standing
from amity.analysis.logic.working import queue
from amity.analysis.logic.working.doing import Task, Tell, do_now
from amity.kernel.errors import Conflict


def learn(*, key: str, now: datetime) -> Task[ModelRun]:
    """Return the work of learning a model anew and scoring by it; raise NotFound."""
    model = refreshing.get_state(key).model
    return Task(
        kind="model",
        parameters={"key": key},
        title=f"The model {model.name}",
        act=lambda doing: refreshing.refresh_model(model, now, doing),
        find=lambda: refreshing.get_state(key).run,
    )


def learn_all(*, now: datetime, tell: Tell | None = None) -> list[ModelRun]:
    """Learn every model anew; one that somebody stops is left as it was."""
    keys = [state.model.key for state in refreshing.list_states()]
    return _learn_each(keys, now=now, tell=tell)


def learn_new(*, now: datetime) -> list[ModelRun]:
    """Learn the models that were never learnt, but those whose learning somebody stopped."""
    keys = [state.model.key for state in refreshing.list_states() if state.run is None]
    return _learn_each(
        [key for key in keys if not queue.find("model", {"key": key}).is_cancelled], now=now
    )


def _learn_each(keys: list[str], *, now: datetime, tell: Tell | None = None) -> list[ModelRun]:
    runs = []
    for key in keys:
        try:
            runs.append(do_now(learn(key=key, now=now), now=now, tell=tell))
        except Conflict:
            continue
    return runs


def score(*, now: datetime) -> Task[list[ModelRun]]:
    """Return the work of fitting the estimators to all orders and scoring everybody."""
    return Task(
        kind="scores",
        parameters={},
        title="The scores of what customers order",
        act=lambda doing: scores.refresh_scores(now=now, doing=doing),
        find=scores.list_latest_runs,
    )


def score_store(*, now: datetime, name: str | None) -> Task[list[ModelRun]]:
    """Return the work of making the scores of what the warehouse holds; raise NotFound."""
    if name is not None:
        standing.get_estimate(name)
    return Task(
        kind="store_scores",
        parameters={"name": name},
        title="The scores of messages, prices, surveys and referrals",
        act=lambda doing: standing.refresh_estimates(now=now, name=name, doing=doing),
        find=lambda: standing.list_runs(name),
    )
