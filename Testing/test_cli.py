"""The commands as a user calls them: from any folder, with spaces in paths, interrupted, killed, and with mistakes."""

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import drjit as dr
import h5py
import numpy as np
import pytest
import SimpleITK as sitk

from Sim2RealApp import cli
from Sim2RealLib.engine import open_backend
from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.models import list_models
from toy_export import contents

RECIPE = str(Path(__file__).resolve().parents[1] / "Resources" / "Recipes" / "pelvis_drr.yaml")
DEVICE = (
    "{name: small, width_px: 160, height_px: 120, pixel_mm: 2.4, "
    "source_to_detector_mm: 1200, source_to_isocenter_mm: 800}"
)
FRAMES = 40
SMALL = [f"--set=views.count={FRAMES}", "--set=input.anatomy.spacing_mm=4", f"--set=carm.device={DEVICE}"]
PROGRAM = [sys.executable, "-c", "from Sim2RealApp.cli import main; main()"]


def start(*arguments: str, folder: Path, **options) -> subprocess.Popen:
    """The command in a process group of its own, as a shell starts it."""
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.Popen([*PROGRAM, *arguments], cwd=folder, text=True, start_new_session=True, **options)


def sim2real(*arguments: str, folder: Path) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of the command, run in `folder`."""
    process = start(*arguments, folder=folder)
    out, err = process.communicate(timeout=100)
    return process.returncode, out, err


@pytest.fixture
def here(tmp_path, monkeypatch, capsys):
    """The command in this process, which is quicker; its files go to tmp_path."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["sim2real", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return ended.value.code or 0, *capsys.readouterr()

    return run


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    """A dataset made in one go; its parent is the folder it was made in."""
    folder = tmp_path_factory.mktemp("a folder")
    code, out, err = sim2real("export", RECIPE, *SMALL, "--out", "data set", folder=folder)
    assert (code, err) == (0, "")
    assert "data set/report.html" in out
    return folder / "data set"


def committed(folder: Path) -> list[Path]:
    return sorted(folder.glob("frames/*/*.json"))


def await_frames(folder: Path, count: int, process: subprocess.Popen) -> None:
    give_up = time.monotonic() + 60
    while len(committed(folder)) < count:
        assert process.poll() is None, f"it ended before frame {count}"
        assert time.monotonic() < give_up
        time.sleep(0.002)


# help and mistakes


COMMANDS = ("demo", "export", "check", "report", "convert", "reconstruct", "doctor", "bench", "models", "models list")


def test_the_models_are_listed_with_what_was_measured(here):
    code, out, _err = here("models", "list")
    assert code == 0
    for card in list_models():
        assert all(part in " ".join(out.split()) for part in (card.id, card.trained_on, card.metrics[0].measured_on))


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_every_command_explains_itself(command, here):
    code, out, err = here(*command.split(), "--help")
    assert (code, err) == (0, "")
    assert "Usage: " in out
    if not command:
        assert all(name in out for name in COMMANDS if " " not in name)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        (["vews.count=3"], "vews is unknown, did you mean views?"),
        (["views.count=0"], "views.count: 0, must be greater than or equal to 1"),
        (["views.count=many"], "views.count: 'many', must be"),
        (["carm.device=toy"], "must be one of siemens_cios_fusion"),
        (["simulator=toy"], "simulator is 'toy'; it must be one of drr"),
        (["input.volume=ct.nii", "input.anatomy.seed=2"], "either a volume or an anatomy"),
        (["input.labels=labels.nii"], "labels and landmarks need a volume"),
        (["input.volume=../no where/ct.nii"], "no where/ct.nii does not exist"),
        (["seed"], "--set seed: write it as name=value"),
        (["views.count=[1"], "not valid YAML"),
    ],
)
def test_a_wrong_recipe_is_refused_in_one_line_before_anything_is_written(settings, complaint, here, tmp_path):
    code, out, err = here("export", RECIPE, "--out", "out", *(f"--set={setting}" for setting in settings))
    assert (code, out) == (1, "")
    assert complaint in err
    assert err.startswith("Error: ")
    assert err.strip().count("\n") == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (["export", "missing.yaml", "--out", "out"], 1, "missing.yaml: the recipe cannot be read"),
        (["export", RECIPE, "--out", "out", "--backend", "opencl"], 1, "Unknown backend 'opencl'"),
        (["export", RECIPE], 2, "--out"),
        (["export", RECIPE, "--out", "out", "--limit", "0"], 2, "--limit"),
        (["export", RECIPE, "--out", "out", "--workers", "0"], 2, "--workers"),
        (["export", RECIPE, "--out", "out", "--workers", "1", "--scheduler", "tcp://x"], 2, "--scheduler"),
        (["check", "nothing"], 1, "nothing is not a dataset"),
        (["report", "nothing"], 1, "nothing is not a dataset"),
        (["convert", "nothing", "--to", "coco", "--out", "out"], 1, "nothing is not a dataset"),
        (["bench", "everything"], 1, "There is no benchmark 'everything'; there is drr"),
        (["paint"], 2, "paint"),
    ],
)
def test_a_wrong_command_is_refused_before_anything_is_written(arguments, code, complaint, here, tmp_path):
    found, _, err = here(*arguments)
    assert found == code
    assert complaint in err
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


