"""Find an LLVM library on which Dr.Jit's CPU backend runs.

LLVM 14 is refused by Dr.Jit with a misleading message, 15 and 16 abort the process at the first float minimum, 17 and
18 are untested; 19 to 22 work. Dr.Jit reads DRJIT_LIBLLVM_PATH while it is imported and by itself takes the newest
library that it finds in two folders, so that the choice has to be made before the import. Nothing is imported here.
"""

import glob
import os
import platform
import re
import sys

MINIMUM_LLVM = 19

_LIBRARY_PATTERNS = {
    "linux": (
        f"/usr/lib/{platform.machine()}-linux-gnu/libLLVM[-.]*so*",
        "/usr/lib/llvm*/lib/libLLVM[-.]*so*",
        "/usr/lib64/libLLVM[-.]*so*",
        "/usr/lib64/llvm*/lib/libLLVM[-.]*so*",
        "/usr/local/lib/libLLVM[-.]*so*",
        os.path.join(sys.prefix, "lib", "libLLVM[-.]*so*"),
    ),
    "darwin": (
        "/opt/homebrew/opt/llvm*/lib/libLLVM[-.]*dylib",
        "/usr/local/opt/llvm*/lib/libLLVM[-.]*dylib",
        os.path.join(sys.prefix, "lib", "libLLVM[-.]*dylib"),
    ),
    "win32": (
        os.path.join(os.environ.get("PROGRAMFILES", r"C:\Program Files"), "LLVM", "bin", "LLVM-C.dll"),
        os.path.join(sys.prefix, "Library", "bin", "LLVM*.dll"),
    ),
}

_INSTALL_COMMANDS = {
    "linux": "sudo apt-get install libllvm19 (Debian, Ubuntu) or sudo dnf install llvm-libs (Fedora)",
    "darwin": "brew install llvm",
    "win32": "winget install LLVM.LLVM",
}


def library_version(path: str) -> int | None:
    """The major version that a library's path states (libLLVM-19.so, libLLVM.so.19.1, llvm@20/…); None if none."""
    versions = re.findall(r"(?:LLVM-|LLVM\.so\.|llvm@?-?)(\d+)", path)
    return int(versions[-1]) if versions else None


def point_drjit_to_llvm() -> None:
    """Set DRJIT_LIBLLVM_PATH to the newest usable library, unless it is set or there is none.

    A library whose path states no version (Windows, Homebrew) is taken where no other is usable: `engine` looks at its
    version before the first kernel.
    """
    if os.environ.get("DRJIT_LIBLLVM_PATH"):
        return
    found = (path for pattern in _LIBRARY_PATTERNS.get(sys.platform, ()) for path in sorted(glob.glob(pattern)))
    versions = {path: library_version(path) for path in found}
    usable = [path for path, version in versions.items() if version is None or version >= MINIMUM_LLVM]
    if usable:
        os.environ["DRJIT_LIBLLVM_PATH"] = max(usable, key=lambda path: versions[path] or 0)


def install_instructions() -> str:
    """The command that installs a usable LLVM on this system."""
    command = _INSTALL_COMMANDS.get(sys.platform, f"your package manager on {platform.system()}")
    return f"LLVM {MINIMUM_LLVM} or newer: {command}"
