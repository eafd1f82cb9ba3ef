"""The thread on which everything that takes long runs, so that Slicer's window stays alive.

What computes runs on the worker, what touches nodes and widgets on the main thread: a job's steps and their results
are handed over by a queue that a QTimer reads. All work of Dr.Jit runs on this one thread.
"""

import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import qt

POLL_MS = 2
GIVEN_S = 0.012
"""How long each poll waits for a result. Slicer's main thread keeps Python's lock; waiting hands it to the worker."""


class Cancelled(Exception):  # noqa: N818, it is no error
    """What `ended` gets of a job that was stopped before its end."""


@dataclass(frozen=True)
class _Job:
    steps: Iterator[Any]
    stepped: Callable[[Any], None]
    ended: Callable[[BaseException | None], None]
    stop: threading.Event


@dataclass(frozen=True)
class _Request:
    compute: Callable[[], Any]
    answered: Callable[[Any], None]
    failed: Callable[[BaseException], None]


class Worker:
    """Runs one job and, between its steps, requests. Every method is for the main thread.

    A job is a generator: `stepped(value)` gets each value it yields, `ended` None, its exception, or `Cancelled`.
    listeners: called when a job has begun or ended.

    A request is one function; of those that wait only the latest of each `kind` is kept, which is what live pictures
    need: the hand has moved on.
    """

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._wake = threading.Condition()
        self._job: _Job | None = None
        self._requests: dict[str, _Request] = {}
        self._unanswered = 0
        self._closed = False
        self.listeners: list[Callable[[], None]] = []
        self._results: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._timer = qt.QTimer()
        self._timer.setInterval(POLL_MS)
        self._timer.connect("timeout()", self._poll)

    @property
    def busy(self) -> bool:
        """Whether a job is running or stopping."""
        return self._job is not None

    @property
    def idle(self) -> bool:
        """Whether there is nothing left to run or to hand over."""
        return self._job is None and self._unanswered == 0

    def start(
        self,
        steps: Iterator[Any],
        stepped: Callable[[Any], None],
        ended: Callable[[BaseException | None], None],
    ) -> None:
        """Begin a job. RuntimeError while another is running: panels keep their buttons off as long as `busy`."""
        if self.busy:
            raise RuntimeError("the worker has a job already")
        self._run(job=_Job(steps, stepped, ended, threading.Event()))
        self._tell()

    def cancel(self) -> None:
        """Stop the job after the step it is at; `ended` gets `Cancelled` then."""
        if self._job is not None:
            self._job.stop.set()

    def request(
        self,
        kind: str,
        compute: Callable[[], Any],
        answered: Callable[[Any], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        """Compute something soon, in place of what is waiting of the same kind."""
        self._run(request=(kind, _Request(compute, answered, failed)))

    def forget(self, kind: str) -> None:
        """Drop the request of a kind if it is still waiting."""
        with self._wake:
            if self._requests.pop(kind, None) is not None:
                self._unanswered -= 1

    def close(self) -> None:
        """Stop the job, forget what waits, hand over nothing any more; the next `start` or `request` begins anew."""
        self._timer.stop()
        self.cancel()
        with self._wake:
            self._closed = True
            self._requests.clear()
            self._wake.notify()
        if self._thread is not None:
            self._thread.join()
        self._thread, self._job, self._unanswered = None, None, 0
        self._results = queue.SimpleQueue()

    def _run(self, job: _Job | None = None, request: tuple[str, _Request] | None = None) -> None:
        with self._wake:
            if job is not None:
                self._job = job
            if request is not None:
                self._unanswered += request[0] not in self._requests
                self._requests[request[0]] = request[1]
            self._closed = False
            self._wake.notify()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="sim2real", daemon=True)
            self._thread.start()
        self._timer.start()

    def _poll(self) -> None:
        """Hand over one result, waiting a little for it."""
        try:
            self._results.get(timeout=GIVEN_S)()
        except queue.Empty:
            pass
        finally:
            if self.idle:
                self._timer.stop()

    def _work(self) -> None:
        running: _Job | None = None
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._closed or self._requests or self._job is not None)
                if self._closed:
                    break
                kind = next(iter(self._requests), None)
                request = self._requests.pop(kind) if kind is not None else None
                running = self._job
            if request is not None:
                self._results.put(partial(self._answer, *_computed(request)))
            elif not self._step(running):
                self._wait_for_end(running)
        if running is not None:
            running.steps.close()

    def _wait_for_end(self, job: _Job) -> None:
        """Until the main thread has heard that a job has ended."""
        with self._wake:
            self._wake.wait_for(lambda: self._closed or self._job is not job)

    def _answer(self, hand_over: Callable[[Any], None], value: Any) -> None:
        self._unanswered -= 1
        hand_over(value)

    def _step(self, job: _Job) -> bool:
        """Take one step of a job; False after its last."""
        error: BaseException | None = None
        try:
            if job.stop.is_set():
                job.steps.close()
                error = Cancelled()
            else:
                value = next(job.steps)
                self._results.put(partial(job.stepped, value))
                return True
        except StopIteration:
            pass
        except BaseException as raised:
            error = raised
        self._results.put(partial(self._end, job, error))
        return False

    def _end(self, job: _Job, error: BaseException | None) -> None:
        with self._wake:
            self._job = None
            self._wake.notify()
        try:
            job.ended(error)
        finally:
            self._tell()

    def _tell(self) -> None:
        for listener in tuple(self.listeners):
            listener()


def _computed(request: _Request) -> tuple[Callable[[Any], None], Any]:
    """Compute what was asked for; who is to get what of it."""
    try:
        return request.answered, request.compute()
    except BaseException as error:
        return request.failed, error


def returning(steps: Iterator[Any], returned: list[Any]) -> Iterator[Any]:
    """The same steps, as a job; what their generator returns is put into a list."""
    returned.append((yield from steps))


_shared: list[Worker] = []


def shared_worker() -> Worker:
    """The worker of this application."""
    if not _shared:
        _shared.append(Worker())
    return _shared[0]
