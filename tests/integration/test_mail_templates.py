"""Templates are kept as written, compiled when saved, and shown as a customer would get them."""

from datetime import UTC, datetime

import pytest

from amity.broadcast import api as broadcast
from amity.broadcast.logic.templates import keeping, making_data
from amity.infra.database import transaction
from amity.kernel.errors import Conflict, Invalid, NotFound

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
HTML = (
    '<p>Hi {{ customer.first_name }}</p><a href="{{ links.unsubscribe }}">Bye</a> '
    "{{ brand.postal_address }}"
)


def create(name="Hello", **fields):
    fields = {"subject": "Hi {{ customer.name }}", "source": HTML} | fields
    return broadcast.create_template(name=name, by="ann", now=NOW, **fields)


def add_customer(**values):
    row = {"name": "Søren Kierkegaard", "email": "soren@example.com", "traits": "{}"} | values
    with transaction() as connection:
        connection.execute(
            "INSERT INTO store_profile (id, name, email, traits, first_seen_at, last_seen_at, "
            "order_count, revenue_minor, version) VALUES (7, %s, %s, %s, now(), now(), 2, 1250, 1)",
            [row["name"], row["email"], row["traits"]],
        )
    return 7


def test_a_template_is_kept_with_its_text_part(db):
    made = create()
    assert broadcast.get_template(template_id=made.template_id) == made
    assert broadcast.list_templates() == [made]
    assert made.text.startswith("Hi {{ customer.first_name }}\n")
    assert "Bye ({{ links.unsubscribe }})" in made.text
    assert made.warnings == []
    assert made.message_class == "marketing"


def test_a_changed_message_is_a_new_content_and_an_unchanged_one_is_not(db):
    made = create()
    same = broadcast.update_template(
        template_id=made.template_id, name="Other", subject=made.subject, by="ann", now=NOW
    )
    assert (same.name, same.content_id) == ("Other", made.content_id)
    changed = broadcast.update_template(
        template_id=made.template_id, subject="New", by="ann", now=NOW
    )
    assert changed.content_id != made.content_id
    with transaction() as connection:
        old = keeping.load_contents(connection, [made.content_id])[made.content_id]
    assert old.subject == "Hi {{ customer.name }}"


def test_a_text_made_from_the_html_follows_it_and_a_written_one_stays(db):
    made = create()
    new = HTML.replace("Hi ", "Dear ")
    followed = broadcast.update_template(
        template_id=made.template_id, source=new, text=made.text, by="ann", now=NOW
    )
    assert followed.text.startswith("Dear {{ customer.first_name }}")
    own = broadcast.update_template(
        template_id=made.template_id,
        text="Mine. {{ links.unsubscribe }} {{ brand.postal_address }}",
        by="ann",
        now=NOW,
    )
    kept = broadcast.update_template(template_id=made.template_id, source=HTML, by="ann", now=NOW)
    assert kept.text == own.text
    again = broadcast.update_template(template_id=made.template_id, text="", by="ann", now=NOW)
    assert again.text == made.text


def test_names_are_taken_once_and_free_again_when_archived(db):
    made = create()
    with pytest.raises(Conflict, match="already"):
        create(name="HELLO")
    other = create(name="Other")
    with pytest.raises(Conflict, match="already"):
        broadcast.update_template(template_id=other.template_id, name="hello", by="ann", now=NOW)
    broadcast.archive_template(template_id=made.template_id, by="ann", now=NOW)
    assert create().template_id != made.template_id
    with pytest.raises(Conflict, match="archived"):
        broadcast.update_template(template_id=made.template_id, subject="x", by="ann", now=NOW)
    assert len(broadcast.list_templates()) == 2
    assert len(broadcast.list_templates(is_archived=True)) == 3


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"source": "a\n{{ b | evil }}"}, "HTML, line 2: there is no filter `evil`"),
        ({"source": "  "}, "empty"),
        ({"subject": "{% if %}"}, "subject, line 1"),
        ({"subject": " "}, "subject is empty"),
        ({"text": "{% include 'x' %}"}, "text, line 1: unexpected tag 'include'"),
        ({"source": "<mjml><mj-body><mj-foo/></mj-body></mjml>"}, "<mj-foo>"),
        ({"source": "<mjml>\n<mj-body>"}, "MJML: unexpected end"),
        ({"message_class": "spam"}, "spam"),
        ({"subject": "x" * 600}, "500"),
    ],
)
def test_what_cannot_be_sent_cannot_be_saved(db, fields, words):
    with pytest.raises(Invalid, match=words.replace("|", r"\|")):
        create(**fields)
    assert broadcast.list_templates() == []


