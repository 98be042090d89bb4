"""Reading the demo's data sets, on tiny files in their shape; and doing without them."""

import gzip
from datetime import date, datetime

import duckdb
import pytest

from amity.cli.demo.journey import Journey
from amity.cli.demo.packages import DataFiles, NoPackages, fetch_packages
from amity.cli.demo.people import assign_people, list_registrations, traits_of

TABLES = {
    "transactions": """
        SELECT * FROM (VALUES
            (10, 330, 7001, 1, 2, 5.0, 0.5, 0.0, 0.0, 1, TIMESTAMP '2017-03-01 20:00:00'),
            (10, 330, 7001, 2, 1, 1.5, 0.0, 0.4, 0.0, 1, TIMESTAMP '2017-03-01 20:00:00'),
            (10, 330, 7002, 3, 0, 0.0, 0.0, 1.0, 0.0, 1, TIMESTAMP '2017-06-01 03:00:00'),
            (11, 331, 7003, 1, 1, 2.5, 0.0, 0.0, 0.0, 1, TIMESTAMP '2018-01-01 04:00:00'),
            (20, 331, 7004, 1, 1, 2.5, 0.0, 0.0, 0.0, 1, TIMESTAMP '2018-01-01 04:01:00'))
        t(household_id, store_id, basket_id, product_id, quantity, sales_value, retail_disc,
          coupon_disc, coupon_match_disc, week, transaction_timestamp)""",
    "products": """
        SELECT * FROM (VALUES (1, 69, 'GROCERY', 'Private', 'BREAD', 'ROLLS', '4 OZ'),
                              (2, 2, 'GROCERY', 'National', 'MILK', 'FLUID MILK', NULL))
        t(product_id, manufacturer_id, department, brand, product_category, product_type,
          package_size)""",
    "demographics": """
        SELECT 10 AS household_id, '35-44' AS age, NULL AS income, 'Renter' AS home_ownership,
               'Married' AS marital_status, '5+' AS household_size,
               '2 Adults Kids' AS household_comp, '3+' AS kids_count""",
    "campaigns": "SELECT * FROM (VALUES (1, 10), (1, 11)) t(campaign_id, household_id)",
    "campaign_descriptions": """
        SELECT 1 AS campaign_id, 'Type A' AS campaign_type, TIMESTAMP '2017-02-20' AS start_date,
               TIMESTAMP '2017-04-01' AS end_date""",
    "coupons": """
        SELECT * FROM (VALUES (900, 1, 1), (900, 2, 1), (901, 1, 1))
        t(coupon_upc, product_id, campaign_id)""",
    "coupon_redemptions": """
        SELECT * FROM (VALUES (10, 900, 1, TIMESTAMP '2017-03-01'),
                              (10, 900, 1, TIMESTAMP '2017-03-05'))
        t(household_id, coupon_upc, campaign_id, redemption_date)""",
}
CLICKS = (
    "user_id,session_id,event,timestamp,platform,acquisition_channel,user_cohort,user_lifecycle\n"
    "u2,s2,catalog,2024-06-29 22:00:00,mobile,email,2024-01,new\n"
    "u1,s1,home,2024-01-04 11:45:38,desktop,organic,2024-01,new\n"
)
PEOPLE = (
    "rec_id, given_name, surname, street_number, address_1, address_2, suburb, postcode, state,"
    " date_of_birth, soc_sec_id\n"
    "rec-0-org, jinni, dreyer, 11, were street, , south melbourne, 3172, nsw, 19420127, 1\n"
    "rec-0-dup-0, jinny, , 11, were street, , , 3172, nsw, 19081320, 1\n"
)


@pytest.fixture
def files(tmp_path):
    paths = {}
    for name, query in TABLES.items():
        paths[name] = tmp_path / f"{name}.parquet"
        duckdb.sql(f"COPY ({query}) TO '{paths[name]}' (FORMAT parquet)")
    paths["clicks"] = tmp_path / "clicks.csv.gz"
    paths["clicks"].write_bytes(gzip.compress(CLICKS.encode()))
    paths["people"] = tmp_path / "people.csv"
    paths["people"].write_text(PEOPLE)
    return DataFiles(tmp_path, paths)


def test_every_tenth_household_is_read_with_the_shops_clock(files):
    data = Journey(files, full=False)
    assert (data.last_day, data.last_click_day) == (date(2017, 12, 31), date(2024, 6, 29))
    assert data.count_baskets() == (3, 4)
    first, second, third = data.iter_baskets()
    assert (first.basket_id, first.at) == (7001, datetime(2017, 3, 1, 15))
    assert [line.kind for line in first.lines] == ["ROLLS", "FLUID MILK"]
    assert (second.at, second.lines[0].kind) == (datetime(2017, 5, 31, 22), None)
    assert third.at == datetime(2017, 12, 31, 23, 1)
    assert [household.household_id for household in data.households()] == [10, 20]
    assert data.households()[0].traits == {
        "age_group": "35-44",
        "home": "Renter",
        "marital_status": "Married",
        "household_size": "5+",
        "household": "2 Adults Kids",
        "children": "3+",
    }


def test_all_households_are_read_in_full(files):
    data = Journey(files, full=True)
    assert data.count_baskets() == (4, 5)
    assert len(data.mailings()) == 2


def test_a_redemption_finds_its_basket_when_only_one_can_be_meant(files):
    data = Journey(files, full=False)
    (mailing,) = data.mailings()
    assert (mailing.household_id, mailing.kind, mailing.coupons) == (10, "Type A", 2)
    with_basket, without = data.redemptions()
    assert (with_basket.basket_id, with_basket.at) == (7001, datetime(2017, 3, 1, 15))
    assert (without.basket_id, without.at) == (None, datetime(2017, 3, 5, 12))
    assert (with_basket.number, without.number) == (1, 2)


def test_clicks_are_in_order_and_people_keep_their_mistakes(files):
    data = Journey(files, full=False)
    assert [(click.number, click.visitor) for click in data.clicks()] == [(0, "u1"), (1, "u2")]
    original, copy = data.records()
    assert traits_of(original) == {
        "firstName": "Jinni",
        "lastName": "Dreyer",
        "address": {
            "street": "11 Were Street",
            "city": "South Melbourne",
            "state": "NSW",
            "postalCode": "3172",
        },
        "birthday": "1942-01-27",
    }
    assert "birthday" not in traits_of(copy)
    holders = assign_people(data)
    assert sum(holder.record is not None for holder in holders) <= 1
    assert len(list_registrations(data, holders)) == sum(h.record is not None for h in holders)


def test_only_the_data_folder_can_be_read(files, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "x.csv"
    outside.write_text("a\n1\n")
    data = Journey(files, full=False)
    with pytest.raises(duckdb.PermissionException):
        data._rows(f"SELECT * FROM read_csv('{outside}')")
    with pytest.raises(duckdb.Error):
        data._rows("SET enable_external_access = true")


def test_without_an_index_there_are_no_packages_and_it_says_why(tmp_path, monkeypatch):
    for name in ("PIP_FIND_LINKS", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(NoPackages, match="No matching distribution"):
        fetch_packages(tmp_path / "packages")
    assert not (tmp_path / "packages").exists()
