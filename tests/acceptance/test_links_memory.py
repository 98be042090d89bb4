"""What a customer told, on her preference page: remembered, corrected, taken back."""

from datetime import UTC, datetime
from urllib.parse import quote

from tests.acceptance.test_links_http import ann, ask, point_token, post, source_id

from amity.edge.memory import Card, read_questions, read_told
from amity.store import api
from amity.store.contracts_claims import Memory
from amity.testing.edge import running_edge

__all__ = ["ann", "source_id"]
QUESTIONS = "shoe_size=Which size are your shoes?, email=Your address?"


def settle():
    while api.fold_batch().events + api.follow(now=datetime.now(UTC)):
        pass


def test_what_she_tells_is_remembered_corrected_and_forgotten(ann, monkeypatch):
    settle()
    monkeypatch.setenv("AMITY_PREFERENCE_QUESTIONS", QUESTIONS)
    with running_edge() as edge:
        page = f"{edge.url}/p/{point_token('preferences', ann, days=1)}"
        html = ask(page)[2].decode()
        assert "Which size are your shoes?" in html
        assert "Your address?" not in html, "what is known is not asked for"
        assert "You told us on" not in html
        html = post(page, action="remember", **{"told:shoe_size": quote("42 <b>")})[2].decode()
        assert 'value="42 &lt;b&gt;"' in html, "shown at once, and never as markup"
        assert "Which size" not in html
        settle()
        assert api.get_profile(profile_id=ann).traits["shoe_size"] == "42 <b>"
        [told] = api.list_memory(profile_id=ann)
        assert told.provenance == "preference centre"
        post(page, action="remember", **{"told:shoe_size": "41", "told:role": "admin"})
        settle()
        traits = api.get_profile(profile_id=ann).traits
        assert traits["shoe_size"] == "41"
        assert "role" not in traits, "only what the page shows can be told"
        ask(f"{page}?action=forget&trait=shoe_size")
        settle()
        assert api.get_profile(profile_id=ann).traits["shoe_size"] == "41", "a GET changes nothing"
        html = post(page, action="forget", trait="shoe_size")[2].decode()
        assert "It is forgotten" in html
        settle()
        assert "shoe_size" not in api.get_profile(profile_id=ann).traits
        assert "Which size" not in ask(page)[2].decode(), "never asked again"
        weak = f"{edge.url}/p/{point_token('unsubscribe', ann)}"
        assert post(weak, action="remember", **{"told:shoe_size": "40"})[0] == 404
        settle()
        assert api.list_memory(profile_id=ann) == []


def test_a_number_stays_a_number_and_what_is_unchanged_is_not_said_again():
    told = Memory(trait="size", value=42, at=datetime.now(UTC), source_id=1, provenance="")
    card = Card([told], read_questions(" pet = A pet? ,, colour"))
    assert card.questions == {"pet": "A pet?", "colour": "colour"}
    say = {"action": "remember"}
    assert read_told(say | {"told:size": " 43 ", "told:pet": ""}, card) == {"size": 43}
    assert read_told(say | {"told:size": "42"}, card) == {}
    assert read_told(say | {"told:size": "large", "told:pet": "a  cat"}, card) == {
        "size": "large",
        "pet": "a cat",
    }
    assert read_told({"action": "forget", "trait": "pet"}, card) == {}
    assert read_told({"action": "forget", "trait": "size"}, card) == {"size": None}
    assert read_told({"told:size": "1"}, card) == {}
