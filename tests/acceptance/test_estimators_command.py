"""`amity estimate clv`: a file in, parameters and a row a customer out, no store anywhere."""

import csv
import importlib.metadata
import json
import os
import subprocess
import sys

import pytest

from amity.cli.main import main

COLUMNS = ("--customer", "customer", "--date", "date")
CDNOW = (*COLUMNS, "--amount", "amount", "--unit", "week", "--until", "1997-09-30")


@pytest.fixture(scope="module")
def cdnow(tmp_path_factory):
    """The CDNOW sample as a CSV file."""
    package = importlib.metadata.distribution("Lifetimes")
    text = package.locate_file("lifetimes/datasets/CDNOW_sample.txt").read_text()
    path = tmp_path_factory.mktemp("cdnow") / "cdnow.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("customer", "date", "cds", "amount"))
        for line in text.splitlines():
            _, customer, day, cds, amount = line.split()
            writer.writerow((customer, f"{day[:4]}-{day[4:6]}-{day[6:]}", cds, amount))
    return path


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run the command in an empty folder; its exit code, answer and complaint."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AMITY_DATA", str(tmp_path / "data"))

    def run(*arguments, name="clv"):
        with pytest.raises(SystemExit) as stop:
            main(["estimate", name, *map(str, arguments)])
        out, err = capsys.readouterr()
        assert not (tmp_path / "data").exists()
        return stop.value.code, out, err

    return run


def write(path, *lines, encoding="utf-8"):
    path.write_bytes("\n".join(lines).encode(encoding))
    return path


def shop(rows=200):
    """Rows of a small shop that BG/NBD can be fitted to."""
    for customer in range(rows):
        for place in range(1 + customer % 4):
            day = 1 + (customer * 7 + place * (customer % 11 + 3)) % 90
            yield f"c{customer},2024-{1 + day // 31:02}-{1 + day % 28:02},{10 + customer % 17}.50"


def test_cdnow_gives_the_published_parameters(run, cdnow, tmp_path):
    out = tmp_path / "customers.csv"
    code, text, _ = run(cdnow, *CDNOW, "--horizon", 39, "--json", "--out", out)
    assert code == 0
    found = json.loads(text)
    parameters = {name: round(value, 3) for name, value in found["parameters"].items()}
    assert [parameters[name] for name in ["r", "alpha", "a", "b"]] == [0.243, 4.414, 0.793, 2.426]
    assert [round(found["parameters"][name], 2) for name in "pqv"] == [6.25, 3.74, 15.45]
    assert round(found["log_likelihood"], 1) == -9582.4
    assert found["counts"] == {
        "rows": 6919,
        "used": 4960,
        "rejected": 0,
        "after_until": 1959,
        "customers": 2357,
        "repeaters": 946,
        "transactions": 4814,
    }
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2357
    assert list(rows[0])[:7] == [
        "customer",
        "frequency",
        "recency",
        "T",
        "probability_alive",
        "expected_purchases",
        "expected_value",
    ]
    first = rows[0]
    assert (first["customer"], first["frequency"]) == ("0001", "2")
    assert float(first["expected_purchases"]) == pytest.approx(1.226, abs=5e-4)
    for column, total in (("purchases", "purchases"), ("value", "value")):
        told = sum(float(row[f"expected_{column}"]) for row in rows)
        assert told == pytest.approx(found[f"expected_{total}"], rel=1e-6)


def test_people_get_the_same_in_words(run, cdnow):
    code, text, _ = run(cdnow, *CDNOW)
    assert code == 0
    for part in ("-9582.4", "0.2426", "4.4136", "2,357", "13 weeks after 1997-09-30"):
        assert part in text


def test_without_amounts_there_are_no_values(run, cdnow, tmp_path):
    out = tmp_path / "out.csv"
    code, text, _ = run(cdnow, *COLUMNS, "--json", "--out", out)
    found = json.loads(text)
    assert code == 0
    assert found["expected_value"] is None
    assert set(found["parameters"]) == {"r", "alpha", "a", "b"}
    assert found["until"] == "1998-06-30"
    with out.open(newline="") as file:
        assert next(csv.DictReader(file))["expected_value"] == ""


def test_a_wrong_column_names_those_there_are(run, cdnow):
    code, _, err = run(cdnow, "--customer", "who", "--date", "date")
    assert code == 1
    assert "'who'" in err
    assert "'customer', 'date', 'cds', 'amount'" in err


