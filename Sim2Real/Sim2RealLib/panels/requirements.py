"""The Python packages and the compiler library that the modules need: what is missing, how large it is, how to get it.

Packages are installed by Slicer's own mechanism and torch by the PyTorch extension, each when the user asks for it;
LLVM, which the CPU kernels need, cannot be installed from here: the panel says how.
"""

import re
import subprocess
from collections.abc import Callable

import qt
import slicer
from slicer.i18n import tr as _

from ..resources import resource_path

BUNDLED_WITH_SLICER = ("numpy", "scipy", "SimpleITK", "pydicom", "pillow", "vtk")
"""Never installed from here: Slicer's own builds of them must stay."""
TORCH = ">=2.8"
_SIZE = re.compile(r"#\s*(\d+) MB\s*$")


def requirements() -> dict[str, int]:
    """What the modules need, as pip names it, and the megabytes of its download."""
    found = {}
    for line in resource_path("requirements.txt").read_text("utf-8").splitlines():
        if match := _SIZE.search(line):
            found[line[: match.start()].strip()] = int(match[1])
    return found


def missing_requirements() -> dict[str, int]:
    """Those of `requirements` that Slicer's Python does not have."""
    return {name: size for name, size in requirements().items() if not slicer.packaging.pip_check(name)}


def install_requirements() -> bool:
    """Ask the user, and install what is missing with Slicer's progress dialog; whether all is there now."""
    slicer.packaging.pip_ensure(
        list(requirements()), requester="SurgicalSim2Real", skip_packages=list(BUNDLED_WITH_SLICER)
    )
    return not missing_requirements()


def torch_problem() -> str | None:
    """What to do to have PyTorch, in words; None if it is there."""
    try:
        import PyTorchUtils
    except ModuleNotFoundError:
        try:
            import torch  # noqa: F401
        except ModuleNotFoundError:
            return _("Install the extension PyTorch with Slicer's Extensions Manager, and restart Slicer.")
        return None
    if PyTorchUtils.PyTorchUtilsLogic().torchInstalled():
        return None
    return _("PyTorch is not installed yet (0.2 to 3 GB, depending on your GPU).")


def install_torch() -> bool:
    """Let the PyTorch extension ask the user and install torch; whether it is there now."""
    import PyTorchUtils

    logic = PyTorchUtils.PyTorchUtilsLogic()
    return logic.installTorch(askConfirmation=True, torchVersionRequirement=TORCH) is not None


class MissingPackages:
    """What a panel shows in its place as long as packages are missing."""

    def __init__(self, installed: Callable[[], None]) -> None:
        missing = missing_requirements()
        self.widget = qt.QWidget()
        text, button = qt.QLabel(), qt.QPushButton(_("Install Python packages…"))
        text.objectName = "missingPackagesLabel"
        self._problem = qt.QLabel()
        self._problem.objectName = "installProblemLabel"
        self._problem.wordWrap = True
        button.objectName = "installPackagesButton"
        text.wordWrap = True
        names = ", ".join(f"{_name(requirement)} ({size} MB)" for requirement, size in missing.items())
        text.setText(
            _("This module needs Python packages that Slicer does not bring, about {size} MB: {names}.").format(
                size=sum(missing.values()), names=names
            )
        )
        column = qt.QVBoxLayout(self.widget)
        column.addWidget(text)
        column.addWidget(button)
        column.addWidget(self._problem)
        self._installed = installed
        button.connect("clicked(bool)", self._install)

    def _install(self, _checked: bool) -> None:
        try:
            done = install_requirements()
        except (RuntimeError, subprocess.CalledProcessError) as error:  # declined, or pip failed
            self._problem.setText(_("Not installed: {error}").format(error=error))
            return
        if done:
            self._installed()
        else:
            self._problem.setText(_("Some packages are still missing. Restart Slicer, then open this module again."))


def _name(requirement: str) -> str:
    return re.split(r"[<>=;!~ ]", requirement, maxsplit=1)[0]
