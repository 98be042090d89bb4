"""Whoever brings much does not keep the others waiting: owners take turns (card T13)."""

import asyncio

from amity.infra.grouping import Grouping


class Kept(Grouping):
    """Takes works, which are pairs of owner and number, and carries out none."""

    def _owner(self, work):
        return work[0]

    async def _carry_out(self, connection, lane, works):
        return works


def take(brought, *, most):
    async def run():
        grouping = Kept("", who="the test", most=most)
        grouping.lanes_up = 1
        for work in brought:
            grouping.submit(work)
        groups = []
        while taken := grouping._take():
            groups.append([each.work for each in taken])
        return groups

    return asyncio.run(run())


def test_one_source_with_much_does_not_keep_another_waiting():
    hot = [("hot", number) for number in range(1000)]
    groups = take([*hot, ("calm", 0), ("calm", 1)], most=10)
    assert [work for work in groups[0] if work[0] == "calm"] == [("calm", 0), ("calm", 1)]
    assert [work for group in groups for work in group if work[0] == "hot"] == hot


def test_what_one_source_brings_stays_in_its_order():
    brought = [("only", number) for number in range(25)]
    assert take(brought, most=10) == [brought[:10], brought[10:20], brought[20:]]