def test_verbose_shows_where_an_error_came_from(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["sim2real", "--verbose", "check", "nothing"])
    monkeypatch.setattr(cli._State, "verbose", False)
    with pytest.raises(Sim2RealError, match="not a dataset"):
        cli.main()


@pytest.mark.parametrize("place", ["a file/below", "full"])
def test_a_folder_that_cannot_be_the_datasets_is_refused_and_left_alone(place, here, tmp_path):
    (tmp_path / "a file").write_text("kept")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("kept")
    before = contents(tmp_path)
    code, _, err = here("export", RECIPE, *SMALL, "--out", place)
    assert code == 1
    assert str(place) in err
    assert err.strip().count("\n") == 0
    assert contents(tmp_path) == before


# export, stopped and continued


def test_a_limit_is_continued_by_a_larger_one_to_the_same_bytes_and_a_rerun_changes_nothing(dataset, here, tmp_path):
    out = tmp_path / "part"
    assert here("export", RECIPE, *SMALL, "--out", out, "--limit", "5")[0] == 0
    assert len(committed(out)) == 5
    code, _, err = here("check", out)
    assert code == 1
    assert "1 problem found" in err
    assert here("export", RECIPE, *SMALL, "--out", out)[0] == 0
    assert contents(out) == contents(dataset)
    times = {path: path.stat().st_mtime_ns for path in out.rglob("frames/*/*")}
    assert here("export", RECIPE, *SMALL, "--out", out)[0] == 0
    assert {path: path.stat().st_mtime_ns for path in out.rglob("frames/*/*")} == times
    assert contents(out) == contents(dataset)


def test_another_recipe_does_not_continue_a_dataset(dataset, here):
    before = contents(dataset)
    code, _, err = here("export", RECIPE, *SMALL, "--set=seed=7", "--out", dataset)
    assert code == 1
    assert "in its recipe, seed is 1, now 7" in err
    assert contents(dataset) == before


def test_killed_at_random_instants_and_continued_gives_the_same_bytes(dataset, tmp_path):
    chance = random.Random(3)
    for frames in (0, 8):
        process = start("export", RECIPE, *SMALL, "--out", "out", folder=tmp_path)
        await_frames(tmp_path / "out", frames, process)
        time.sleep(chance.uniform(0, 0.03 if frames else 1.0))
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
    assert sim2real("export", RECIPE, *SMALL, "--out", "out", folder=tmp_path)[::2] == (0, "")
    assert contents(tmp_path / "out") == contents(dataset)


