"""The job of `job.run_job` on many processes or machines, through Dask.

A worker opens the simulation once, makes one frame after the other and commits them itself to the dataset's folder,
which all workers must see: only numbers travel. A worker that dies costs the frames it was at; Dask gives them to
another one.
"""

import hashlib
import logging
import os
import platform
import secrets
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

from distributed import Client, Future, KilledWorker, LocalCluster, get_worker, wait

from .dataset.layout import DATASET_JSON, RECIPE_YAML, frame_folder, record_file
from .dataset.schema import describe, to_json
from .dataset.writer import DatasetWriter, store_frame
from .errors import Sim2RealError
from .job import Progress
from .simulation import Simulation

FRAMES_IN_FLIGHT = 3
"""Frames handed to a worker at a time: the one it makes and those it finds when that is finished."""

CONNECT_TIMEOUT_S = 10
NO_WORKER_TIMEOUT_S = 600
POLL_S = 0.2


@dataclass(frozen=True)
class _Job:
    """What a worker has to know; sent with every frame, and small."""

    open_simulation: Callable[[dict[str, Any]], Simulation]
    recipe: dict[str, Any]
    folder: Path
    threads: int | None
    initialize_worker: Callable[[int], None] | None
    token: str


class _StorageFailedError(Exception):
    """(errno, message) of an OSError met while storing a frame; any other OSError is the simulation's own."""


