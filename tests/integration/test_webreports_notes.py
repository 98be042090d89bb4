"""What a report's notes say of other pages, they lead to."""

import pytest

from amity.web.templatetags.reports import pointed


@pytest.mark.usefixtures("db")
def test_a_note_leads_to_the_page_it_names_and_hides_no_markup():
    note = str(pointed("Not known: enter it under Costs and targets, as `<b>`."))
    assert '<a class="link" href="/reports/costs/">Costs and targets</a>' in note
    assert "<b>" not in note
