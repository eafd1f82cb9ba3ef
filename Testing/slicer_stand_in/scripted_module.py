"""The module `slicer.ScriptedLoadableModule`: base classes of a scripted module, and what Slicer does to load one."""

import importlib.util
import logging
import sys
import types
import unittest
from pathlib import Path

import slicer
from PySide6 import QtCore, QtGui, QtWidgets

from .qmrml_widgets import qMRMLWidget
from .qt_rules import stands_for_native
from .ui_loader import custom_widget


@stands_for_native
class qSlicerScriptedLoadableModule(QtCore.QObject):
    """What Slicer gives to the constructor of a module class: its entry in the application."""

    def __init__(self, name: str, path: Path) -> None:
        super().__init__()
        texts = dict.fromkeys(("title", "helpText", "acknowledgementText", "index"), "")
        lists = {part: [] for part in ("categories", "dependencies", "contributors", "associatedNodeTypes")}
        self._entry = {**texts, **lists, "name": name, "path": str(path), "hidden": False, "icon": QtGui.QIcon()}
        self._entry |= {"widgetRepresentationCreationEnabled": True}
        self._representation = None

    def __getattribute__(self, name: str) -> object:
        entry = QtCore.QObject.__getattribute__(self, "__dict__").get("_entry", {})
        return entry[name] if name in entry else super().__getattribute__(name)

    def __setattr__(self, name: str, value: object) -> None:
        if name != "_entry" and name in self._entry:
            if name == "path":
                raise AttributeError("the path of a module is read-only")
            self._entry[name] = value
        else:
            super().__setattr__(name, value)

    def widgetRepresentation(self) -> "qSlicerScriptedLoadableModuleWidget | None":
        """The panel, which is made when it is asked for first; None for a module whose file has no `XWidget`."""
        if self._representation is None and hasattr(sys.modules[self.name], f"{self.name}Widget"):
            panel = qSlicerScriptedLoadableModuleWidget()
            panel.setMRMLScene(slicer.mrmlScene)
            panel._self = getattr(sys.modules[self.name], f"{self.name}Widget")(panel)
            self._representation = panel
            setattr(slicer.modules, f"{self.name}Widget", panel._self)
            panel._self.setup()
            panel.layout().addStretch(1)
        return self._representation

    def close(self) -> None:
        """Clean up and delete the panel, and forget the module, as Slicer does when it ends."""
        if self._representation is not None:
            self._representation.self().cleanup()
            delattr(slicer.modules, f"{self.name}Widget")
            self._representation.hide()
            self._representation.deleteLater()
        slicer.app.moduleManager().remove(self.name)
        delattr(slicer.modules, f"{self.name}Instance")
        sys.modules.pop(self.name, None)


@custom_widget
class qSlicerScriptedLoadableModuleWidget(qMRMLWidget):
    """The panel that holds the widget of a module."""

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._self = None
        QtWidgets.QVBoxLayout(self)

    def self(self) -> "ScriptedLoadableModuleWidget":
        return self._self


class ScriptedLoadableModule:
    """Base of `X`: describes the module to the application."""

    def __init__(self, parent: qSlicerScriptedLoadableModule) -> None:
        self.parent = parent
        self.moduleName = type(self).__name__
        parent.title = ""
        parent.categories = []
        parent.dependencies = []
        parent.contributors = []
        parent.helpText = ""
        parent.acknowledgementText = ""
        parent.hidden = False
        for kind in ("svg", "png"):
            if (icon := Path(self.resourcePath(f"Icons/{self.moduleName}.{kind}"))).exists():
                parent.icon = QtGui.QIcon(str(icon))
                break

    def getDefaultModuleDocumentationLink(self, docPage: str | None = None) -> str:
        return f"<p>For more information see the documentation of {docPage or self.moduleName}.</p>"

    def resourcePath(self, filename: str) -> str:
        return str(Path(self.parent.path).parent / "Resources" / filename)

    def runTest(self, msec: int = 100, **_kwargs: object) -> None:
        """Run the self test `XTest` of the module's file."""
        test = getattr(sys.modules[self.moduleName], f"{self.moduleName}Test")()
        test.messageDelay = msec
        test.runTest()


