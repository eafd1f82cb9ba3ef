"""A run may be killed at any instant, run out of space or be started twice: no frame is lost, doubled or damaged."""

import json
import multiprocessing
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from Sim2RealLib.dataset.checks import check_dataset
from Sim2RealLib.dataset.reader import Dataset
from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.job import run_job
from toy_export import contents, export, open_writer
from toy_simulation import ToyRecipe, ToySimulation, ToyViews

KILLS = 12


def start(folder: Path, recipe: ToyRecipe, **options) -> subprocess.Popen:
    program = [sys.executable, str(Path(__file__).with_name("toy_export.py")), str(folder), recipe.model_dump_json()]
    return subprocess.Popen(program, stderr=subprocess.PIPE, text=True, **options)


def wait_for_frames(folder: Path, count: int) -> None:
    deadline = time.monotonic() + 10
    while len(list(folder.glob("frames/*/*.json"))) < count and time.monotonic() < deadline:
        time.sleep(0.001)


def test_killed_at_random_instants_and_resumed_gives_the_bytes_of_one_run(tmp_path):
    recipe = ToyRecipe(views=ToyViews(count=80, width_px=200, height_px=160))
    export(tmp_path / "whole", recipe)
    chance = random.Random(1)
    found_between = [0]
    while found_between[-1] < 60 and len(found_between) <= KILLS:
        process = start(tmp_path / "killed", recipe)
        wait_for_frames(tmp_path / "killed", found_between[-1] + chance.randint(1, 5))
        time.sleep(chance.uniform(0, 0.01))
        process.kill()
        process.wait()
        found_between.append(len(Dataset.open(tmp_path / "killed")))
    assert len(found_between) > 5, "the kills hit nothing; the test shows nothing"
    export(tmp_path / "killed", recipe)
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")
    assert list(check_dataset(tmp_path / "killed")) == []


def test_killed_at_every_file_operation_and_resumed_gives_the_bytes_of_one_run(tmp_path, monkeypatch):
    """A child process kills itself just before its n-th file operation, for every n it takes to make two frames."""
    recipe = ToyRecipe(views=ToyViews(count=2))
    export(tmp_path / "whole", recipe)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))  # the server imports the simulation once
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["toy_export"])
    for operation in range(200):
        child = processes.Process(target=export_until, args=(operation, tmp_path / str(operation), recipe))
        child.start()
        child.join()
        if child.exitcode == 0:
            break
        assert child.exitcode == -signal.SIGKILL
        require_committed_frames_whole(tmp_path / str(operation))
        export(tmp_path / str(operation), recipe)
        assert contents(tmp_path / str(operation)) == contents(tmp_path / "whole"), f"killed before {operation}"
    assert operation > 20, "the child did not work on files; the test shows nothing"


def require_committed_frames_whole(folder: Path) -> None:
    """What a reader finds while a run goes on, or after one was killed."""
    if (folder / "dataset.json").exists():
        dataset = Dataset.open(folder)
        for index in dataset.indices:
            for name in dataset.header.channels:
                dataset.channel(index, name)


def export_until(operation: int, folder: Path, recipe: ToyRecipe) -> None:
    """Export, and be killed just before the given file operation below `folder`."""
    count = iter(range(10**6))

    def watch(event: str, arguments: tuple) -> None:
        on_files = event in {"open", "os.rename", "os.mkdir", "os.remove"} and str(folder) in str(arguments)
        if on_files and next(count) == operation:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)
    export(folder, recipe)


def test_whatever_a_kill_can_leave_behind_is_replaced(tmp_path):
    export(tmp_path / "whole")
    export(tmp_path / "killed")
    frames = tmp_path / "killed" / "frames" / "000"
    (frames / "000003.json").unlink()  # images in place, not committed
    (frames / "000004.display.png").unlink()  # a power cut: the JSON reached the disk, the image did not
    (frames / "000005.json").write_bytes(b"")
    (frames / "000006.intensity.tif").write_bytes(b"II")
    (frames / ".000007.intensity.tif.0123abcd.tmp").write_bytes(b"half a fi")
    (tmp_path / "killed" / ".dataset.json.0123abcd.tmp").write_bytes(b"{")
    (tmp_path / "killed" / "recipe.yaml").unlink()
    made = export(tmp_path / "killed")
    assert [progress.index for progress in made] == [3, 4, 5, 6]
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


def test_a_limit_makes_the_first_frames_and_a_larger_one_goes_on(tmp_path):
    export(tmp_path / "whole")
    first = export(tmp_path / "parts", limit=5)
    assert [(made.done, made.total, made.index) for made in first] == [(n + 1, 5, n) for n in range(5)]
    second = export(tmp_path / "parts", limit=100)
    assert [(made.done, made.total, made.index) for made in second] == [(n + 1, 12, n) for n in range(5, 12)]
    assert export(tmp_path / "parts") == []
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")
    with pytest.raises(Sim2RealError, match="at least one"):
        export(tmp_path / "parts", limit=0)


