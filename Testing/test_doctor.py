"""What `sim2real doctor` says is what this machine is."""

import os
import subprocess
import sys
from pathlib import Path

import drjit as dr
import pytest

from Sim2RealLib import __version__
from Sim2RealLib.doctor import Finding, examine
from Sim2RealLib.engine import BACKEND_NAMES, backend_problem, open_backend


def findings(folder: Path) -> dict[str, Finding]:
    return {finding.name: finding for finding in examine(folder)}


def test_every_backend_is_looked_at_and_the_first_that_works_is_named(tmp_path):
    found = findings(tmp_path)
    for name in BACKEND_NAMES:
        assert found[name].works == (backend_problem(name) is None)
        assert not found[name].needed  # one of them is enough
    assert found["compute backend"].needed
    assert found["compute backend"].detail == f"auto takes {open_backend().name}"
    assert __version__ in found["surgical-sim2real"].detail


def test_the_llvm_that_is_loaded_is_the_one_that_is_named(tmp_path):
    if problem := backend_problem("llvm"):
        pytest.skip(problem)
    loaded = ".".join(map(str, dr.detail.llvm_version()))
    assert f"LLVM {loaded}, {dr.thread_count()} threads" in findings(tmp_path)["llvm"].detail


@pytest.mark.skipif(not hasattr(os, "statvfs"), reason="needs statvfs to compare with")
def test_free_disk_is_that_of_the_folder(tmp_path):
    disk = os.statvfs(tmp_path)
    stated_gb = float(findings(tmp_path)["disk"].detail.split()[0])
    assert stated_gb == pytest.approx(disk.f_bavail * disk.f_frsize / 1e9, abs=2)  # others write meanwhile


def test_a_small_disk_and_a_folder_that_cannot_be_written_are_said_with_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr("Sim2RealLib.doctor.MINIMUM_FREE_DISK_GB", 1e9)
    disk = findings(tmp_path)["disk"]
    assert disk.needed
    assert not disk.works
    assert "make room" in disk.detail
    if os.geteuid() != 0:  # to root everything can be written
        tmp_path.chmod(0o500)
        disk = findings(tmp_path)["disk"]
        assert not disk.works
        assert "cannot be written" in disk.detail


def test_without_torch_it_says_how_to_install_it_and_exports_still_run():
    code = (
        "import sys; sys.modules['torch'] = None\nfrom Sim2RealApp.cli import main\nsys.argv[1:] = ['doctor']\nmain()"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr
    assert "torch: not installed" in run.stdout
    assert "surgical-sim2real[learn]" in run.stdout
