"""TCF strings: strings of the specification and of CMPs, bits set by hand, and garbage."""

import json
import os
import random
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amity.kernel.errors import Invalid
from amity.store.logic.consent.tcf import DISCLOSURE_REQUIRED_FROM, read_tc_string
from amity.testing.tc_strings import AFTER, BEFORE, core, disclosed

# The example of the specification's chapter on the format of the string.
EXAMPLE = "COvFyGBOvFyGBAbAAAENAPCAAOAAAAAAAAAAAEEUACCKAAA.IFoEUQQgAIQwgIwQABAEAAAAOIAACAIAAAAQAIAgEAACEAAAAAgAQBAAAAAAAGBAAgAAAAAAAFAAECAAAgAAQARAEQAAAAAJAAIAAgAAAYQEAAAQmAgBC3ZAYzUw"  # noqa: E501


def test_the_example_of_the_specification_is_read():
    read = read_tc_string(EXAMPLE)
    assert read.created_at == datetime(2020, 2, 20, 23, 57, 39, 300_000, tzinfo=UTC)
    assert (read.language, read.publisher_country) == ("EN", "AA")
    assert read.purposes == {1, 2, 3}
    assert read.vendors == {2, 6, 8}
    assert read.vendor_interests == {2, 6, 8}
    assert read.disclosed_vendors is not None
    assert {2, 6, 8, 12, 18} <= read.disclosed_vendors


def test_every_field_stands_where_the_format_has_it():
    text = core(at=AFTER, purposes={1, 3, 24}, vendors={5, 700}, interests={2})
    read = read_tc_string(f"{text}.{disclosed({5, 9, 700})}")
    assert (read.created_at, read.updated_at) == (AFTER, AFTER)
    assert (read.cmp_id, read.cmp_version, read.consent_screen) == (27, 3, 1)
    assert (read.vendor_list_version, read.policy_version) == (150, 5)
    assert (read.is_service_specific, read.uses_non_standard_texts) == (True, False)
    assert (read.language, read.publisher_country) == ("EN", "DE")
    assert (read.special_features, read.purposes, read.interests) == ({1}, {1, 3, 24}, {2})
    assert (read.vendors, read.vendor_interests) == ({5, 700}, {9})
    assert read.disclosed_vendors == {5, 9, 700}


def test_vendors_in_ranges_are_those_in_bits():
    ranges = (40, ((3, 3), (10, 14), (40, 40)))
    read = read_tc_string(core(at=BEFORE, purposes={1}, ranges=ranges))
    assert read.vendors == {3, 10, 11, 12, 13, 14, 40}


@pytest.mark.parametrize(
    ("at", "has_segment", "holds"),
    [
        (BEFORE, False, True),
        (BEFORE, True, True),
        (AFTER, True, True),
        (AFTER, False, False),
        (DISCLOSURE_REQUIRED_FROM, False, False),
        (DISCLOSURE_REQUIRED_FROM - timedelta(seconds=1), False, True),
    ],
)
def test_without_disclosed_vendors_a_new_string_is_no_consent(at, has_segment, holds):
    text = core(at=at, purposes={1, 3}, vendors={5})
    read = read_tc_string(f"{text}.{disclosed({5})}" if has_segment else text)
    assert read.allows(1) is holds
    assert read.allows(3, vendor=5) is holds
    assert not read.allows(2)
    assert not read.allows(3, vendor=6)


def test_a_vendor_that_was_not_disclosed_has_no_consent():
    text = core(at=AFTER, purposes={3}, vendors={5, 6})
    read = read_tc_string(f"{text}.{disclosed({6})}")
    assert read.allows(3, vendor=6)
    assert not read.allows(3, vendor=5)


@given(
    st.text(max_size=200) | st.from_regex(r"[CIYB][A-Za-z0-9_-]{0,200}(\.[A-Za-z0-9_-]{1,60}){0,4}")
)
def test_garbage_is_refused_and_nothing_else_is_raised(text):
    try:
        read = read_tc_string(text)
    except Invalid:
        return
    assert read.purposes <= set(range(1, 25))


@given(st.data())
def test_a_cut_off_string_is_refused(data):
    whole = core(at=AFTER, purposes={1}, vendors={5, 700})
    cut = data.draw(st.integers(0, 100))
    with pytest.raises(Invalid):
        read_tc_string(whole[:cut])


ROOT = Path(__file__).parents[2]
LIBRARY = ROOT / "tests/node/node_modules/@iabtcf/core"
SCRIPT = """
const {TCString} = require(process.argv[1]);
const members = (vector) => [...vector].filter((pair) => pair[1]).map((pair) => pair[0]);
const told = JSON.parse(require("fs").readFileSync(0, "utf8")).map((text) => {
  const model = TCString.decode(text);
  return {
    updated: model.lastUpdated.getTime(), cmp: model.cmpId, language: model.consentLanguage,
    purposes: members(model.purposeConsents), interests: members(model.purposeLegitimateInterests),
    vendors: members(model.vendorConsents), disclosed: members(model.vendorsDisclosed),
  };
});
console.log(JSON.stringify(told));
"""


def test_the_iabs_own_library_reads_the_same():
    node = ROOT / ".venv/bin/node"
    if not node.exists() or not LIBRARY.exists():
        if os.environ.get("CI") == "true":
            pytest.fail("the library is missing: in CI this test must run (scripts/node.sh)")
        pytest.skip("@iabtcf/core is not installed; scripts/node.sh does it")
    rng = random.Random(5)
    strings = [EXAMPLE]
    for _ in range(60):
        vendors = {rng.randrange(1, 900) for _ in range(rng.randrange(12))}
        text = core(
            at=BEFORE + timedelta(seconds=rng.randrange(10**7)),
            purposes={each for each in range(1, 12) if rng.random() < 0.5},
            interests={each for each in range(2, 11) if rng.random() < 0.5},
            vendors=vendors,
            ranges=(900, ((2, 40), (55, 55), (800, 900))) if rng.random() < 0.3 else None,
        )
        strings.append(f"{text}.{disclosed(vendors | {3})}")
    done = subprocess.run(
        [node, "-e", SCRIPT, str(LIBRARY)],
        input=json.dumps(strings),
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    for text, told in zip(strings, json.loads(done.stdout), strict=True):
        read = read_tc_string(text)
        assert read.updated_at.timestamp() * 1000 == told["updated"]
        assert (read.cmp_id, read.language) == (told["cmp"], told["language"])
        assert sorted(read.purposes) == told["purposes"]
        assert sorted(read.interests) == told["interests"]
        assert sorted(read.vendors) == told["vendors"]
        assert sorted(read.disclosed_vendors) == told["disclosed"]
