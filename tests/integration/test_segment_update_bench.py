"""The measurement of segments' updates, at a size at which only its answers count."""

from bench import segment_update as bench

from amity.infra import database


def test_every_way_to_follow_gives_the_same_members(db, monkeypatch, tmp_path):
    monkeypatch.setattr(bench, "TURN", 40)
    monkeypatch.setattr(bench, "IN_MEMORY", 200)
    kept = bench.Kept(database.database_name(), 60)
    assert kept.check() > 0
    assert (kept.follow().operations, kept.upsert().operations) == (40, 40)
    assert kept.rescan().seconds > 0
    kept.check()
    memory = bench.Memory(60)
    before = memory.check()
    assert memory.follow().operations == 200
    assert before < memory.check()
    # It says itself when the two answers differ.
    assert bench.Rebuilt(tmp_path, 3_000).turn("ours")().seconds > 0
    assert round(bench.slope({10: 1.0, 100: 2.0, 1000: 4.0}), 3) == 0.301
