"""Sources are made, found, changed and kept apart."""

import pytest

from amity.kernel.errors import Conflict, Invalid, NotFound
from amity.store import api


def test_a_source_is_made_found_and_changed(db):
    made = api.create_source(name=" Web  shop ")
    assert (made.name, made.kind, made.is_enabled) == ("Web shop", "browser", True)
    assert len(made.write_key) >= 40
    other = api.create_source(name="Till", kind="server")
    assert other.write_key != made.write_key
    assert api.find_source(name="Web shop") == made
    assert api.get_source(source_id=made.source_id) == made
    assert [source.name for source in api.list_sources()] == ["Amity", "Web shop", "Till"]
    changed = api.update_source(source_id=made.source_id, is_enabled=False)
    assert not changed.is_enabled
    assert changed.name == "Web shop"
    assert api.update_source(source_id=made.source_id, name="Shop").write_key == made.write_key
    assert api.count_by_source() == {}


def test_what_cannot_be_a_source_is_refused(db):
    api.create_source(name="A")
    other = api.create_source(name="B")
    with pytest.raises(Conflict):
        api.create_source(name="A")
    with pytest.raises(Conflict):
        api.update_source(source_id=other.source_id, name="A")
    for name in ("", "   ", "x" * 101, "a\0b"):
        with pytest.raises(Invalid):
            api.create_source(name=name)
    with pytest.raises(Invalid):
        api.create_source(name="C", kind="system")
    with pytest.raises(NotFound):
        api.update_source(source_id=1, name="Mine")
    with pytest.raises(NotFound):
        api.get_source(source_id=999)
    assert api.find_source(name="nobody") is None
