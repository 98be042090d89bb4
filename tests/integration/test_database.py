"""The embedded server, its roles and its schema."""

import psycopg
import pytest

from amity.infra import database


def test_server_is_safe_and_roles_are_apart(db_as_delivered):
    assert database.find_unsafe_settings() == []
    with database.transaction() as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("amity_app",)
        assert connection.execute(
            "SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user"
        ).fetchone() == (False, False)
    with database.transaction("readonly") as connection:
        assert connection.execute("SELECT count(*) FROM store_profile").fetchone() == (0,)
    with pytest.raises(psycopg.errors.InsufficientPrivilege), database.transaction("readonly") as c:
        c.execute("SELECT * FROM staff_staff")
    with pytest.raises(psycopg.errors.InsufficientPrivilege), database.transaction() as c:
        c.execute("UPDATE store_event_log SET body = ''")
    with pytest.raises(psycopg.errors.InsufficientPrivilege), database.transaction() as c:
        c.execute("CREATE TABLE intruder (i int)")