def test_bad_rows_are_numbered_and_good_rows_used(run, tmp_path):
    bad = {
        "x,not a date,5": "date is 'not a date'",
        "x,2024-02-31,5": "date is '2024-02-31'",
        ",2024-01-01,5": "names no customer",
        "x,2024-01-01,-5": "a refund is not a purchase",
        "x,2024-01-01,five": "amount is 'five'",
        "x,2024-01-01,1_0": "amount is '1_0'",
        "x,2024-01-01,NaN": "amount is 'NaN'",
        "x,2024-01-01,": "amount is nothing",
        "x,2024-01-01": "it has 2 cells",
        "x,2024-01-01,99999999999": "too large",
    }
    good = list(shop())
    path = write(tmp_path / "shop.csv", "customer,date,amount", good[0], *bad, *good[1:])
    code, text, _ = run(path, *COLUMNS, "--amount", "amount", "--json")
    found = json.loads(text)
    assert code == 0
    assert found["counts"]["rows"] == len(good) + len(bad)
    assert found["counts"]["used"] == len(good)
    assert [entry["row"] for entry in found["rejected"]] == list(range(2, 2 + len(bad)))
    assert [entry["line"] for entry in found["rejected"]] == list(range(3, 3 + len(bad)))
    for entry, reason in zip(found["rejected"], bad.values(), strict=True):
        assert reason in entry["reason"]


def test_bytes_that_are_no_text_spoil_only_their_row(run, tmp_path):
    path = tmp_path / "shop.csv"
    rows = [row.encode() for row in shop()]
    path.write_bytes(b"\n".join([b"customer,date,amount", b"caf\xe9,2024-01-01,5", *rows]))
    code, text, _ = run(path, *COLUMNS, "--json")
    found = json.loads(text)
    assert code == 0
    assert found["counts"]["rejected"] == 1
    assert "not UTF-8" in found["rejected"][0]["reason"]


@pytest.mark.parametrize(("separator", "mark"), [(";", ""), ("\t", ""), (",", "\ufeff")])
def test_spreadsheets_ways_of_writing_csv_are_read(run, tmp_path, separator, mark):
    rows = [row.replace(",", separator) for row in shop()]
    head = mark + separator.join(("customer", "date", "amount"))
    code, text, _ = run(write(tmp_path / "shop.csv", head, *rows), *COLUMNS, "--json")
    assert code == 0
    assert json.loads(text)["counts"]["used"] == len(rows)


@pytest.mark.parametrize("text", ["", "customer,date", "customer,date\n\n"])
def test_a_file_with_nothing_in_it_says_so(run, tmp_path, text):
    path = tmp_path / "nothing.csv"
    path.write_text(text)
    code, _, err = run(path, *COLUMNS)
    assert code == (3 if text else 1)
    assert "nothing.csv" in err


def test_too_little_says_why_and_what_was_rejected(run, tmp_path):
    path = write(tmp_path / "few.csv", "customer,date", "a,2024-01-01", "b,soon")
    code, _, err = run(path, *COLUMNS, "--json")
    failure = json.loads(err)
    assert code == 3
    assert failure["code"] == "data_cannot_carry"
    assert "30 customers, there are 1" in failure["message"]
    assert "row 2" in failure["message"]


def test_a_file_that_is_not_there_says_so(run, tmp_path):
    code, _, err = run(tmp_path / "no.csv", *COLUMNS)
    assert code == 1
    assert "no.csv" in err


def test_the_file_read_is_never_written_over(run, tmp_path):
    path = write(tmp_path / "shop.csv", "customer,date,amount", *shop())
    before = path.read_bytes()
    code, _, err = run(path, *COLUMNS, "--out", path)
    assert code == 1
    assert "file to read" in err
    assert path.read_bytes() == before


def test_what_was_there_stays_when_writing_fails(run, tmp_path, monkeypatch):
    path = write(tmp_path / "shop.csv", "customer,date,amount", *shop())
    out = write(tmp_path / "out.csv", "old")
    monkeypatch.setattr("amity.analysis.logic.files.writing.guard_cell", _fail)
    code, _, err = run(path, *COLUMNS, "--out", out)
    assert code == 1
    assert "No space left" in err
    assert out.read_text() == "old"
    assert sorted(item.name for item in tmp_path.iterdir()) == ["out.csv", "shop.csv"]


def _fail(text):
    raise OSError(28, "No space left on device", "out.csv")


