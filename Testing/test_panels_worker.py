"""The worker: what computes runs off the main thread, what it makes arrives on it, and the window stays alive."""

import itertools
import threading
import time

import pytest

MAIN = threading.main_thread()


@pytest.fixture
def worker(slicer_scene):
    from Sim2RealLib.panels.worker import Worker

    worker = Worker()
    yield worker
    worker.close()


def until(condition, seconds=10.0):
    """Let Qt's events happen until a condition holds."""
    import slicer

    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never happened"
        slicer.app.processEvents()
        time.sleep(0.001)


class Told:
    """Collects what the worker hands over, and on which thread."""

    def __init__(self):
        self.values, self.ends, self.threads = [], [], set()

    def stepped(self, value):
        self.values.append(value)
        self.threads.add(threading.current_thread())

    def ended(self, error):
        self.ends.append(error)
        self.threads.add(threading.current_thread())


def counting(count, seen_on=None, pause_s=0.0):
    for number in range(count):
        if seen_on is not None:
            seen_on.add(threading.current_thread())
        time.sleep(pause_s)
        yield number


def test_steps_run_on_one_other_thread_and_arrive_in_order_on_the_main_thread(worker):
    told, seen_on = Told(), set()
    worker.start(counting(20, seen_on), told.stepped, told.ended)
    assert worker.busy
    until(lambda: told.ends)
    assert told.values == list(range(20))
    assert told.ends == [None]
    assert told.threads == {MAIN}
    assert len(seen_on) == 1
    assert MAIN not in seen_on
    assert worker.idle


def test_an_error_ends_the_job_and_the_worker_takes_the_next(worker):
    def failing():
        yield 1
        raise ValueError("no good")

    told = Told()
    worker.start(failing(), told.stepped, told.ended)
    until(lambda: told.ends)
    assert told.values == [1]
    assert str(told.ends[0]) == "no good"
    worker.start(counting(2), told.stepped, told.ended)
    until(lambda: len(told.ends) == 2)
    assert told.values == [1, 0, 1]


def test_cancel_stops_after_the_step_and_lets_the_job_clean_up(worker):
    from Sim2RealLib.panels.worker import Cancelled

    cleaned = []

    def endless():
        try:
            yield from counting(10**9, pause_s=0.005)
        finally:
            cleaned.append(threading.current_thread())

    told = Told()
    worker.start(endless(), told.stepped, told.ended)
    until(lambda: len(told.values) >= 3)
    worker.cancel()
    until(lambda: told.ends)
    assert isinstance(told.ends[0], Cancelled)
    assert len(cleaned) == 1
    assert cleaned[0] is not MAIN
    assert not worker.busy


def test_a_second_job_is_refused_while_one_runs(worker):
    told = Told()
    worker.start(counting(3, pause_s=0.02), told.stepped, told.ended)
    with pytest.raises(RuntimeError):
        worker.start(counting(3), told.stepped, told.ended)
    until(lambda: told.ends)


def test_of_waiting_requests_only_the_latest_of_a_kind_is_computed(worker):
    computed, answers, errors = [], [], []
    gate = threading.Event()

    def compute(number):
        computed.append(number)
        gate.wait(5.0)
        return number

    worker.request("live", lambda: compute(0), answers.append, errors.append)
    until(lambda: computed == [0])
    for number in range(1, 50):
        worker.request("live", lambda number=number: compute(number), answers.append, errors.append)
    worker.request("other", lambda: "other", answers.append, errors.append)
    gate.set()
    until(lambda: worker.idle)
    assert computed == [0, 49]
    assert sorted(map(str, answers)) == ["0", "49", "other"]
    assert errors == []


def test_requests_are_answered_between_the_steps_of_a_job(worker):
    told, answers = Told(), []
    worker.start(counting(40, pause_s=0.01), told.stepped, told.ended)
    until(lambda: told.values)
    worker.request("live", lambda: "now", lambda answer: answers.append((answer, len(told.ends))), answers.append)
    until(lambda: told.ends)
    assert answers == [("now", 0)]


def test_a_request_that_fails_tells_who_asked(worker):
    answers, errors = [], []

    def fail():
        raise ValueError("no picture")

    worker.request("live", fail, answers.append, errors.append)
    until(lambda: worker.idle)
    assert answers == []
    assert str(errors[0]) == "no picture"


def test_a_forgotten_request_is_not_computed(worker):
    computed, gate = [], threading.Event()
    worker.request("first", lambda: gate.wait(5.0), lambda _answer: None, lambda _error: None)
    worker.request("live", lambda: computed.append(1), lambda _answer: None, lambda _error: None)
    worker.forget("live")
    gate.set()
    until(lambda: worker.idle)
    assert computed == []


def test_the_main_thread_stays_alive_while_a_step_takes_long(worker):
    """A step of half a second that lets go of Python's lock, as NumPy, SimpleITK and Dr.Jit do."""
    import qt

    beats, told = [], Told()
    timer = qt.QTimer()
    timer.setInterval(10)
    timer.connect("timeout()", lambda: beats.append(time.monotonic()))
    timer.start()
    worker.start(counting(1, pause_s=0.5), told.stepped, told.ended)
    until(lambda: told.ends)
    timer.stop()
    pauses = [after - before for before, after in itertools.pairwise(beats)]
    assert len(beats) > 8
    assert max(pauses) < 0.2


def test_closing_leaves_nothing_behind(worker):
    told = Told()
    worker.start(counting(10**9, pause_s=0.002), told.stepped, told.ended)
    until(lambda: told.values)
    worker.close()
    assert [thread.name for thread in threading.enumerate() if thread.name == "sim2real"] == []
    seen = len(told.values)
    time.sleep(0.05)
    import slicer

    slicer.app.processEvents()
    assert len(told.values) == seen
    assert told.ends == []
    worker.start(counting(2), told.stepped, told.ended)
    until(lambda: told.ends)