def run_distributed(
    open_simulation: Callable[[dict[str, Any]], Simulation],
    recipe: dict[str, Any],
    writer: DatasetWriter,
    limit: int | None = None,
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    initialize_worker: Callable[[int], None] | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Iterator[Progress]:
    """Make the missing frames of the first `limit` on `workers` processes here, or on those of a Dask `scheduler`.

    open_simulation, initialize_worker: functions that a worker can import. The first takes `recipe`, plain data with
    absolute paths; the second is called before it with the number of threads the worker may use.
    Yields as frames are finished, in any order. Raises Sim2RealError as `run_job` does, and when the scheduler does
    not answer, when a worker sees another folder, input or software, and when a frame kills one worker after another.
    """
    planned = writer.planned(limit)
    missing = [index for index in planned if index not in writer.completed]
    if not missing:
        return
    with _client(workers, scheduler) as client:
        threads = None if workers is None else max(1, (os.cpu_count() or 1) // workers)
        folder = writer.folder.absolute()
        job = _Job(open_simulation, recipe, folder, threads, initialize_worker, secrets.token_hex(8))
        done = len(planned) - len(missing)
        for index, simulate_s, store_s in _results(client, job, missing, writer, cancelled):
            writer.completed.add(index)
            done += 1
            yield Progress(done, len(planned), index, simulate_s, store_s)


@contextmanager
def _client(workers: int | None, scheduler: str | None) -> Iterator[Client]:
    """A connection to the scheduler at that address, or to one of our own with that many processes."""
    if (workers is None) == (scheduler is None):
        raise Sim2RealError("Say either how many workers to start here or the address of a Dask scheduler.")
    if scheduler is not None:
        try:
            client = Client(scheduler, timeout=CONNECT_TIMEOUT_S)
        except (OSError, ValueError, TypeError) as error:  # a timeout; a bad address; tls:// without its settings
            raise Sim2RealError(
                f"No Dask scheduler answers at {scheduler}. Start one with 'dask scheduler' and workers with "
                f"'dask worker {scheduler}', or use --workers."
            ) from error
        logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # its tracebacks, of what we say in a line
        with client:
            yield client
        return
    if workers < 1:
        raise Sim2RealError(f"The number of workers is {workers}; it must be at least one.")
    with tempfile.TemporaryDirectory(prefix="sim2real-", ignore_cleanup_errors=True) as scratch:
        with _interrupts_for_this_process_only():
            cluster = LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                processes=True,
                dashboard_address="127.0.0.1:0",
                memory_limit=0,
                local_directory=scratch,
                silence_logs=logging.CRITICAL,
            )
        with cluster, Client(cluster) as client:
            yield client


@contextmanager
def _interrupts_for_this_process_only() -> Iterator[None]:
    """Threads and processes started in here do not see Ctrl-C, which a terminal sends to all of them: this process
    stops them in good order."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # would let interrupts through in the thread that starts it
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _results(
    client: Client, job: _Job, missing: Sequence[int], writer: DatasetWriter, cancelled: Callable[[], bool]
) -> Iterator[tuple[int, float, float]]:
    """Index and times of each frame as it is finished; only a few frames a worker are handed out at a time.

    Some are handed out before there is any worker: an adaptive cluster starts workers when there is work.
    """
    waiting = iter(missing)
    running: set[Future] = set()
    give_up = time.monotonic() + NO_WORKER_TIMEOUT_S
    try:
        while not cancelled():
            workers = len(client.scheduler_info(n_workers=-1)["workers"])
            if workers > 0:
                give_up = time.monotonic() + NO_WORKER_TIMEOUT_S
            elif time.monotonic() > give_up:
                raise Sim2RealError(f"The scheduler has had no worker for this job for {NO_WORKER_TIMEOUT_S} s.")
            for index in islice(waiting, max(0, FRAMES_IN_FLIGHT * max(workers, 1) - len(running))):
                running.add(client.submit(_make_frame, job, index, pure=False))
            if not running:
                return
            for future in _finished(running):
                running.remove(future)
                yield _result(future, writer)
    except CancelledError as error:  # Dask's word for futures whose scheduler it cannot reach any more
        raise Sim2RealError(
            f"The Dask scheduler is gone. {len(writer.completed)} frames are complete and the same command goes on "
            "from there."
        ) from error
    finally:
        client.cancel(list(running))


def _finished(running: set[Future]) -> set[Future]:
    try:
        return set(wait(running, timeout=POLL_S, return_when="FIRST_COMPLETED").done)
    except TimeoutError:
        return set()


def _result(future: Future, writer: DatasetWriter) -> tuple[int, float, float]:
    try:
        return future.result()
    except _StorageFailedError as error:
        raise writer.storage_error(OSError(*error.args)) from error
    except KilledWorker as error:
        raise Sim2RealError(
            "A frame ended one worker after another, most likely for want of memory. Use fewer workers; "
            f"{len(writer.completed)} frames are complete and the same command goes on from there."
        ) from error


_one_at_a_time = threading.Lock()
_opened: dict[str, Simulation] = {}
"""The simulation this worker process has open, by the token of its job; at most one."""


def _make_frame(job: _Job, index: int) -> tuple[int, float, float]:
    """Runs in a worker: make and commit a frame; return its index and the seconds to simulate and to store it."""
    if (job.folder / frame_folder(index) / record_file(index)).exists():
        return index, 0.0, 0.0  # the worker that committed it died before it could say so
    with _one_at_a_time:
        simulation = _open(job)
        start = time.perf_counter()
        frame = simulation.frame(index)
        simulated = time.perf_counter()
        try:
            store_frame(job.folder, simulation.header, index, frame)
        except OSError as error:
            raise _StorageFailedError(error.errno, error.strerror) from error
    return index, simulated - start, time.perf_counter() - simulated


def _open(job: _Job) -> Simulation:
    if job.token not in _opened:
        _opened.clear()
        if job.initialize_worker is not None:
            job.initialize_worker(job.threads or get_worker().state.nthreads)
        simulation = job.open_simulation(job.recipe)
        _require_same_dataset(job, simulation)
        _opened[job.token] = simulation
    return _opened[job.token]


def _require_same_dataset(job: _Job, simulation: Simulation) -> None:
    """Sim2RealError if this machine would not make the frames that the machine which began the dataset makes."""
    here = platform.node()
    try:
        found = (job.folder / DATASET_JSON).read_bytes()
        recipe_sha256 = hashlib.sha256((job.folder / RECIPE_YAML).read_bytes()).hexdigest()
    except OSError as error:
        raise Sim2RealError(
            f"The worker on {here} does not see {job.folder} ({error.strerror}). Use a folder all machines share."
        ) from error
    if to_json(describe(simulation.header, recipe_sha256)) != found:
        raise Sim2RealError(
            f"The worker on {here} has other inputs or other software than {job.folder} was begun with. "
            "Install the same versions and give all machines the same files."
        )
