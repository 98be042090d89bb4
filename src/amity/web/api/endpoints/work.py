"""Long work: what is being done, how far it is, and stopping it."""

from typing import Final

from amity.analysis import api_work
from amity.analysis.contracts_work import Work, WorkArea
from amity.kernel.errors import NotFound
from amity.kernel.pagination import Page
from amity.web.api.routing import Call, RowId, Scope, route

_READS: Final[dict[WorkArea, Scope]] = {
    "reports": "reports:read",
    "segments": "segments:read",
    "models": "segments:read",
}
_WRITES: Final[dict[WorkArea, Scope]] = {
    "reports": "reports:write",
    "segments": "segments:write",
    "models": "segments:write",
}


@route("GET", "/work", scope="reports:read")
def list_work(call: Call) -> Page[Work]:
    """List the long work that is being done, that waits, or gave nothing lately.

    Of segments and models with the scope `segments:read`. Work that is done is not listed: its
    result is where it is always found, with its age.
    """
    return Page([each for each in api_work.list_work() if call.may(_READS[each.area])])


@route("POST", "/work/{work_id}/stop", scope="reports:read")
def stop_work(work_id: RowId, call: Call) -> None:
    """Stop work at its next step or query; an earlier result stays, and who stopped it is told.

    What another asked for wants `reports:write`, or `segments:write` where it is of segments or
    models.
    """
    work = api_work.find_work(work_id=work_id)
    if work is None or not call.may(_READS[work.area]):
        raise NotFound("there is no such work any more", code="no_work")
    api_work.stop_work(work_id=work_id, by=call.caller, may_all=call.may(_WRITES[work.area]))
