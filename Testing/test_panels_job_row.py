"""The row that says how far a job is and how long it will take."""

import pytest

from Sim2RealLib.job import Done


@pytest.fixture
def row(slicer_scene):
    from Sim2RealLib.panels.job_row import JobRow

    return JobRow(lambda: None)


@pytest.fixture
def at(monkeypatch):
    """Sets the clock to seconds."""
    from Sim2RealLib.panels import job_row

    def set_clock(seconds):
        monkeypatch.setattr(job_row.time, "monotonic", lambda: seconds)

    return set_clock


def test_time_left_counts_from_when_the_number_of_steps_is_known(row, at):
    """20 s of preparation, then steps of 1 s: with 8 of 10 to go 8 s are left. A new number begins anew."""
    at(0.0)
    row.begin("Making")
    row.show(Done(0, 0, "drawing"))
    at(20.0)
    row.show(Done(0, 10, "surfaces"))
    assert row.text == "Making: surfaces, 0 of 10"
    at(22.0)
    row.show(Done(2, 10, "surfaces"))
    assert row.text.endswith("2 of 10, 8 s left")
    at(30.0)
    row.show(Done(10, 40, "more"))
    assert row.text.endswith("10 of 40")
    at(36.0)
    row.show(Done(12, 40, "more"))
    assert row.text.endswith("12 of 40, 1 min left")  # 28 steps of 3 s
