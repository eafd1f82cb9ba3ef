"""Images of a series of frames, where one may show what the frames before it left in the detector."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from ..acquisition.carm import XrayView
from ..detector.chain import Charge, frames_back
from .projector import XrayScene
from .radiograph import Exposure, Registered, charge, develop, plain_image, register


@dataclass(frozen=True, eq=False)
class FrameSeries:
    """Frame `index` depends on the views and on `index`, on nothing else; charges that were made are kept for the next.

    view_of: the view of a frame. step: frames of the same detector are so far apart, 2 for a biplane.
    """

    scene: XrayScene
    exposure: Exposure
    view_of: Callable[[int], XrayView]
    step: int = 1
    _charges: dict[int, Charge] = field(default_factory=dict)

    def image(self, index: int) -> tuple[np.ndarray, Registered]:
        """The raw intensity, as `radiograph.expose`, and what it was made from. Frame 0 finds a rested detector."""
        view, scene, exposure = self.view_of(index), self.scene, self.exposure
        registered = register(scene, view, exposure, index)
        if exposure.only_registers:
            return plain_image(scene, view, exposure, registered, index), registered
        before = range(index - self.step, index - self.step * frames_back(exposure.detector) - 1, -self.step)
        charges = [charge(scene, view, exposure, registered, index)]
        charges += [self._charge(frame) for frame in before if frame >= 0]
        self._keep(index, charges)
        return develop(scene, view, exposure, charges, index), registered

    def _charge(self, frame: int) -> Charge:
        if frame in self._charges:
            return self._charges[frame]
        view = self.view_of(frame)
        return charge(self.scene, view, self.exposure, register(self.scene, view, self.exposure, frame), frame)

    def _keep(self, index: int, charges: list[Charge]) -> None:
        """Remember what the next frame of the same detector will need, and what that of the other plane needs."""
        back = frames_back(self.exposure.detector)
        if back == 0:
            return
        self._charges.update((index - self.step * age, value) for age, value in enumerate(charges))
        for frame in [frame for frame in self._charges if not index - self.step * back <= frame <= index]:
            del self._charges[frame]
