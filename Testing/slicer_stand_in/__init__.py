"""A strict stand-in for the parts of the Slicer application that are not published as packages.

`install()` puts `qt`, `ctk`, `slicer.app` and the rest in place over PySide6 and the real slicer-core, so that a
scripted module runs unchanged. In a genuine Slicer it does nothing. See README.md.
"""

import os
import sys
import types


def is_genuine() -> bool:
    """Whether this Python is that of a real Slicer."""
    import slicer

    return hasattr(slicer, "app") and not hasattr(slicer, "_stand_in")


def install() -> None:
    """Make `import qt`, `import slicer`, … mean the stand-in; a second call changes nothing."""
    import slicer

    if not hasattr(slicer, "app"):
        choose_platforms()
        _install(slicer)


def _install(slicer: types.ModuleType) -> None:
    from . import (
        ctk_widgets,
        error_log,
        packaging,
        parameter_nodes,
        qmrml_widgets,
        qt_namespace,
        sample_data,
        scripted_module,
    )
    from .application import qSlicerApplication

    error_log.listen()
    slicer._stand_in = True
    sys.modules["qt"] = qt_namespace.make_qt_module()
    sys.modules["ctk"] = ctk_widgets.make_ctk_module()
    sys.modules["SampleData"] = sample_data.make_module()
    for module in (
        scripted_module.make_module(),
        parameter_nodes.make_module(),
        packaging.make_module(),
        make_i18n_module(),
    ):
        sys.modules[module.__name__] = module
        setattr(slicer, module.__name__.rpartition(".")[2], module)
    for cls in (
        *qmrml_widgets.SLICER_WIDGETS,
        scripted_module.qSlicerScriptedLoadableModule,
        scripted_module.qSlicerScriptedLoadableModuleWidget,
    ):
        setattr(slicer, cls.__name__, cls)
    slicer.app = qSlicerApplication()
    slicer.app.start()


def choose_platforms() -> None:
    """Qt off screen, VTK by EGL: where nothing else is asked for, no display is needed."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    os.environ.setdefault("PYSIDE6_OPTION_PYTHON_ENUM", "0x02")  # enumerators are integers, as PythonQt's
    if sys.platform == "linux":
        os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")


def make_i18n_module() -> types.ModuleType:
    """The module `slicer.i18n`: texts stay in English."""
    module = types.ModuleType("slicer.i18n", "Translation of texts, which leaves them in English.")
    module.tr = lambda text, _disambiguation=None, _count=-1: text
    module.translate = lambda _context, text, _disambiguation=None, _count=-1: text
    return module
