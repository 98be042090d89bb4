"""The follower's book, told of changes one at a time."""

from amity.analysis.logic.following_book import Book


def rule(of, event="Login"):
    looked_at = [{"node": "in_segment", "segment_id": other} for other in of]
    return {"node": "all", "of": [{"node": "did", "event": event, "within_days": 7}, *looked_at]}


def seen(book):
    return {
        each: (held.name, held.level, held.tier, held.mentions)
        for each, held in book.segments.items()
    }


def test_a_book_told_of_changes_is_as_one_made_anew():
    rows = {1: (), 2: (1,), 3: (2, 1), 4: ()}
    book = Book([(key, f"s{key}", rule(of), "live") for key, of in rows.items()], {})
    kept = book.segments[4].matcher
    changed = [(1, "one", rule([4], "Logout"), "building"), (5, "five", rule([3]), "building")]
    book.change(changed, [2])
    book.rename([(3, "three", "building")])
    fresh = Book(
        [
            *changed,
            (3, "three", rule([2, 1]), "building"),
            (4, "s4", rule([]), "live"),
        ],
        {},
    )
    assert seen(book) == seen(fresh)
    assert book.building == fresh.building == [1, 3, 5]
    assert book.segments[4].matcher is kept
    counting = [each.index.list_counting("Login", {}) for each in (book, fresh)]
    assert sorted(counting[0]) == sorted(counting[1]) == [3, 4, 5]
    assert book.list_dependants(2) == fresh.list_dependants(2) == {3}


def test_a_chain_of_segments_may_be_longer_than_calls_nest():
    rows = [(key, f"s{key}", rule([key + 1]), "live") for key in range(1500)]
    levels = [held.level for held in Book(rows, {}).segments.values()]
    assert levels == list(range(1500, 0, -1))
