"""Running a simulation into a dataset, one frame at a time."""

import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from .dataset.writer import DatasetWriter
from .simulation import Simulation

Result = TypeVar("Result")


@dataclass(frozen=True)
class Done:
    """How far any long work is: `done` of `total` (0 where that is not known), and in words what it is at."""

    done: int
    total: int
    doing: str = ""


def returned(steps: Generator[Any, None, Result]) -> Result:
    """What steps of work return in the end."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


@dataclass(frozen=True)
class Progress:
    """One frame is finished: `done` of the `total` frames of this run are in the dataset, frame `index` the latest.

    simulate_s and store_s: how long computing this frame and writing it took.
    """

    done: int
    total: int
    index: int
    simulate_s: float
    store_s: float


def run_job(
    simulation: Simulation,
    writer: DatasetWriter,
    limit: int | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Iterator[Progress]:
    """Make the frames the dataset does not hold yet, of the first `limit`; yield after each.

    Ends early when `cancelled()` is true before a frame. Killing the process at any instant is safe: what was
    yielded is on disk, and the next run makes the rest, to the same bytes.
    """
    planned = writer.planned(limit)
    missing = [index for index in planned if index not in writer.completed]
    for done, index in enumerate(missing, start=len(planned) - len(missing) + 1):
        if cancelled():
            return
        start = time.perf_counter()
        frame = simulation.frame(index)
        simulated = time.perf_counter()
        writer.commit(index, frame)
        yield Progress(done, len(planned), index, simulated - start, time.perf_counter() - simulated)
