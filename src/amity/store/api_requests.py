"""The store's door for data requests; beside `api`, which would be too long a page with them.

The rules are the same: keywords only, contracts in and out, each function owns its transaction.
"""

from amity.store.logic.requests.acting import (
    ask_to_confirm,
    check_erasable,
    correct_traits,
    extend_request,
    finish_request,
    lift_restriction,
    match_request,
    note_on_request,
    refuse_request,
    restrict_processing,
    take_objection,
    verify_request,
)
from amity.store.logic.requests.book import (
    count_due,
    create_request,
    get_request,
    list_requests,
)
from amity.store.logic.requests.copies import (
    Made,
    ask_copy,
    find_copy_file,
    forget_copies,
    mail_copy,
    make_copies,
    note_handed_out,
)
from amity.store.logic.requests.files import copy_path, work_folder
from amity.store.logic.requests.held import (
    LEFT_OUT,
    PROVIDED,
    iter_held,
    list_tables,
    read_person,
)

__all__ = [
    "LEFT_OUT",
    "PROVIDED",
    "Made",
    "ask_copy",
    "ask_to_confirm",
    "check_erasable",
    "copy_path",
    "correct_traits",
    "count_due",
    "create_request",
    "extend_request",
    "find_copy_file",
    "finish_request",
    "forget_copies",
    "get_request",
    "iter_held",
    "lift_restriction",
    "list_requests",
    "list_tables",
    "mail_copy",
    "make_copies",
    "match_request",
    "note_handed_out",
    "note_on_request",
    "read_person",
    "refuse_request",
    "restrict_processing",
    "take_objection",
    "verify_request",
    "work_folder",
]
