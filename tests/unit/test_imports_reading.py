"""Files as the world writes them, and what their cells mean."""

import pytest

from amity.kernel.errors import Invalid
from amity.store.connector import BadRow, Row, find_connector
from amity.store.logic.importing.files import iter_rows, read_layout
from amity.store.logic.importing.mapping import check_mapping, guess_mapping
from amity.store.logic.importing.values import read_amount, read_free, read_instant


def read(tmp_path, content: bytes):
    path = tmp_path / "file.csv"
    path.write_bytes(content)
    layout = read_layout(path)
    return layout, [row.cells for row in iter_rows(path, layout)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_encodings_are_found(tmp_path, encoding):
    text = "Name,City\nJosé,Liège\nZoë,Münster\n"
    layout, rows = read(tmp_path, text.encode(encoding))
    assert layout.columns == ["Name", "City"]
    assert rows == [["José", "Liège"], ["Zoë", "Münster"]]
    assert bool(layout.notes) == (encoding == "cp1252")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_are_found(tmp_path, delimiter):
    lines = [["id", "note"], ["1", "a, b; c | d"], ["2", "plain"]]
    content = "\r\n".join(delimiter.join(f'"{c}"' for c in line) for line in lines)
    layout, rows = read(tmp_path, content.encode())
    assert layout.delimiter == delimiter
    assert rows == lines[1:]


def test_a_cell_may_span_lines_and_blank_lines_are_no_rows(tmp_path):
    _, rows = read(tmp_path, b'a,b\n\n"1\n2",x\n,\n3,y\n\n')
    assert rows == [["1\n2", "x"], ["3", "y"]]


def test_rows_of_another_width_say_so_and_the_others_are_read(tmp_path):
    path = tmp_path / "file.csv"
    path.write_text("a,b\n1,2\n1\n1,2,3\n1,2,\n")
    rows = list(iter_rows(path, read_layout(path)))
    assert [(row.number, row.problem) for row in rows] == [
        (1, ""),
        (2, "it has 1 cells, and there are 2 headings"),
        (3, "it has 3 cells, and there are 2 headings"),
        (4, ""),
    ]


def test_a_missing_quote_is_one_bad_row(tmp_path):
    path = tmp_path / "file.csv"
    path.write_text('a,b\n1,2\n3,"' + "x" * 140_000 + "\n5,6\n")
    rows = list(iter_rows(path, read_layout(path)))
    assert rows[0].cells == ["1", "2"]
    assert "is a quote missing" in rows[1].problem


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b"a,a\n1,2\n", "more than one column is called 'a'"),
        (b"a,,b\n1,2,3\n", "column 2 has no heading"),
        (b",".join(b"c%d" % n for n in range(2000)), "2000 columns"),
    ],
)
def test_files_that_are_no_tables_are_refused(tmp_path, content, words):
    with pytest.raises(Invalid, match=words):
        read(tmp_path, content)


def test_binary_rubbish_does_not_crash_the_reader(tmp_path):
    layout, rows = read(tmp_path, b"a,b\n" + bytes(range(256)) * 20)
    assert layout.encoding == "cp1252"
    assert all(len(row) in {0, 2} for row in rows)


def test_the_formula_guard_is_taken_off(tmp_path):
    _, rows = read(tmp_path, b"phone,note\n'+12025550101,'=1+1\n'quoted,it's\n")
    assert rows == [["+12025550101", "=1+1"], ["'quoted", "it's"]]


def test_headings_are_guessed_and_each_field_is_taken_once():
    kind = find_connector("customers")
    mapping = guess_mapping(
        kind, ["CustomerID", "E-Mail Address", "Surname", "Loyalty Points", "Card No"]
    )
    assert (
        mapping
        == {
            "CustomerID": "trait.customer_id",
            "E-Mail Address": "email",
            "Surname": "last_name",
            "Loyalty Points": "trait.loyalty_points",
            "Card No": "user_id",
        }
        or mapping["CustomerID"] == "user_id"
    )
    assert list(mapping.values()).count("user_id") == 1


def test_a_wrong_mapping_is_told_with_what_is_there():
    kind = find_connector("orders")
    columns = ["Order", "Customr", "When"]
    mapping = {"Order": "order_id", "Customer": "user_id", "When": "orderd_at", "Customr": ""}
    problems = check_mapping(kind, columns, mapping)
    text = " ".join(problems)
    assert "There is no column 'Customer' (is it 'Customr'?)" in text
    assert "'orderd_at' is nothing a column of orders can be" in text
    assert "No column is mapped to Ordered at ('ordered_at'), which is needed" in text
    assert "One of Customer id ('user_id'), E-mail ('email') is needed" in text
    assert "'Order', 'Customr', 'When'" in text


