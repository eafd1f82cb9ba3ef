"""The compute backend: which one, whether it can be used here, how much memory it has.

Kernels are written once over the array types of a backend, `Backend.arrays`: ``arrays.Float``, ``arrays.UInt32`` and so
on, from ``drjit.cuda.ad``, ``drjit.metal.ad`` or ``drjit.llvm.ad``.
"""

import gc
import importlib
import os
from dataclasses import dataclass
from types import ModuleType

from . import llvm
from .errors import Sim2RealError

BACKEND_NAMES = ("cuda", "metal", "llvm")
"""In the order in which ``auto`` prefers them."""

MEMORY_RESERVE = 0.1
"""Share of the free memory that is left to others."""


@dataclass(frozen=True)
class Backend:
    """A usable backend: its name and the module with its differentiable array types."""

    name: str
    arrays: ModuleType


def drjit_problem() -> str | None:
    """Why Dr.Jit itself cannot be loaded, with what to do about it; None if it can."""
    try:
        import drjit  # noqa: F401
    except (ImportError, NameError) as error:  # Dr.Jit answers a missing system library with a NameError of its own
        return (
            f"Dr.Jit cannot be loaded ({error.__context__ or error}). Install the system library it misses "
            "(libatomic.so.1: sudo apt-get install libatomic1, or sudo dnf install libatomic), or drjit again."
        )
    return None


def backend_problem(name: str) -> str | None:
    """Why backend `name` cannot be used on this machine, with what to do about it; None if it can."""
    if problem := drjit_problem():
        return problem
    import drjit as dr

    if name == "llvm" and (problem := _llvm_problem(dr.detail.llvm_version())):
        return problem
    kind = getattr(dr.JitBackend, {"cuda": "CUDA", "metal": "Metal", "llvm": "LLVM"}[name], None)
    if kind is None or not dr.has_backend(kind):
        return {
            "cuda": "No NVIDIA GPU with a working driver was found.",
            "metal": "No Apple GPU was found.",
            "llvm": f"Dr.Jit could not start LLVM. Install {llvm.install_instructions()}.",
        }[name]
    return None


def _llvm_problem(version: tuple[int, int, int]) -> str | None:
    """What is wrong with the LLVM that Dr.Jit has loaded; its version is negative if it could load none."""
    if version[0] >= llvm.MINIMUM_LLVM:
        return None
    found = "no LLVM that Dr.Jit can use"
    if version[0] > 0:
        found = f"LLVM {version[0]}.{version[1]}, on which kernels crash"
    if library := os.environ.get("DRJIT_LIBLLVM_PATH"):
        return f"DRJIT_LIBLLVM_PATH={library} is {found}. Unset it; what is needed is {llvm.install_instructions()}."
    return f"There is {found}. Install {llvm.install_instructions()}."


def open_backend(name: str = "auto") -> Backend:
    """The named backend, or for ``auto`` the first of CUDA, Metal and LLVM that works here.

    Raises Sim2RealError, saying what to install, before any kernel could crash the process.
    """
    if name != "auto" and name not in BACKEND_NAMES:
        raise Sim2RealError(f"Unknown backend '{name}'. Choose auto, {', '.join(BACKEND_NAMES)}.")
    problems = {}
    for candidate in BACKEND_NAMES if name == "auto" else (name,):
        problems[candidate] = backend_problem(candidate)
        if problems[candidate] is None:
            return Backend(candidate, importlib.import_module(f"drjit.{candidate}.ad"))
    raise Sim2RealError(problems[candidate] if name != "auto" else f"No compute backend works here. {problems['llvm']}")


def set_thread_count(count: int) -> None:
    """Let CPU kernels of this process use `count` threads."""
    import drjit as dr

    dr.set_thread_count(count)


def available_memory_bytes(backend: Backend) -> int:
    """Memory that an allocation on `backend` can still get: of the GPU for CUDA, of the machine otherwise."""
    if backend.name == "cuda":
        import pynvml

        pynvml.nvmlInit()
        try:
            return int(pynvml.nvmlDeviceGetMemoryInfo(pynvml.nvmlDeviceGetHandleByIndex(0)).free)
        finally:
            pynvml.nvmlShutdown()
    import psutil

    return int(psutil.virtual_memory().available)


def require_memory(backend: Backend, needed_bytes: int, what: str, remedy: str) -> None:
    """Raise Sim2RealError if `what` would not fit into the memory of `backend`; to be called before allocating."""
    available = available_memory_bytes(backend)
    if needed_bytes > (1.0 - MEMORY_RESERVE) * available:
        raise Sim2RealError(
            f"{what} needs {needed_bytes / 1e9:.1f} GB, {available / 1e9:.1f} GB are free ({backend.name}). {remedy}"
        )


def release_memory() -> None:
    """Give the memory that Dr.Jit keeps for reuse back to the system."""
    import drjit as dr

    gc.collect()
    dr.sync_thread()
    dr.flush_malloc_cache()
