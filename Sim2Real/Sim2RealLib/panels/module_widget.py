"""The widget of each module: its panel, or, as long as Python packages are missing, which ones and a button."""

import sys

from slicer.ScriptedLoadableModule import ScriptedLoadableModuleWidget

from .requirements import MissingPackages, missing_requirements


class Sim2RealModuleWidget(ScriptedLoadableModuleWidget):
    """Base of `XWidget`, which says by `make_panel` what its panel is; the panel may import all that is required.

    logic: the module's, which `slicer.util.getModuleLogic` gives; it is there without the packages too.
    """

    def setup(self) -> None:
        super().setup()
        self.logic = self.make_logic()
        self.panel = None
        self._missing = None
        if missing_requirements():
            self._missing = MissingPackages(self._install)
            self.layout.addWidget(self._missing.widget)
        else:
            self._build()

    def make_logic(self) -> object:
        """The module's `XLogic`."""
        raise NotImplementedError

    def make_panel(self) -> object:
        """The module's `Panel`."""
        raise NotImplementedError

    @property
    def ui(self) -> object:
        """The widgets of the panel by name."""
        return self.panel.ui

    def enter(self) -> None:
        if self.panel is not None:
            self.panel.enter()

    def exit(self) -> None:
        if self.panel is not None:
            self.panel.exit()

    def cleanup(self) -> None:
        if self.panel is not None:
            self.panel.cleanup()

    def onReload(self) -> None:  # noqa: N802, Slicer's name
        """Reload the module's library too, which Slicer's button leaves as it was."""
        for name in [name for name in sys.modules if name.split(".")[0] == f"{self.moduleName}Lib"]:
            del sys.modules[name]
        super().onReload()

    def _install(self) -> None:
        if missing_requirements():
            return
        self.layout.removeWidget(self._missing.widget)
        self._missing.widget.hide()
        self._missing = None
        self._build()
        self.panel.enter()

    def _build(self) -> None:
        self.panel = self.make_panel()
        self.layout.addWidget(self.panel.widget)
