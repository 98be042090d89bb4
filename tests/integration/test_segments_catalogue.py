"""What the follower takes for granted about the store."""

from amity.analysis.logic import following_book
from amity.store.logic.consent.statements import (
    CONSENT_EVENTS,
    PAUSE_EVENTS,
    RESTRICTION_EVENTS,
)
from amity.store.logic.folding import batch as folding_batch
from amity.store.logic.folding.orders import ORDER_EVENTS


def test_the_follower_and_the_fold_mean_the_same_events():
    said = CONSENT_EVENTS | PAUSE_EVENTS | RESTRICTION_EVENTS
    assert said == following_book._CONSENT_EVENTS
    assert following_book._ORDER_EVENTS == ORDER_EVENTS
    assert {folding_batch.MERGED, folding_batch.UNMERGED} == following_book.WHOLE_PROFILE_EVENTS
