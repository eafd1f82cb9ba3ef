"""What works on this machine, and what to install for the rest."""

import os
import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from . import __version__
from .engine import BACKEND_NAMES, available_memory_bytes, backend_problem, open_backend
from .errors import Sim2RealError

MINIMUM_FREE_DISK_GB = 5.0


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `needed`: exports do not run without it."""

    name: str
    works: bool
    detail: str
    needed: bool = False


LEARN = "pip install 'surgical-sim2real[learn]'"
"""How torch is installed outside of Slicer."""


def examine(folder: Path, torch_remedy: str = LEARN) -> Iterator[Finding]:
    """Look at the backends, a kernel, torch, and the disk under `folder`, where datasets would go.

    torch_remedy: how the user installs torch, in words.
    """
    yield Finding(
        "surgical-sim2real", True, f"{__version__}, Python {platform.python_version()}, {platform.platform()}"
    )
    problems = {name: backend_problem(name) for name in BACKEND_NAMES}
    yield Finding(
        "compute backend",
        None in problems.values(),
        f"auto takes {open_backend().name}" if None in problems.values() else "none works; see below",
        needed=True,
    )
    for name, problem in problems.items():
        yield Finding(name, problem is None, problem or _backend_detail(name))
    yield _torch(torch_remedy)
    yield _disk(folder)


def _backend_detail(name: str) -> str:
    import drjit as dr

    backend = open_backend(name)
    numbers = dr.arange(backend.arrays.Float, 1000)
    if dr.sum(dr.minimum(numbers, 1)).numpy()[0] != 999.0:
        raise Sim2RealError(f"The backend {name} computes wrong results. Update its driver or library.")
    memory = f"{available_memory_bytes(backend) / 1e9:.1f} GB free"
    if name == "llvm":
        llvm = ".".join(map(str, dr.detail.llvm_version()))
        return f"LLVM {llvm}, {dr.thread_count()} threads, {memory}, Dr.Jit {version('drjit')}"
    return f"{memory}, Dr.Jit {version('drjit')}"


def _torch(remedy: str) -> Finding:
    try:
        import torch
    except ModuleNotFoundError:
        return Finding("torch", False, f"not installed; the torch Dataset and models need it: {remedy}")
    except (ImportError, OSError) as error:
        return Finding("torch", False, f"cannot be loaded ({error}); install it again")
    cuda = "works" if torch.cuda.is_available() else "not available"
    return Finding("torch", True, f"{torch.__version__}, CUDA {cuda}")


def _disk(folder: Path) -> Finding:
    if not os.access(folder, os.W_OK):
        return Finding("disk", False, f"{folder} cannot be written; go to a folder of your own", needed=True)
    free_gb = shutil.disk_usage(folder).free / 1e9
    enough = free_gb >= MINIMUM_FREE_DISK_GB
    remedy = "" if enough else f"; make room, datasets need {MINIMUM_FREE_DISK_GB:.0f} GB and more"
    return Finding("disk", enough, f"{free_gb:.0f} GB free in {folder}{remedy}", needed=True)
