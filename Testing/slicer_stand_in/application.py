"""`slicer.app` and `slicer.modules`: the application around slicer-core's scene and module logics."""

import locale
import tempfile
import types
from pathlib import Path

import slicer
import vtk
from PySide6 import QtCore, QtWidgets
from PySide6.QtCore import Property, Signal

from .io_manager import CoreIOManager
from .layout_manager import qMRMLLayoutManager
from .main_window import SIZE_PX, qSlicerMainWindow
from .qt_rules import stands_for_native

MODULE_LOGICS = {
    "Terminologies": "vtkSlicerTerminologiesModuleLogic",
    "SubjectHierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
    "Colors": "vtkSlicerColorLogic",
    "Units": "vtkSlicerUnitsLogic",
    "Cameras": "vtkSlicerCamerasModuleLogic",
    "Volumes": "vtkSlicerVolumesLogic",
    "Models": "vtkSlicerModelsLogic",
    "Transforms": "vtkSlicerTransformLogic",
    "Markups": "vtkSlicerMarkupsLogic",
    "Segmentations": "vtkSlicerSegmentationsModuleLogic",
    "VolumeRendering": "vtkSlicerVolumeRenderingLogic",
    "CropVolume": "vtkSlicerCropVolumeLogic",
    "Sequences": "vtkSlicerSequencesLogic",
    "Tables": "vtkSlicerTablesLogic",
    "Texts": "vtkSlicerTextsLogic",
}
"""Modules of Slicer whose logic slicer-core has; one that a version lacks is not there."""


class CoreModule:
    """A module of Slicer without a panel: `slicer.modules.volumes`."""

    def __init__(self, name: str, logic: vtk.vtkObject) -> None:
        self.name, self.title, self.path = name, name, ""
        self._logic = logic

    def logic(self) -> vtk.vtkObject:
        return self._logic

    def widgetRepresentation(self) -> None:
        return None


class Modules(types.SimpleNamespace):
    """`slicer.modules`: a module by its name in lower case."""


@stands_for_native
class qSlicerModuleManager(QtCore.QObject):
    """The modules by name."""

    moduleLoaded = Signal(str)
    moduleAboutToBeUnloaded = Signal(str)
    SIGNALS = types.MappingProxyType(
        {"moduleLoaded(QString)": "moduleLoaded", "moduleAboutToBeUnloaded(QString)": "moduleAboutToBeUnloaded"}
    )

    def __init__(self) -> None:
        super().__init__()
        self._modules: dict[str, object] = {}

    def add(self, name: str, module: object) -> None:
        self._modules[name] = module
        setattr(slicer.modules, name.lower(), module)
        self.moduleLoaded(name)

    def remove(self, name: str) -> None:
        self.moduleAboutToBeUnloaded(name)
        del self._modules[name]
        delattr(slicer.modules, name.lower())

    def module(self, name: str) -> object | None:
        return self._modules.get(name)

    def modulesNames(self) -> tuple[str, ...]:
        return tuple(self._modules)

    def factoryManager(self) -> "qSlicerModuleManager":
        return self

    def loadedModuleNames(self) -> tuple[str, ...]:
        return tuple(self._modules)