@pytest.mark.parametrize(
    "workers", [[], pytest.param(["--workers", "2"], marks=pytest.mark.slow)], ids=["here", "workers"]
)
def test_interrupted_it_says_so_in_one_line_and_the_other_way_of_running_goes_on_to_the_same_bytes(
    workers, dataset, tmp_path
):
    arguments = ["export", RECIPE, *SMALL, "--out", "out"]
    process = start(*arguments, *workers, folder=tmp_path)
    await_frames(tmp_path / "out", 2, process)
    os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to the workers too
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err == "Stopped. What is finished is kept; the same command goes on from there.\n"
    assert len(committed(tmp_path / "out")) < FRAMES
    arguments += [] if workers else ["--workers", "2"]
    assert sim2real(*arguments, folder=tmp_path)[::2] == (0, "")
    assert contents(tmp_path / "out") == contents(dataset)


def test_an_interruption_is_known_where_dr_jit_makes_another_error_of_it():
    def interrupted(number):
        raise KeyboardInterrupt

    arrays = open_backend("llvm").arrays
    with pytest.raises(RuntimeError) as caught:
        dr.while_loop((arrays.Float(1.0),), lambda number: number < 10.0, interrupted)
    assert cli._is_interruption(caught.value)
    assert not cli._is_interruption(RuntimeError("out of memory"))


# check


def rewrite_record(folder: Path, index: int, change) -> None:
    path = committed(folder)[index]
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))


def flip_a_byte(folder: Path) -> None:
    path = folder / "frames/000/000002.intensity.tif"
    data = bytearray(path.read_bytes())
    data[-100] ^= 1
    path.write_bytes(data)


def move_a_landmark(folder: Path) -> None:
    def change(record):
        landmark = next(entry for entry in record["landmarks"].values() if entry["visible"])
        landmark["position_px"][0] += 0.01

    rewrite_record(folder, 2, change)


def tilt_the_camera(folder: Path) -> None:
    def change(record):
        pose = np.array(record["camera"]["camera_from_world"])
        pose[:3, 3] += [0, 0, 1e-3]
        record["camera"]["camera_from_world"] = pose.tolist()

    rewrite_record(folder, 2, change)


def swap_displays(folder: Path) -> None:
    """Frame 2 shows frame 5's picture, with checksum and size put right."""
    data = (folder / "frames/000/000005.display.png").read_bytes()
    (folder / "frames/000/000002.display.png").write_bytes(data)
    fault = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    rewrite_record(folder, 2, lambda record: record["files"]["display"].update(fault))


def lose_a_frame(folder: Path) -> None:
    committed(folder)[2].unlink()


def edit_the_recipe(folder: Path) -> None:
    path = folder / "recipe.yaml"
    path.write_text(path.read_text().replace("seed: 1", "seed: 2", 1))


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (flip_a_byte, "000002.intensity.tif: damaged: its checksum"),
        (move_a_landmark, "000002.json: landmark"),
        (tilt_the_camera, "000002.json: camera_from_world is not that of the C-arm's angles"),
        (swap_displays, "000002.json: the display image is not the intensity"),
        (lose_a_frame, f"1 of {FRAMES} frames are missing: 2"),
        (edit_the_recipe, "recipe.yaml: is not the recipe"),
    ],
)
def test_check_finds_what_was_tampered_with_and_nothing_else(damage, complaint, dataset, here, tmp_path):
    copy = Path(shutil.copytree(dataset, tmp_path / "copy"))
    damage(copy)
    code, out, err = here("check", "copy")
    assert code == 1
    assert complaint in out
    assert all("000002" in line or "frames: " in line or "recipe" in line for line in out.splitlines())
    assert err.startswith("Error: copy: ")
    assert err.endswith(" found.\n")


def test_check_accepts_a_moved_dataset_and_makes_it_again_from_its_recipe(dataset, here, tmp_path):
    shutil.copytree(dataset, tmp_path / "elsewhere" / "moved")
    for arguments in (["check", "elsewhere/moved"], ["check", "--input", "elsewhere/moved"]):
        code, out, err = here(*arguments)
        assert (code, err) == (0, ""), out
        assert "complete and sound" in out


