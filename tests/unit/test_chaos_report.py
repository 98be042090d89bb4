"""The report of a run of chaos says what was recorded, and no more."""

from amity.testing.chaos_record import Finding, read_findings, record
from amity.testing.chaos_report import write_report


def test_what_was_recorded_is_told(tmp_path, monkeypatch):
    path = tmp_path / "record"
    monkeypatch.setenv("AMITY_CHAOS_RECORD", str(path))
    record(Finding(card="T10", what="later", control="lost 3 of 9"))
    record(Finding(card="T2", what="cuts", cuts=20, acknowledged=5, lost=0, recovered_seconds=[2]))
    text = write_report(read_findings(path), day="2026-01-02", machine="a machine")
    lines = text.splitlines()
    assert "| T2 | cuts | – | – | 20 | 5 | 0 | – | 2.0 / 2.0 s | – |" in lines
    assert text.index("| T2 ") < text.index("| T10 ")
    assert "- T10, later: lost 3 of 9." in lines
    assert "Also checked" not in text


def test_without_a_file_nothing_is_recorded(monkeypatch, tmp_path):
    monkeypatch.delenv("AMITY_CHAOS_RECORD", raising=False)
    monkeypatch.chdir(tmp_path)
    record(Finding(card="T1", what="nowhere"))
    assert not list(tmp_path.iterdir())
