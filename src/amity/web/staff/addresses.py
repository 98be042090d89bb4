"""The addresses of those who work here: the one place where mail to staff gets its recipients."""

from amity.broadcast.contracts_staff import StaffAddress
from amity.web.staff.models import Staff


def address_of(person: Staff) -> StaffAddress | None:
    """Return where somebody who works here is written to; None without an account or address."""
    if not (person.is_active and person.pk and person.email):
        return None
    return StaffAddress(staff_id=person.pk, address=person.email)