@pytest.fixture(scope="module")
def patient(tmp_path_factory) -> Path:
    """A folder with a CT of a ball in a ball and its labels, as files."""
    folder = tmp_path_factory.mktemp("patient")
    z, y, x = np.ogrid[-20:20, -20:20, -20:20]
    radius = np.sqrt(x**2 + y**2 + z**2) * 4.0
    hu = np.where(radius < 70, 40, -1000).astype(np.int16)
    hu[radius < 25] = 900
    labels = (radius < 25).astype(np.uint8) * 25
    for name, array in (("ct", hu), ("labels", labels)):
        image = sitk.GetImageFromArray(array)
        image.SetSpacing((4.0, 4.0, 4.0))
        sitk.WriteImage(image, str(folder / f"{name}.nii.gz"))
    return folder


def test_files_named_on_the_command_line_count_from_where_it_runs_and_check_compares_with_them(patient, here):
    ct, labels = (os.path.relpath(patient / f"{name}.nii.gz") for name in ("ct", "labels"))
    files = [f"--set=input.volume={ct}", f"--set=input.labels={labels}", f"--set=carm.device={DEVICE}"]
    assert not Path(ct).is_absolute()
    code, _, err = here("export", RECIPE, *files, "--set=views.count=3", "--out", "out here")
    assert (code, err) == (0, "")
    record = json.loads(committed(Path("out here"))[0].read_text())
    # The labelled ball, 25 mm in radius, is magnified by 1200 / 800 at the isocentre onto pixels of 2.4 mm. Its edge is
    # made of voxels of 4 mm, and the isocentre is up to 30 mm nearer to the source or further away.
    assert record["masks"]["25"]["area_px"] == pytest.approx(np.pi * (25 * 1.5 / 2.4) ** 2, rel=0.2)
    assert here("check", "out here", "--input")[0] == 0

    image = sitk.ReadImage(str(patient / "ct.nii.gz"))
    image[20, 20, 20] = 901
    sitk.WriteImage(image, str(patient / "ct.nii.gz"))
    code, out, _ = here("check", "out here", "--input")
    assert code == 1
    assert "dataset.json: its inputs are not those that the recipe finds now" in out
    assert here("check", "out here")[0] == 0


# the other commands


def test_report_and_conversions_of_a_dataset(dataset, here, tmp_path):
    copy = Path(shutil.copytree(dataset, tmp_path / "copy"))
    before = contents(copy)
    (copy / "report.html").unlink()
    assert here("report", "copy")[0] == 0
    assert contents(copy) == before
    for name in ("coco", "dicom", "webdataset", "hdf5"):
        code, _, err = here("convert", "copy", "--to", name, "--out", f"as {name}")
        assert (code, err) == (0, "")
    assert len(json.loads((tmp_path / "as coco/annotations.json").read_text())["images"]) == FRAMES
    assert (tmp_path / "as webdataset/000.tar").stat().st_size > 0
    with h5py.File(tmp_path / "as hdf5/dataset.h5") as file:
        assert file["channels/intensity"].shape == (FRAMES, 120, 160)
    code, _, err = here("convert", "copy", "--to", "cocoo", "--out", "no")
    assert code == 1
    assert "possible are c3vd, coco, dicom, hdf5, simcol, webdataset" in err
    assert here("convert", "copy", "--to", "coco", "--out", "as coco")[0] == 1
    assert contents(copy) == before


def test_models_and_doctor(here):
    assert here("models", "list")[0] == 0
    code, out, err = here("doctor")
    assert (code, err) == (0, "")
    assert "compute backend: auto takes" in out


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a pseudo-terminal")
def test_a_progress_bar_is_drawn_on_a_terminal_only(dataset):
    terminal, other_end = os.openpty()
    environment = os.environ | {"TERM": "xterm"}
    process = start("check", "data set", folder=dataset.parent, stderr=other_end, env=environment)
    os.close(other_end)
    drawn = b""
    try:
        while chunk := os.read(terminal, 4096):
            drawn += chunk
    except OSError:  # how Linux says that nobody writes to the terminal any more
        pass
    assert process.wait(timeout=30) == 0
    assert b"Checking" in drawn
    assert sim2real("check", "data set", folder=dataset.parent)[2] == ""