@pytest.mark.parametrize("horizon", ["0", "-3", "nan", "1e9"])
def test_a_horizon_without_sense_is_refused(run, cdnow, horizon):
    code, _, err = run(cdnow, *COLUMNS, "--horizon", horizon)
    assert code == 1
    assert "horizon" in err


def test_names_that_look_like_formulas_are_defused(run, tmp_path):
    rows = [row.replace("c1,", "=cmd|calc,") for row in shop()]
    out = tmp_path / "out.csv"
    path = write(tmp_path / "shop.csv", "customer,date,amount", *rows)
    assert run(path, *COLUMNS, "--out", out)[0] == 0
    with out.open(newline="") as file:
        names = [row["customer"] for row in csv.DictReader(file)]
    assert "'=cmd|calc" in names
    assert "=cmd|calc" not in names


def test_the_other_models_of_lifetimes_give_the_published_parameters(run, cdnow, tmp_path):
    code, text, _ = run(cdnow, *CDNOW[:4], *CDNOW[6:], "--json", name="pareto-nbd")
    found = json.loads(text)
    assert code == 0
    parameters = [round(found["parameters"][name], 3) for name in ("r", "alpha", "s", "beta")]
    assert parameters == [0.553, 10.578, 0.606, 11.669]
    assert sum(group["customers"] for group in found["calibration"]["groups"]) == 2357
    package = importlib.metadata.distribution("Lifetimes")
    donors = package.locate_file("lifetimes/datasets/donations.csv")
    columns = ("--frequency", "frequency", "--recency", "recency", "--periods", "periods")
    code, text, _ = run(donors, *columns, "--count", "weights", "--json", name="bgbb")
    found = json.loads(text)
    assert code == 0
    assert found["counts"]["customers"] == 11104
    names = ("alpha", "beta", "gamma", "delta")
    assert [round(found["parameters"][name], 3) for name in names] == [1.204, 0.75, 0.657, 2.783]


def test_contracts_are_projected_as_in_the_paper(run, tmp_path):
    survivors = (1000, 869, 743, 653, 593, 551, 517, 491)
    rows = [f"{year},1,{survivors[year] - survivors[year + 1]}" for year in range(7)]
    path = write(tmp_path / "high.csv", "renewed,left,n", *rows, f"7,0,{survivors[7]}")
    options = ("--renewed", "renewed", "--left", "left", "--count", "n", "--period", "year")
    code, text, _ = run(path, *options, "--horizon", 5, "--json", name="sbg")
    found = json.loads(text)
    assert code == 0
    assert [round(found["parameters"][name], 3) for name in ("alpha", "beta")] == [0.668, 3.806]
    # What the paper's table of the years after says of its High End customers: 39.4 % after 12.
    shares = [row["survival"] for row in found["result"]["curve"]]
    assert shares[11] == pytest.approx(0.394, abs=0.02)


@pytest.mark.parametrize("name", ["clv", "pareto-nbd", "bgbb", "churn", "next-purchase"])
def test_a_dozen_customers_are_refused_with_a_code_of_their_own(run, tmp_path, name):
    path = write(tmp_path / "few.csv", "customer,date,amount", *shop(12))
    code, text, err = run(path, *COLUMNS, "--json", name=name)
    assert code == 3
    assert json.loads(err)["code"] == "data_cannot_carry"
    told = json.loads(text)
    assert told["estimate"] == name
    assert "30 customers, there are 12" in told["refused"]
    code, text, err = run(path, *COLUMNS, name=name)
    assert (code, text) == (3, "")
    assert "there are 12" in err


def test_what_makes_no_sense_is_said_before_anything_is_read(run, cdnow):
    code, _, err = run(cdnow, *COLUMNS, "--margin-rate", "1.5")
    assert code == 1
    assert "`--margin-rate` is 1.5; it must be 0 or more and 1 or less" in err
    code, _, err = run(cdnow, "--customer", "customer")
    assert code == 2
    assert "--date" in err


def test_utf_16_of_spreadsheets_is_read(run, tmp_path):
    path = write(tmp_path / "shop.csv", "customer\tdate", *_tabs(), encoding="utf-16")
    code, text, _ = run(path, *COLUMNS, "--json")
    assert code == 0
    assert json.loads(text)["counts"]["rejected"] == 0


def _tabs():
    return [row.replace(",", "\t") for row in shop()]


def test_it_runs_where_there_is_nothing(cdnow, tmp_path):
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "amity.cli", "estimate", "clv", cdnow, *CDNOW, "--json"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["counts"]["customers"] == 2357
    assert list(tmp_path.iterdir()) == []