@stands_for_native
class qSlicerApplication(QtWidgets.QApplication):
    """`slicer.app`: a real QApplication with what modules ask of Slicer's."""

    startupCompleted = Signal()
    mrmlSceneChanged = Signal(object)
    SIGNALS = types.MappingProxyType(
        {"startupCompleted()": "startupCompleted", "mrmlSceneChanged(vtkMRMLScene*)": "mrmlSceneChanged"}
    )

    def __init__(self) -> None:
        super().__init__(["Slicer"])
        locale.setlocale(locale.LC_NUMERIC, "C")  # Qt takes the user's; files need the decimal point
        self._folder = tempfile.TemporaryDirectory(prefix="slicer_stand_in_")
        for kind in (QtCore.QSettings.Format.IniFormat, QtCore.QSettings.Format.NativeFormat):
            QtCore.QSettings.setPath(kind, QtCore.QSettings.Scope.UserScope, self._folder.name)
        QtCore.QSettings.setDefaultFormat(QtCore.QSettings.Format.IniFormat)
        self.setOrganizationName("stand-in")
        self.setApplicationName("Slicer")
        self._temporary = str(Path(self._folder.name) / "temporary")
        Path(self._temporary).mkdir()
        self._settings = QtCore.QSettings()
        self._scene = slicer.vtkMRMLScene()
        self._logic = make_application_logic(self._scene, self._temporary)
        self._logic.SetTemporaryPath(self._temporary)
        self._modules, self._io = qSlicerModuleManager(), CoreIOManager(self._scene, self._logic)
        self._layout, self._window = None, None
        self._has_main_window, self._testing = True, False

    def start(self) -> None:
        """Set `slicer.mrmlScene` and `slicer.modules`, create the module logics and show the main window."""
        slicer.mrmlScene, slicer.modules = self._scene, Modules()
        for name, logic in make_module_logics(self._scene, self._logic).items():
            self._modules.add(name, CoreModule(name, logic))
        self._layout = qMRMLLayoutManager(self._scene, self._logic)
        self._window = qSlicerMainWindow(self._layout.viewport())
        self._window.show()

    def mrmlScene(self) -> "slicer.vtkMRMLScene":
        return self._scene

    def applicationLogic(self) -> "slicer.vtkSlicerApplicationLogic":
        return self._logic

    def coreIOManager(self) -> CoreIOManager:
        return self._io

    ioManager = coreIOManager

    def moduleManager(self) -> qSlicerModuleManager:
        return self._modules

    def layoutManager(self) -> qMRMLLayoutManager | None:
        """The views; None as after `--no-main-window` (see `setMainWindow`)."""
        return self._layout if self._has_main_window else None

    def setMainWindow(self, there: bool) -> None:
        """Not in Slicer: play an application started with `--no-main-window`."""
        self._has_main_window = there
        self._window.setObjectName("qSlicerMainWindow" if there else "")  # by which slicer.util finds it
        self._window.setVisible(there)

    def settings(self) -> QtCore.QSettings:
        return self._settings

    userSettings = revisionUserSettings = settings

    def testingEnabled(self) -> bool:
        return self._testing

    def setTestingEnabled(self, testing: bool) -> None:
        """Not in Slicer: play an application started with `--testing`, which shows no message boxes."""
        self._testing = testing

    def startOver(self) -> None:
        """Not in Slicer: window, views and mode as at the start of the application, and no parameters of modules."""
        self.setMainWindow(True)
        self.setTestingEnabled(False)
        self._window.resize(*SIZE_PX)
        self._layout.reset()
        for node in slicer.util.getNodesByClass("vtkMRMLScriptedModuleNode"):
            self._scene.RemoveNode(node)
        self.sendPostedEvents(None, int(QtCore.QEvent.Type.DeferredDelete))  # which only an event loop would do

    def pauseRender(self) -> None:
        self._logic.PauseRender()

    def resumeRender(self) -> None:
        self._logic.ResumeRender()

    def pythonConsole(self) -> None:
        return None

    temporaryPath = Property(str, lambda self: self._temporary)
    slicerHome = Property(str, lambda self: self._folder.name)
    majorVersion = Property(int, lambda self: 5)
    minorVersion = Property(int, lambda self: 13)


def make_application_logic(scene: "slicer.vtkMRMLScene", folder: str) -> "slicer.vtkSlicerApplicationLogic":
    """The logic that selection, colours and views share, with the nodes that Slicer's scene always holds.

    folder: for what scene bundles unpack.
    """
    cache, io = slicer.vtkCacheManager(), slicer.vtkDataIOManager()
    cache.SetRemoteCacheDirectory(folder)
    cache.SetMRMLScene(scene)
    io.SetCacheManager(cache)
    scene.SetCacheManager(cache)
    scene.SetDataIOManager(io)
    logic = slicer.vtkSlicerApplicationLogic()
    logic.SetMRMLScene(scene)
    logic.GetColorLogic().SetMRMLScene(scene)
    logic.GetColorLogic().AddDefaultColorNodes()
    logic.SetSliceLogics(vtk.vtkCollection())
    logic.SetViewLogics(vtk.vtkCollection())
    crosshair = slicer.vtkMRMLCrosshairNode()
    crosshair.SetCrosshairName("default")
    scene.AddNode(crosshair)
    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene)
    return logic


def make_module_logics(scene: object, application_logic: object) -> dict[str, vtk.vtkObject]:
    """A logic of each module; creating it registers the module's node classes in the scene."""
    made = {}
    vtk.vtkObject.GlobalWarningDisplayOff()  # slicer-core holds the logic of the terminologies but not their files
    for name, class_name in MODULE_LOGICS.items():
        if (cls := getattr(slicer, class_name, None)) is None:
            continue
        made[name] = application_logic.GetColorLogic() if name == "Colors" else cls()
        if name != "Colors":
            made[name].SetMRMLApplicationLogic(application_logic)
            made[name].SetMRMLScene(scene)
        application_logic.SetModuleLogic(name, made[name])
    vtk.vtkObject.GlobalWarningDisplayOn()
    return made
