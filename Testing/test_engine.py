"""The compute backend: no LLVM ends the process, what is missing is said in a line, memory is refused and given back.

LLVM 14 and 15 are what Debian 12 brings with Mesa and clang; tests that need one of them are skipped without it.
"""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import drjit as dr
import numpy as np
import psutil
import pytest

from Sim2RealLib import engine, llvm
from Sim2RealLib.engine import (
    available_memory_bytes,
    backend_problem,
    open_backend,
    release_memory,
    require_memory,
    set_thread_count,
)
from Sim2RealLib.errors import Sim2RealError

LIBRARIES = Path(f"/usr/lib/{os.uname().machine}-linux-gnu") if hasattr(os, "uname") else Path()
COMMAND = "from Sim2RealApp.cli import main; main()"
RECIPE = str(Path(__file__).parents[1] / "Resources" / "Recipes" / "pelvis_drr.yaml")
NEW_LLVM = "LLVM 19 or newer"


def python(code: str, *arguments: str, llvm: Path | str | None = None, folder: Path | None = None):
    """Run `code` in a process of its own, with DRJIT_LIBLLVM_PATH set to `llvm` or not set."""
    environment = {name: value for name, value in os.environ.items() if name != "DRJIT_LIBLLVM_PATH"}
    if llvm is not None:
        environment["DRJIT_LIBLLVM_PATH"] = str(llvm)
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def installed(version: int) -> Path:
    path = LIBRARIES / f"libLLVM-{version}.so"
    if not path.exists():
        pytest.skip(f"LLVM {version} is not installed ({path})")
    return path


def no_library(kind: str, folder: Path) -> Path:
    path = folder / "libLLVM-19.so"
    if kind == "text":
        path.write_text("this is no library")
    elif kind == "folder":
        path.mkdir()
    return path


def require_no_gpu() -> None:
    if backend_problem("cuda") is None or backend_problem("metal") is None:
        pytest.skip("there is a GPU, with which these commands do without LLVM")


def llvm_backend() -> engine.Backend:
    if problem := backend_problem("llvm"):
        pytest.skip(problem)
    return open_backend("llvm")


def error_line(run: subprocess.CompletedProcess) -> str:
    """The one line of ours; Dr.Jit may have said something before it."""
    assert run.returncode == 1, run.stderr
    assert "Traceback" not in run.stderr
    lines = [line for line in run.stderr.splitlines() if line and not line.startswith("jit")]
    assert len(lines) == 1, run.stderr
    return lines[0]


@pytest.mark.parametrize(("version", "command"), [(14, "export"), (15, "export"), (15, "demo"), (15, "doctor")])
def test_an_old_llvm_is_refused_in_a_line_by_every_command(version, command, tmp_path):
    require_no_gpu()
    arguments = [RECIPE, "--out", "out"] if command == "export" else []
    run = python(COMMAND, command, *arguments, llvm=installed(version), folder=tmp_path)
    line = error_line(run)
    assert NEW_LLVM in (run.stdout if command == "doctor" else line)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("what", [14, 15, "text", "folder", "missing"])
def test_an_unusable_library_is_an_error_that_names_it_and_never_the_end_of_the_process(what, tmp_path):
    path = installed(what) if isinstance(what, int) else no_library(what, tmp_path)
    run = python(
        "from Sim2RealLib.engine import open_backend\n"
        "from Sim2RealLib.errors import Sim2RealError\n"
        "try: open_backend('llvm')\n"
        "except Sim2RealError as error: print(error)",
        llvm=path,
    )
    assert run.returncode == 0, run.stderr
    assert str(path) in run.stdout
    assert NEW_LLVM in run.stdout
    assert run.stdout.count("\n") == 1


CHOSEN = "import drjit, os; print(os.environ.get('DRJIT_LIBLLVM_PATH'), drjit.detail.llvm_version()[0])"


def test_the_newest_library_is_chosen_beside_an_old_one():
    installed(15)
    newest = installed(19)
    path, version = python(f"import Sim2RealLib; {CHOSEN}").stdout.split()
    assert llvm.library_version(path) >= llvm.library_version(str(newest))
    assert int(version) >= 19


def test_a_library_named_by_the_user_is_kept_and_an_empty_name_is_none(tmp_path):
    missing = str(tmp_path / "libLLVM-21.so")
    assert python(f"import Sim2RealLib; {CHOSEN}", llvm=missing).stdout.split() == [missing, "-1"]
    assert python(f"import Sim2RealLib; {CHOSEN}", llvm="").stdout == python(f"import Sim2RealLib; {CHOSEN}").stdout


@pytest.mark.parametrize("version", [15, 19])
def test_importing_drjit_first_is_safe(version):
    code = "import drjit, Sim2RealLib.engine as engine; print(engine.backend_problem('llvm'))"
    run = python(code, llvm=installed(version))
    assert run.returncode == 0, run.stderr
    assert (run.stdout == "None\n") == (version >= 19)


def test_kernels_run_on_what_was_opened():
    backend = open_backend()
    assert backend.arrays.__name__ == f"drjit.{backend.name}.ad"
    # the operation at which LLVM 15 aborts
    assert dr.minimum(dr.arange(backend.arrays.Float, 5), 2).numpy().tolist() == [0, 1, 2, 2, 2]


def test_auto_says_what_to_install_where_nothing_works(tmp_path):
    require_no_gpu()
    code = "from Sim2RealLib.engine import open_backend; open_backend()"
    run = python(code, llvm=tmp_path / "missing.so")
    assert "Sim2RealError: No compute backend works here" in run.stderr
    assert NEW_LLVM in run.stderr


