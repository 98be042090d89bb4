"""Tokens: whatever is done to one, it is accepted only as it was made (card T20)."""

import base64
import os
import random
import string
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from amity.infra import config, crypto, tokens
from amity.kernel.errors import Invalid

NOW = datetime(2026, 3, 1, tzinfo=UTC)
MUTATED = 20_000
PURPOSES = ("unsubscribe", "preferences", "undo", "click", "open", "bounce", "confirm")
LETTERS = string.ascii_letters + string.digits + "-_.=+/ %\n\0é\ud800"
CONTENT = [1234567, "email", "00112233445566778899aabbccddeeff", "marketing.email", "ab" * 16]


@pytest.fixture(scope="module", autouse=True)
def installation(tmp_path_factory):
    with config.override(data=tmp_path_factory.mktemp("one")):
        yield


def flip_bit(token, rng):
    at, bit = rng.randrange(len(token)), 1 << rng.randrange(8)
    return token[:at] + chr(ord(token[at]) ^ bit) + token[at + 1 :]


def flip_bit_inside(token, rng):
    """Flip a bit of what the text stands for, not of the text."""
    parts = token.split(".")
    which = rng.choice([2, 3])
    raw = bytearray(base64.urlsafe_b64decode(parts[which] + "=" * (-len(parts[which]) % 4)))
    raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
    parts[which] = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    return ".".join(parts)


def replace(token, rng):
    at = rng.randrange(len(token))
    return token[:at] + rng.choice(LETTERS) + token[at + 1 :]


def extend(token, rng):
    at = rng.randrange(len(token) + 1)
    return token[:at] + rng.choice(LETTERS) * rng.choice([1, 1, 2, 9, 5000]) + token[at:]


def truncate(token, rng):
    return token[: rng.randrange(len(token))]


def drop(token, rng):
    at = rng.randrange(len(token))
    return token[:at] + token[at + 1 :]


def change_key(token, rng):
    parts = token.split(".")
    parts[1] = rng.choice(["", "0", "2", "01", "-1", "1 ", "None", "１"])
    return ".".join(parts)


def graft(token, rng):
    """Carry something else under the tag of this one."""
    mine = tokens.sign("unsubscribe", [rng.randrange(10**9), *CONTENT[1:]])
    return mine.rpartition(".")[0] + "." + token.rpartition(".")[2]


CHANGES = [flip_bit, flip_bit_inside, replace, extend, truncate, drop, change_key, graft]


def test_no_changed_token_is_accepted():
    rng = random.Random(20)
    token = tokens.sign("unsubscribe", CONTENT)
    tried = 0
    while tried < MUTATED:
        mutated = CHANGES[tried % len(CHANGES)](token, rng)
        if rng.random() < 0.2:
            mutated = rng.choice([replace, extend])(mutated or token, rng)
        if mutated == token:
            continue
        tried += 1
        assert tokens.open_token("unsubscribe", mutated, now=NOW) is None, repr(mutated)
    assert tokens.read("unsubscribe", token, now=NOW) == CONTENT


def test_who_signs_many_makes_the_same_tokens():
    for purpose in PURPOSES:
        make = tokens.signer(purpose)
        assert make(CONTENT) == tokens.sign(purpose, CONTENT)
        until = NOW + timedelta(days=30)
        assert make(CONTENT, int(until.timestamp())) == tokens.sign(
            purpose, CONTENT, expires_at=until
        )


def test_every_single_bit_counts():
    token = tokens.sign("click", CONTENT)
    for at in range(len(token)):
        for bit in range(8):
            mutated = token[:at] + chr(ord(token[at]) ^ (1 << bit)) + token[at + 1 :]
            assert tokens.read("click", mutated, now=NOW) is None


def test_a_token_is_for_one_purpose():
    for made in PURPOSES:
        token = tokens.sign(made, CONTENT)
        for asked in PURPOSES:
            assert (tokens.read(asked, token, now=NOW) is not None) is (made == asked)


def test_what_a_token_carries_is_of_the_kind_asked_for():
    token = tokens.sign("open", [7, "ab"])
    assert tokens.read("open", token, tuple[int, str], now=NOW) == (7, "ab")
    assert tokens.read("open", token, tuple[int, int], now=NOW) is None


def test_a_token_ends_when_it_says():
    token = tokens.sign("preferences", CONTENT, expires_at=NOW + timedelta(days=30))
    assert tokens.read("preferences", token, now=NOW + timedelta(days=30)) == CONTENT
    late = NOW + timedelta(days=30, seconds=1)
    assert tokens.read("preferences", token, now=late) is None
    opened = tokens.open_token("preferences", token, now=late)
    assert opened == tokens.Opened(CONTENT, is_late=True)
    never = tokens.sign("unsubscribe", CONTENT)
    assert tokens.read("unsubscribe", never, now=NOW + timedelta(days=36500)) == CONTENT


def test_a_token_of_another_installation_is_void(tmp_path):
    token = tokens.sign("unsubscribe", CONTENT)
    with config.override(data=tmp_path):
        assert tokens.read("unsubscribe", token, now=NOW) is None
        assert crypto.installation_secrets().pepper


def test_keys_are_changed_with_overlap_until_one_is_taken_away(tmp_path):
    with config.override(data=tmp_path):
        made = [tokens.sign("unsubscribe", CONTENT)]
        for expected in ("2", "3"):
            assert tokens.rotate_key() == expected
            made.append(tokens.sign("unsubscribe", CONTENT))
        assert [token.split(".")[1] for token in made] == ["1", "2", "3"]
        assert len(set(made)) == 3
        assert all(tokens.read("unsubscribe", token, now=NOW) == CONTENT for token in made)
        path = tmp_path / "link_keys.json"
        assert path.stat().st_mode & 0o777 == 0o600
        keys = msgspec.json.decode(path.read_bytes())
        del keys["2"]
        path.write_bytes(msgspec.json.encode(keys))
        believed = [tokens.read("unsubscribe", token, now=NOW) is not None for token in made]
        assert believed == [True, False, True]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act for somebody else")
def test_a_key_that_root_made_can_be_read_by_whom_the_folder_belongs_to(tmp_path):
    with config.override(data=tmp_path):
        tokens.sign("unsubscribe", CONTENT)
        os.chown(tmp_path, 65534, 65534)
        tokens.rotate_key()
        found = tokens.key_file().stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (65534, 65534, 0o600)


def test_what_is_too_long_to_be_read_is_not_signed():
    with pytest.raises(Invalid):
        tokens.sign("click", [1, "", 1, "https://shop.example/" + "a" * 4000, "", ""])
    fits = tokens.sign("click", [1, "", 1, "https://shop.example/" + "a" * 2900, "", ""])
    assert tokens.read("click", fits, now=NOW)[0] == 1