def test_two_columns_may_not_be_one_field():
    kind = find_connector("customers")
    mapping = {"a": "user_id", "b": "user_id"}
    assert check_mapping(kind, ["a", "b"], mapping) == [
        "More than one column is mapped to 'user_id': 'a', 'b'."
    ]


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-01-31", "2026-01-31T00:00:00Z"),
        ("2026-01-31 18:30", "2026-01-31T18:30:00Z"),
        ("2026-01-31T18:30:00+02:00", "2026-01-31T16:30:00Z"),
        ("2026-01-31 18:30:00 +0200", "2026-01-31T16:30:00Z"),
        ("2026-01-31 18:30:00 UTC", "2026-01-31T18:30:00Z"),
        ("2026/01/31 18:30", "2026-01-31T18:30:00Z"),
        ("2026.01.31", "2026-01-31T00:00:00Z"),
        ("1769884200", "2026-01-31T18:30:00Z"),
        ("1769884200500", "2026-01-31T18:30:00.500000Z"),
    ],
)
def test_times_are_read(text, instant):
    assert read_instant(Row(1, {"at": text}), "at") == instant


@pytest.mark.parametrize("text", ["31/01/2026", "yesterday", "2026-13-01", "2026-02-30", "12"])
def test_times_that_could_be_anything_are_refused(text):
    with pytest.raises(BadRow, match="is not a time"):
        read_instant(Row(1, {"at": text}), "at")


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("12", 12.0),
        ("-12.50", -12.5),
        ("12,5", 12.5),
        ("1,234.50", 1234.5),
        ("1.234,50", 1234.5),
        ("1 234.50", 1234.5),
        ("$1,234.50", 1234.5),
        ("9,90 €", 9.9),
        ("1,234,567", 1234567.0),
        ("0.001", 0.001),
    ],
)
def test_amounts_are_read(text, amount):
    # 0.001 has one reading only: nobody groups thousands after a zero.
    assert read_amount(Row(1, {"x": text}), "x") == amount


@pytest.mark.parametrize("text", ["abc", "1e5", "NaN", "1.2.3", "--1", "1,23,4"])
def test_what_is_no_number_is_refused(text):
    with pytest.raises(BadRow, match="is not a number"):
        read_amount(Row(1, {"x": text}), "x")


def test_an_amount_with_two_readings_is_refused():
    with pytest.raises(BadRow, match="two ways"):
        read_amount(Row(1, {"x": "1,234"}), "x")


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("size", "42", 42),
        ("size", "42.5", 42.5),
        ("size", "007", "007"),
        ("size", "+1", "+1"),
        ("size", "1e5", "1e5"),
        ("vip", "true", True),
        ("vip", "yes", "yes"),
        ("postcode", "3165", "3165"),
        ("store_id", "330", "330"),
        ("width", "3", 3),
    ],
)
def test_free_columns_keep_what_they_say(name, text, value):
    assert read_free(name, text) == value


def event_of(connector, **cells):
    return find_connector(connector)(currency="EUR").make_messages([Row(1, cells)])[0]


def test_a_customer_without_an_id_is_known_by_what_joins_her():
    event = event_of("customers", email="Ada@Example.com", **{"trait.points": "12"})
    again = event_of("customers", email="ada@example.com")
    assert event["traits"] == {"email": "Ada@Example.com", "points": 12}
    assert event["anonymousId"] == again["anonymousId"]


def test_order_lines_become_one_order_with_its_total():
    orders = find_connector("orders")(currency="EUR")
    base = {"order_id": "o-1", "user_id": "c-1", "ordered_at": "2026-01-03"}
    lines = [
        Row(1, base | {"product_name": "Tea", "quantity": "2", "price": "3,50", "discount": "1"}),
        Row(2, base | {"product_name": "Cup", "price": "9", "property.gift": "true"}),
    ]
    event = orders.make_messages(lines)[0]
    assert event["properties"] == {
        "order_id": "o-1",
        "total": 15,
        "currency": "EUR",
        "discount": 1,
        "products": [
            {"name": "Tea", "price": 3.5, "quantity": 2},
            {"gift": True, "name": "Cup", "price": 9, "quantity": 1},
        ],
    }


def test_lines_that_contradict_each_other_are_refused_by_name():
    orders = find_connector("orders")(currency="EUR")
    base = {"order_id": "o-1", "ordered_at": "2026-01-03", "price": "1"}
    with pytest.raises(BadRow, match="'user_id' is 'c-2' here and 'c-1' in row 1"):
        orders.make_messages([Row(1, base | {"user_id": "c-1"}), Row(2, base | {"user_id": "c-2"})])


def test_an_events_row_with_broken_properties_is_refused():
    with pytest.raises(BadRow, match="not a JSON object"):
        event_of("events", event="X", occurred_at="2026-01-01", user_id="1", properties="[1]")


def test_consent_columns_become_an_event_of_their_own():
    customers = find_connector("customers")(currency="EUR")
    cells = {"user_id": "c-1", "email_consent": "Yes", "sms_consent": "no"}
    identify, consent = customers.make_messages([Row(1, cells)])
    assert identify["type"] == "identify"
    assert consent["event"] == "Segment Consent Preference Updated"
    assert consent["properties"] == {
        "categoryPreferences": {"marketing.email": True, "marketing.sms": False},
        "method": "import",
    }
