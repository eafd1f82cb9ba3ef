"""The tests of the modules in a genuine Slicer, for anyone who has one.

    Slicer --additional-module-paths Sim2Real DRRSim DepthSim Translate --python-script Testing/run_in_slicer.py

What follows ``--`` goes to pytest: ``… run_in_slicer.py -- -k carm``. Slicer ends with exit code 0 only if all tests
and the self-tests of all modules passed. Without Slicer the same file runs on the stand-in, by ``python``.
"""

import sys
import traceback
from pathlib import Path

TESTING = Path(__file__).resolve().parent
MODULES = ("Sim2Real", "DRRSim", "DepthSim", "Translate")
OF_MODULES = (
    *("test_mrml_*.py", "test_panels_*.py", "test_drrsim_*.py", "test_depthsim_*.py", "test_translate_*.py"),
    *(
        "test_conebeam.py",
        "test_dicom_export.py",
        "test_material_network_panel.py",
        "test_sample_data.py",
        "test_scene_*.py",
        "test_tutorials.py",
    ),
)
"""The test files that need Slicer."""


def main(arguments: list[str]) -> int:
    """Run everything; the exit code."""
    sys.path[:0] = [str(TESTING), *(str(TESTING.parent / module) for module in MODULES)]
    import slicer_stand_in

    slicer_stand_in.install()
    import slicer

    if slicer_stand_in.is_genuine():
        from Sim2RealLib.panels.requirements import install_requirements

        slicer.packaging.pip_ensure(["pytest>=9"], requester="SurgicalSim2Real tests")
        if not install_requirements():
            raise SystemExit("Python packages of the modules are missing, see Resources/requirements.txt.")
    import pytest

    files = sorted(str(path) for pattern in OF_MODULES for path in TESTING.glob(pattern))
    code = int(pytest.main([*files, "--rootdir", str(TESTING.parent), *arguments]))
    return code or run_self_tests()


def run_self_tests() -> int:
    """`runTest` of every module that has a panel, as its button in Slicer's developer mode does."""
    import slicer

    import slicer_stand_in

    if not slicer_stand_in.is_genuine():
        from slicer_stand_in.scripted_module import load_scripted_module

        for module in MODULES:
            load_scripted_module(TESTING.parent / module / f"{module}.py")
        slicer.app.startupCompleted()
    failed = 0
    for module in MODULES[1:]:
        try:
            getattr(slicer.modules, f"{module}Instance").runTest()
            print(f"{module}: self-test passed")
        except Exception:
            traceback.print_exc()
            failed = 1
    return failed


if __name__ == "__main__":
    own = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else []
    code = main(own)
    import slicer_stand_in

    if not slicer_stand_in.is_genuine():
        sys.exit(code)
    import slicer

    slicer.util.exit(code)
