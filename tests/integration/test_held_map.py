"""The data map: nothing is held that it does not tell of."""

import json

from click.testing import CliRunner

from amity.cli.main import root
from amity.infra import data_map
from amity.infra.database import transaction


def test_every_table_and_column_is_in_the_map(db):
    held = data_map.read_map()
    assert held.gaps == [], (
        "describe it with COMMENT ON TABLE in its migration ('personal' lists its columns), or "
        "name the column in `plain` of infra/data_map.json when it can hold nothing personal"
    )
    names = {table.name for table in held.tables}
    assert {"store_profile", "staff_staff", "broadcast_mailbox", "warehouse_file"} <= names
    for table in held.tables:
        assert table.erase in {"delete", "blank"} or table.erase.startswith("keep: "), table.name


def test_named_columns_are_there(db):
    with transaction() as connection:
        rows = connection.execute(
            "SELECT table_name, column_name FROM information_schema.columns "
            "WHERE table_schema = 'public'"
        ).fetchall()
    columns = {(row[0], row[1]) for row in rows}
    for table in data_map.read_map().tables:
        named = [*table.personal, *([table.subject] if table.subject else [])]
        assert {(table.name, column) for column in named} <= columns, table.name


def test_a_new_column_or_table_is_a_gap(db):
    before = set(data_map.read_map().gaps)
    with transaction("owner") as connection:
        connection.execute("ALTER TABLE store_profile ADD COLUMN nickname text")
        connection.execute("CREATE TABLE store_diary (id bigint, words text)")
        connection.execute("GRANT SELECT ON store_diary TO PUBLIC")
    after = set(data_map.read_map().gaps)
    assert after - before == {"store_diary", "store_profile.nickname"}


def test_every_file_of_the_folder_is_in_the_map(db, server):
    assert data_map.list_unknown_files() == []
    strange = server.data / "somewhere" / "else.txt"
    strange.parent.mkdir()
    strange.write_text("?")
    try:
        assert data_map.list_unknown_files() == ["somewhere/else.txt"]
    finally:
        strange.unlink()
        strange.parent.rmdir()


def test_the_command_tells_the_map(db):
    done = CliRunner().invoke(root, ["data-map", "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.output)
    assert {"tables", "files", "gaps"} <= told.keys()
    words = CliRunner().invoke(root, ["data-map"]).output
    assert "store_profile" in words
    assert "warehouse/**" in words