class ScriptedLoadableModuleWidget:
    """Base of `XWidget`: the panel of the module."""

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        self.moduleName = type(self).__name__.removesuffix("Widget")
        self.developerMode = slicer.util.settingsValue("Developer/DeveloperMode", False, converter=slicer.util.toBool)
        if parent is None:
            self.parent = qMRMLWidget()
            QtWidgets.QVBoxLayout(self.parent)
            self.parent.setMRMLScene(slicer.mrmlScene)
            self.layout = self.parent.layout()
            self.setup()
            self.parent.show()
        else:
            self.parent = parent
            self.layout = parent.layout()

    def resourcePath(self, filename: str) -> str:
        return str(Path(slicer.util.modulePath(self.moduleName)).parent / "Resources" / filename)

    def setup(self) -> None:
        """Build the panel; the section for developers is not shown here."""

    def cleanup(self) -> None:
        """Called before the panel goes."""

    def enter(self) -> None:
        """Called when the user opens the module."""

    def exit(self) -> None:
        """Called when the user opens another module."""


class ScriptedLoadableModuleLogic:
    """Base of `XLogic`: the work of the module, without its panel."""

    def __init__(self, parent: object = None) -> None:
        self.parent = parent
        self.mrmlScene = slicer.mrmlScene
        self.moduleName = type(self).__name__.removesuffix("Logic")
        self.isSingletonParameterNode = True

    def createParameterNode(self) -> "slicer.vtkMRMLScriptedModuleNode":
        node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLScriptedModuleNode")
        node.UnRegister(None)
        if self.isSingletonParameterNode:
            node.SetSingletonTag(self.moduleName)
        node.SetModuleName(self.moduleName)
        node.SetAttribute("ModuleName", self.moduleName)
        node.SetName(slicer.mrmlScene.GenerateUniqueName(self.moduleName))
        return node

    def getAllParameterNodes(self) -> "list[slicer.vtkMRMLScriptedModuleNode]":
        nodes = slicer.util.getNodesByClass("vtkMRMLScriptedModuleNode")
        return [node for node in nodes if node.GetAttribute("ModuleName") == self.moduleName]

    def getParameterNode(self) -> "slicer.vtkMRMLScriptedModuleNode":
        if self.isSingletonParameterNode:
            found = slicer.mrmlScene.GetSingletonNode(self.moduleName, "vtkMRMLScriptedModuleNode")
        else:
            found = next(iter(self.getAllParameterNodes()), None)
        if found is None:
            return slicer.mrmlScene.AddNode(self.createParameterNode())
        found.SetAttribute("ModuleName", self.moduleName)  # closing the scene resets a singleton, and its attributes
        return found


class ScriptedLoadableModuleTest(unittest.TestCase):
    """Base of `XTest`: self tests that a user can run in Slicer."""

    messageDelay = 0

    def __init__(self, methodName: str = "runTest") -> None:
        super().__init__(methodName)

    def delayDisplay(self, message: str, requestedDelay: int | None = None, msec: int | None = None) -> None:
        logging.info(message)
        slicer.app.processEvents()

    def setUp(self) -> None:
        slicer.mrmlScene.Clear(0)

    def runTest(self) -> None:
        """Run every `test_*` method."""
        for name in dir(self):
            if name.startswith("test_"):
                self.setUp()
                getattr(self, name)()


def make_module() -> types.ModuleType:
    """The module `slicer.ScriptedLoadableModule`, whose names scripted modules import with ``*``."""
    module = types.ModuleType("slicer.ScriptedLoadableModule", __doc__)
    offered = (
        ScriptedLoadableModule,
        ScriptedLoadableModuleWidget,
        ScriptedLoadableModuleLogic,
        ScriptedLoadableModuleTest,
    )
    for cls in offered:
        setattr(module, cls.__name__, cls)
    module.__all__ = [cls.__name__ for cls in offered]
    return module


def load_scripted_module(path: Path) -> qSlicerScriptedLoadableModule:
    """Import `X.py` and register `slicer.modules.x`, as Slicer does when it starts; the widget is made later."""
    name = path.stem
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    specification = importlib.util.spec_from_file_location(name, path)
    sys.modules[name] = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(sys.modules[name])
    entry = qSlicerScriptedLoadableModule(name, path)
    slicer.app.moduleManager().add(name, entry)
    setattr(slicer.modules, f"{name}Instance", getattr(sys.modules[name], name)(entry))
    return entry
