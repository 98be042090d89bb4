"""A database that takes connections and never says a word."""

import asyncio
import socket
import time
from pathlib import Path

import psycopg
import pytest

from amity.kernel.errors import Unavailable
from amity.store.logic.intake import watch as admission_watch
from amity.store.logic.intake.watch import Limits, Watch

STRANGERS = 8
ASK_SECONDS = 0.4


@pytest.fixture
def silent(tmp_path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / ".s.PGSQL.5432"))
        listener.listen(64)
        yield psycopg.conninfo.make_conninfo(host=str(tmp_path), port=5432, user="x", dbname="x")


def test_strangers_do_not_wait_for_it_one_after_the_other(silent, monkeypatch):
    monkeypatch.setattr(admission_watch, "_ASK_SECONDS", ASK_SECONDS)

    async def ask_at_once():
        watch = Watch(silent, Limits(Path("/"), 0, 60))
        asked = [watch.find_source(f"key-{number}") for number in range(STRANGERS)]
        return await asyncio.gather(*asked, return_exceptions=True)

    began = time.monotonic()
    answers = asyncio.run(ask_at_once())
    assert [type(answer) for answer in answers] == [Unavailable] * STRANGERS
    assert ASK_SECONDS <= time.monotonic() - began < ASK_SECONDS * STRANGERS / 2