def test_there_is_no_template_of_that_number(db):
    with pytest.raises(NotFound):
        broadcast.get_template(template_id=99)
    with pytest.raises(NotFound):
        broadcast.update_template(template_id=99, name="x", by="ann", now=NOW)
    with pytest.raises(NotFound):
        broadcast.archive_template(template_id=99, by="ann", now=NOW)


def test_marketing_always_says_how_to_unsubscribe_and_from_where_it_comes(db):
    bare = create(source="<html><body><p>Hi</p></body></html>", text="Hi")
    assert any("unsubscribe" in warning for warning in bare.warnings)
    shown = broadcast.render_content(content_id=bare.content_id, profile_id=add_customer(), now=NOW)
    assert "/u/v1." in shown.html
    assert "/u/v1." in shown.text
    assert "1 Market Street" in shown.html
    assert "1 Market Street" in shown.text
    assert shown.html.index("Unsubscribe") < shown.html.index("</body>")
    only_address = create(name="Address", source='<a href="{{ links.unsubscribe }}">x</a>', text="")
    assert any("postal address" in warning for warning in only_address.warnings)
    receipt = create(name="Receipt", source="<p>Paid</p>", message_class="transactional")
    assert receipt.warnings == []
    assert "unsubscribe" not in receipt.text.lower()


def test_warnings_name_what_nobody_has_and_what_is_too_large(db):
    made = create(
        source=HTML
        + "{{ customer.frist_name }}{{ custmer }}{{ customer.traits.x }}"
        + "<b>x</b>" * 14000
    )
    words = " ".join(made.warnings)
    assert "`customer.frist_name`" in words
    assert "`custmer`" in words
    assert "traits" not in words
    assert "102 kB" in words
    offers = create(name="R", source="{{ offers.size }}", message_class="transactional")
    assert "marketing" in offers.warnings[0]


def test_a_preview_shows_a_customer_or_a_made_up_one(db):
    shown = broadcast.preview_template(
        subject="{{ customer.last_name }} {{ customer.revenue | money: brand.currency }}",
        preheader="",
        source=HTML + "{{ customer.traits.city }}",
        text="",
        message_class="marketing",
        profile_id=add_customer(traits='{"city": "København <b>"}'),
        now=NOW,
    )
    assert shown.subject == "Kierkegaard $12.50"
    assert shown.to == "soren@example.com"
    assert "<p>Hi Søren</p>" in shown.html
    assert "København &lt;b&gt;" in shown.html
    assert shown.size_bytes > len(shown.html)
    sample = broadcast.preview_template(
        subject="{{ customer.name }}", source=HTML, profile_id=None, now=NOW
    )
    assert sample.subject == "Maria Rossi"
    wrong = broadcast.preview_template(subject="x", source="{% if %}", profile_id=None, now=NOW)
    assert "line 1" in wrong.problem
    failing = broadcast.preview_template(
        subject="x", source="{{ 1 | divided_by: 0 }}", profile_id=None, now=NOW
    )
    assert failing.problem
    with pytest.raises(NotFound):
        broadcast.preview_template(subject="x", source=HTML, profile_id=99, now=NOW)


def test_starters_can_be_saved_and_shown_without_a_warning(db):
    profile_id = add_customer(name="")
    starters = broadcast.list_starters()
    assert starters
    for starter in starters:
        made = create(
            name=starter.title,
            subject=starter.subject,
            preheader=starter.preheader,
            source=starter.source,
        )
        assert made.warnings == []
        shown = broadcast.render_content(content_id=made.content_id, profile_id=profile_id, now=NOW)
        assert shown.problem == ""
        assert "{{" not in shown.html
        assert "{%" not in shown.text


def test_every_variable_of_the_editor_is_one_the_lint_knows(db):
    for name in broadcast.list_variables():
        assert keeping.is_known(tuple(name.split(".")))
    assert set(making_data.SAMPLE["customer"]) == {
        name.partition(".")[2]
        for name in broadcast.list_variables()
        if name.startswith("customer.")
    }


def test_the_dkim_record_names_the_key_that_signs(db):
    name, record = broadcast.dkim_record()
    assert name == "amity1._domainkey.shop.example"
    assert record.startswith("v=DKIM1; k=rsa; p=MII")
    assert broadcast.dkim_record() == (name, record)
