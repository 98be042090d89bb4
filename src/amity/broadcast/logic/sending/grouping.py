"""Doing for many at once what many ask for one by one: while one group is done the next gathers,
and a moment longer, since a transaction costs the same for ten as for five."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Final, Generic, TypeVar

Asked = TypeVar("Asked")
Given = TypeVar("Given")
_LARGEST: Final = 100
_GATHER_SECONDS: Final = 0.004


class Group(Generic[Asked, Given]):
    """Runs ``work`` in a thread on all that has gathered; everybody gets their own answer.

    When it raises, everybody of that group gets the error.
    """

    def __init__(self, work: Callable[[list[Asked]], Sequence[Given]], threads: Executor) -> None:
        self._work = work
        self._threads = threads
        self._waiting: list[tuple[Asked, asyncio.Future[Given]]] = []
        self._task: asyncio.Task[None] | None = None

    @property
    def backlog(self) -> int:
        """Return how many wait."""
        return len(self._waiting)

    def ask(self, asked: Asked) -> "asyncio.Future[Given]":
        """Return where the answer will be."""
        future: asyncio.Future[Given] = asyncio.get_running_loop().create_future()
        self._waiting.append((asked, future))
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        return future

    async def finish(self) -> None:
        """Return when nobody waits any more."""
        while self._task is not None:
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        try:
            while self._waiting:
                await asyncio.sleep(_GATHER_SECONDS)
                group, self._waiting = self._waiting[:_LARGEST], self._waiting[_LARGEST:]
                await self._answer(group)
        finally:
            self._task = None

    async def _answer(self, group: "list[tuple[Asked, asyncio.Future[Given]]]") -> None:
        loop = asyncio.get_running_loop()
        asked = [each for each, _ in group]
        try:
            given = await loop.run_in_executor(self._threads, self._work, asked)
        except Exception as error:
            for _, future in group:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), answer in zip(group, given, strict=True):
            if not future.done():
                future.set_result(answer)
