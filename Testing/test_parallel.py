"""Many processes make what one makes, whatever happens to them."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from Sim2RealLib.dataset.checks import check_dataset
from Sim2RealLib.dataset.reader import Dataset
from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.parallel import run_distributed
from toy_export import contents, export, open_writer
from toy_simulation import ToyInput, ToyRecipe, ToyViews, fail_with_os_error, open_changed_toy, open_toy, tell_threads


def distribute(folder: Path, recipe: ToyRecipe, open_simulation=open_toy, **options) -> list:
    with open_writer(folder, recipe) as writer:
        return list(run_distributed(open_simulation, recipe.model_dump(mode="json"), writer, **options))


def worker_processes() -> list[psutil.Process]:
    """The processes Dask started below this one that do the work: children of its nannies."""
    children = psutil.Process().children(recursive=True)
    return [child for child in children if "spawn_main" in " ".join(child.cmdline())]


def test_two_workers_make_the_bytes_of_one_process_and_a_killed_one_costs_nothing(tmp_path):
    recipe = ToyRecipe(views=ToyViews(count=24), pause_s=0.03)
    export(tmp_path / "serial", recipe)
    killed, made = [], []
    with open_writer(tmp_path / "parallel", recipe) as writer:
        for progress in run_distributed(open_toy, recipe.model_dump(mode="json"), writer, workers=2):
            made.append(progress)
            if len(made) == 5:
                killed = worker_processes()[-1:]
                killed[0].send_signal(signal.SIGKILL)
    assert killed, "no worker was found to kill; the test shows nothing"
    assert [progress.done for progress in made] == list(range(1, 25))
    assert sorted(progress.index for progress in made) == list(range(24))
    assert contents(tmp_path / "parallel") == contents(tmp_path / "serial")
    assert list(check_dataset(tmp_path / "parallel")) == []


def test_a_killed_coordinator_takes_its_workers_along_and_the_run_goes_on(tmp_path):
    recipe = ToyRecipe(views=ToyViews(count=40), pause_s=0.02)
    program = [sys.executable, Path(__file__).with_name("toy_export.py"), tmp_path / "d", recipe.model_dump_json(), "2"]
    process = subprocess.Popen(program)
    deadline = time.monotonic() + 20
    while len(list(tmp_path.glob("d/frames/000/*.json"))) < 5 and time.monotonic() < deadline:
        time.sleep(0.01)
    workers = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    assert psutil.wait_procs(workers, timeout=5)[1] == []
    assert 5 <= len(Dataset.open(tmp_path / "d")) < 40
    export(tmp_path / "d", recipe)
    export(tmp_path / "serial", recipe)
    assert contents(tmp_path / "d") == contents(tmp_path / "serial")


def test_cancelled_and_limited_runs_go_on_serially_to_the_same_bytes(tmp_path):
    recipe = ToyRecipe(views=ToyViews(count=40), pause_s=0.01)
    made = []
    plain = recipe.model_dump(mode="json")
    with open_writer(tmp_path / "d", recipe) as writer:
        made.extend(run_distributed(open_toy, plain, writer, 30, workers=1, cancelled=lambda: len(made) >= 3))
    assert 3 <= len(Dataset.open(tmp_path / "d")) < 30
    export(tmp_path / "d", recipe)
    export(tmp_path / "serial", recipe)
    assert contents(tmp_path / "d") == contents(tmp_path / "serial")


@contextmanager
def dask_cluster(folder: Path) -> Iterator[tuple[str, subprocess.Popen]]:
    """The address and the process of a Dask scheduler with one worker of two threads, as a user starts them."""
    address_file = folder / "scheduler.json"
    options = {
        "cwd": folder,
        "env": {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        "stdout": subprocess.DEVNULL,
        "stderr": subprocess.DEVNULL,
    }
    dask = [sys.executable, "-m", "dask"]
    shared = ["--scheduler-file", str(address_file), "--no-dashboard"]
    processes = [
        subprocess.Popen([*dask, "scheduler", *shared, "--host", "127.0.0.1", "--port", "0"], **options),
        subprocess.Popen([*dask, "worker", *shared, "--nthreads", "2", "--no-nanny"], **options),
    ]
    deadline = time.monotonic() + 20
    while not address_file.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    try:
        yield json.loads(address_file.read_text())["address"], processes[0]
    finally:
        for process in processes:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory):
    with dask_cluster(tmp_path_factory.mktemp("dask")) as (address, _):
        yield address


def test_a_scheduler_that_dies_is_a_clear_error_and_the_run_goes_on(tmp_path):
    recipe = ToyRecipe(views=ToyViews(count=60), pause_s=0.01)
    made = []
    (tmp_path / "dask").mkdir()
    with (
        dask_cluster(tmp_path / "dask") as (address, process),
        open_writer(tmp_path / "d", recipe) as writer,
        pytest.raises(Sim2RealError, match=r"scheduler is gone.*same command"),
    ):
        for progress in run_distributed(open_toy, recipe.model_dump(mode="json"), writer, scheduler=address):
            made.append(progress)
            if len(made) == 3:
                process.kill()
    export(tmp_path / "d", recipe)
    assert list(check_dataset(tmp_path / "d")) == []


def test_an_existing_cluster_makes_the_same_bytes_and_its_threads_are_told(scheduler, tmp_path):
    recipe = ToyRecipe(input=ToyInput(volume=tmp_path / "threads.txt"))
    export(tmp_path / "serial", recipe)
    distribute(tmp_path / "remote", recipe, scheduler=scheduler, initialize_worker=tell_threads)
    assert contents(tmp_path / "remote") == contents(tmp_path / "serial")


def test_an_error_of_the_simulation_arrives_as_it_was(scheduler, tmp_path):
    with pytest.raises(Sim2RealError, match="frame 4 was asked to fail"):
        distribute(tmp_path / "d", ToyRecipe(fail_at=4), scheduler=scheduler)
    assert 4 not in Dataset.open(tmp_path / "d").indices


def test_other_errors_are_not_taken_for_a_full_disk(scheduler, tmp_path):
    with pytest.raises(FileNotFoundError, match="volume"):
        distribute(tmp_path / "d", ToyRecipe(), fail_with_os_error, scheduler=scheduler)


def test_a_worker_that_would_make_other_frames_is_refused(scheduler, tmp_path):
    with pytest.raises(Sim2RealError, match="other inputs or other software"):
        distribute(tmp_path / "d", ToyRecipe(), open_changed_toy, scheduler=scheduler)
    assert len(Dataset.open(tmp_path / "d")) == 0


def test_a_folder_that_cannot_be_written_is_told_by_its_worker(scheduler, tmp_path):
    recipe = ToyRecipe()
    export(tmp_path / "d", recipe, limit=2)
    with open_writer(tmp_path / "d", recipe) as writer:
        (tmp_path / "d/frames/000").rename(tmp_path / "kept")
        (tmp_path / "d/frames/000").write_text("a file where a folder must be")
        with pytest.raises(Sim2RealError, match=r"cannot be written.*2 of 12 frames are complete"):
            list(run_distributed(open_toy, recipe.model_dump(mode="json"), writer, scheduler=scheduler))


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense"])
def test_a_scheduler_that_does_not_answer_is_a_clear_error(tmp_path, address, monkeypatch):
    monkeypatch.setattr("Sim2RealLib.parallel.CONNECT_TIMEOUT_S", 0.5)
    with pytest.raises(Sim2RealError, match="No Dask scheduler answers"):
        distribute(tmp_path / "d", ToyRecipe(), scheduler=address)


def test_the_number_of_workers_is_checked(tmp_path):
    with pytest.raises(Sim2RealError, match="at least one"):
        distribute(tmp_path / "d", ToyRecipe(), workers=0)
    with pytest.raises(Sim2RealError, match="either"):
        distribute(tmp_path / "e", ToyRecipe())