def test_a_drjit_that_misses_a_system_library_is_a_line_and_no_traceback(tmp_path):
    # What drjit 1.5 does where libatomic.so.1 is not installed; an extension that is no ELF file fails to load alike.
    package = tmp_path / "drjit"
    package.mkdir()
    (package / "__init__.py").write_text(
        "try:\n    from . import _drjit_ext as _drjit_ext\nexcept ImportError:\n    filename = _drjit_ext.__file__\n"
    )
    (package / f"_drjit_ext{sysconfig.get_config_var('EXT_SUFFIX')}").write_bytes(b"\x7fELF and no more")
    at_front = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {COMMAND}"
    run = python(at_front, "export", RECIPE, "--out", str(tmp_path / "out"))
    assert "Dr.Jit cannot be loaded" in error_line(run)
    assert "_drjit_ext" in run.stderr  # the file at fault
    run = python(at_front, "doctor")
    assert "compute backend" in error_line(run)
    assert "torch" in run.stdout  # it goes on to the rest


def test_an_unknown_backend_is_refused_with_the_possible_ones():
    with pytest.raises(Sim2RealError, match=r"'opencl'.*auto, cuda, metal, llvm"):
        open_backend("opencl")


@pytest.mark.parametrize(
    ("path", "version"),
    [
        ("/usr/lib/x86_64-linux-gnu/libLLVM-14.0.6.so.1", 14),
        ("/usr/lib/x86_64-linux-gnu/libLLVM-19.so", 19),
        ("/usr/lib/x86_64-linux-gnu/libLLVM.so.19.1", 19),
        ("/usr/lib/llvm-20/lib/libLLVM.so", 20),
        ("/usr/lib64/llvm19/lib/libLLVM.so", 19),
        ("/opt/homebrew/opt/llvm@21/lib/libLLVM.dylib", 21),
        ("/home/ann/envs/llvm15/lib/libLLVM-19.so", 19),
        ("/opt/homebrew/opt/llvm/lib/libLLVM.dylib", None),
        (r"C:\Program Files\LLVM\bin\LLVM-C.dll", None),
    ],
)
def test_versions_are_read_from_the_paths_that_systems_use(path, version):
    assert llvm.library_version(path) == version


@pytest.mark.parametrize(
    ("there", "chosen"),
    [
        (["libLLVM-15.so", "libLLVM-19.so", "libLLVM-14.so"], "libLLVM-19.so"),
        (["libLLVM-19.so", "libLLVM.so.20.1"], "libLLVM.so.20.1"),
        (["libLLVM-15.so", "libLLVM.so"], "libLLVM.so"),
        (["libLLVM-19.so", "libLLVM.so"], "libLLVM-19.so"),
        (["libLLVM-15.so", "libLLVMSPIRVLib.so.19"], None),
    ],
)
def test_the_choice_among_the_libraries_of_a_folder(there, chosen, tmp_path, monkeypatch):
    for name in there:
        (tmp_path / name).touch()
    patterns = [str(tmp_path / Path(pattern).name) for pattern in llvm._LIBRARY_PATTERNS["linux"]]
    monkeypatch.setattr(llvm, "_LIBRARY_PATTERNS", {sys.platform: patterns})
    monkeypatch.setenv("DRJIT_LIBLLVM_PATH", "")
    llvm.point_drjit_to_llvm()
    assert os.environ["DRJIT_LIBLLVM_PATH"] == (str(tmp_path / chosen) if chosen else "")


def test_more_memory_than_there_is_is_refused_before_it_is_taken():
    backend = open_backend()
    available = available_memory_bytes(backend)
    with pytest.raises(Sim2RealError, match=r"^The grid needs .* GB, .* GB are free \(.*\)\. Crop it\.$"):
        require_memory(backend, 2 * available, "The grid", "Crop it.")
    require_memory(backend, available // 4, "The grid", "Crop it.")


def test_free_memory_is_that_of_the_machine():
    backend = llvm_backend()
    # other processes allocate between the two readings
    assert available_memory_bytes(backend) == pytest.approx(psutil.virtual_memory().available, rel=0.2)


def test_released_memory_goes_back_to_the_system():
    backend = llvm_backend()
    size = 256 * 2**20
    process = psutil.Process()
    release_memory()
    before = process.memory_info().rss
    array = dr.arange(backend.arrays.Float, size // 4) + 1
    dr.eval(array)
    dr.sync_thread()
    del array
    kept = process.memory_info().rss
    assert kept - before > 0.9 * size  # Dr.Jit keeps it for reuse
    release_memory()
    assert kept - process.memory_info().rss > 0.9 * size


def test_kernels_use_the_threads_they_are_given_and_give_the_same_numbers():
    backend = llvm_backend()
    threads = dr.thread_count()
    sines = []
    try:
        for count in (1, 3):
            set_thread_count(count)
            assert dr.thread_count() == count
            sines.append(dr.sin(dr.arange(backend.arrays.Float, 100_000)).numpy())
    finally:
        set_thread_count(threads)
    assert np.array_equal(*sines)


def test_backends_are_preferred_in_the_documented_order():
    assert engine.BACKEND_NAMES == ("cuda", "metal", "llvm")
    works = [name for name in engine.BACKEND_NAMES if backend_problem(name) is None]
    assert open_backend().name == open_backend("auto").name == works[0]
