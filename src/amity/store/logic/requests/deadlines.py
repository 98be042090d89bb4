"""Until when a request is due (pure): the law of where she lives says it.

GDPR Art. 12(3): one month, and two more where requests are complex or many, when she is told why
within the first. CCPA § 1798.130: 45 days, and 45 more.
"""

from datetime import datetime, timedelta
from typing import Final

from amity.store.contracts_requests import Jurisdiction
from amity.store.logic.consent.statements import add_months

SOON: Final = timedelta(days=7)
"""What is due within this is shown as due soon."""

_CCPA_DAYS: Final = timedelta(days=45)


def first_deadline(received_at: datetime, jurisdiction: Jurisdiction) -> datetime:
    """Return until when a request is to be answered."""
    if jurisdiction == "ccpa":
        return received_at + _CCPA_DAYS
    return add_months(received_at, 1)


def last_deadline(received_at: datetime, jurisdiction: Jurisdiction) -> datetime:
    """Return until when it is to be answered once the time was extended."""
    if jurisdiction == "ccpa":
        return received_at + 2 * _CCPA_DAYS
    return add_months(received_at, 3)
