"""The broadcast engine's second door: mail to staff of this installation, and nobody else."""

from datetime import datetime

from amity.broadcast.contracts_staff import StaffLetter, StaffMail
from amity.broadcast.logic.sending import staff_mail


def check_mail_server() -> None:
    """Raise Unavailable, with what to do, while no mail server is configured."""
    staff_mail.check_server()


def send_staff_mail(*, letter: StaffLetter, now: datetime) -> StaffMail:
    """Send a message to a member of staff through the mail server, at most once for its key.

    What was sent, refused or is in doubt under the same key is returned as it is; what the server
    put off is tried again. Takes as long as the server does. Raises Unavailable while no mail
    server is configured, Conflict while sending is stopped, Invalid for an address that cannot be
    written to.
    """
    return staff_mail.send(letter, now=now)


def list_staff_mail(*, begins: str, limit: int = 20) -> list[StaffMail]:
    """Return what became of the latest messages whose key begins so, the latest first."""
    return staff_mail.list_latest(begins=begins, limit=limit)