def test_cancelling_keeps_the_frames_made(tmp_path):
    recipe = ToyRecipe()
    with open_writer(tmp_path / "d", recipe) as writer:
        made = []
        for progress in run_job(ToySimulation(recipe), writer, cancelled=lambda: len(made) == 4):
            made.append(progress.index)
    assert Dataset.open(tmp_path / "d").indices == (0, 1, 2, 3)


def test_a_file_size_limit_is_a_clear_error_and_the_run_can_go_on(tmp_path):
    """RLIMIT_FSIZE makes writes fail with EFBIG, as a full disk makes them fail with ENOSPC."""
    recipe = ToyRecipe(views=ToyViews(count=4, width_px=200, height_px=160))
    export(tmp_path / "d", recipe, limit=2)
    process = start(tmp_path / "d", recipe, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000,) * 2))
    _, message = process.communicate()
    assert process.returncode == 1
    assert "no space" in message
    assert "2 of 4 frames are complete" in message
    assert "same command" in message
    assert not list((tmp_path / "d").rglob("*.tmp"))
    export(tmp_path / "d", recipe)
    assert list(check_dataset(tmp_path / "d")) == []


@pytest.fixture
def tiny_disk(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", disk], capture_output=True).returncode != 0:
        pytest.skip("mounting a tmpfs is not permitted here")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_full_disk_is_a_clear_error_and_the_run_goes_on_when_there_is_room(tiny_disk, tmp_path):
    recipe = ToyRecipe(views=ToyViews(count=12, width_px=200, height_px=160))
    with pytest.raises(Sim2RealError, match=r"no space.* of 12 frames are complete"):
        export(tiny_disk / "d", recipe)
    complete = len(Dataset.open(tiny_disk / "d"))
    assert 0 < complete < 12
    problems = list(check_dataset(tiny_disk / "d"))
    assert [problem.where for problem in problems] == ["frames"], "a failed frame left something behind"
    subprocess.run(["mount", "-o", "remount,size=8m", tiny_disk], check=True)
    assert len(export(tiny_disk / "d", recipe)) == 12 - complete
    export(tmp_path / "whole", recipe)
    assert contents(tiny_disk / "d") == contents(tmp_path / "whole")


def test_a_folder_that_cannot_be_written_is_a_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Sim2RealError, match="is a file"):
        export(tmp_path / "file")
    with pytest.raises(Sim2RealError, match="cannot be written"):
        export(tmp_path / "file" / "below")
    if os.path.isdir("/proc"):
        with pytest.raises(Sim2RealError, match="cannot be written"):
            export(Path("/proc/no_such_place"))


def test_another_recipe_is_refused_naming_the_field(tmp_path):
    export(tmp_path / "d")
    before = contents(tmp_path / "d")
    with pytest.raises(Sim2RealError, match=r"views\.count is 12, now 20"):
        export(tmp_path / "d", ToyRecipe(views=ToyViews(count=20)))
    assert contents(tmp_path / "d") == before


def test_a_dataset_of_other_software_is_refused_naming_it(tmp_path):
    export(tmp_path / "d", limit=1)
    path = tmp_path / "d" / "dataset.json"
    content = json.loads(path.read_text())
    content["software"]["numpy"] = "0.9"
    path.write_text(json.dumps(content))
    with pytest.raises(Sim2RealError, match=r"software\.numpy is 0\.9"):
        export(tmp_path / "d")


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path):
    (tmp_path / "recipe.yaml").write_text("the only copy of my recipe")
    with pytest.raises(Sim2RealError, match="neither empty nor a dataset"):
        export(tmp_path)
    assert contents(tmp_path) == {"recipe.yaml": b"the only copy of my recipe"}


def test_a_second_process_on_the_same_folder_is_refused(tmp_path):
    recipe = ToyRecipe(views=ToyViews(count=3))
    with open_writer(tmp_path / "d", recipe):
        process = start(tmp_path / "d", recipe)
        _, message = process.communicate()
    assert process.returncode == 1
    assert "another process" in message
    export(tmp_path / "d", recipe)


def test_images_that_were_not_announced_are_a_bug_of_the_simulator(tmp_path):
    recipe = ToyRecipe()
    frame = ToySimulation(recipe).frame(0)
    with open_writer(tmp_path / "d", recipe) as writer:
        with pytest.raises(ValueError, match="channels"):
            writer.commit(0, type(frame)({"intensity": frame.channels["intensity"]}, frame.record))
        wrong = {**frame.channels, "intensity": frame.channels["intensity"].astype("float64")}
        with pytest.raises(ValueError, match="float64"):
            writer.commit(0, type(frame)(wrong, frame.record))
