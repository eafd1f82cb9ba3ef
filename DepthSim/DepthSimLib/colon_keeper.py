"""Keeps what was found of a colon, so that nothing is found twice."""

from collections.abc import Generator, Hashable
from dataclasses import dataclass

from Sim2RealLib.engine import open_backend
from Sim2RealLib.job import Done

from .endoscopy import Endoscopy
from .found_colon import ColonInput, FoundCenterline, FoundLumen, enter, find_centerline, find_lumen


@dataclass(frozen=True)
class ColonKeys:
    """Something that is another where the lumen, the centreline or the pictures have to be found or made anew."""

    lumen: Hashable
    line: Hashable
    pictures: Hashable


class ColonKeeper:
    """The last colon. The generators may run on a thread of their own, one at a time; the rest only looks.

    They find what is not known in `colon`, which may be None where all of it is.
    """

    def __init__(self, backend_name: str = "auto") -> None:
        self._backend_name = backend_name
        self._lumen: tuple[Hashable, FoundLumen] | None = None
        self._line: tuple[Hashable, FoundCenterline] | None = None
        self._pictures: tuple[Hashable, Endoscopy] | None = None

    def lumen(self, keys: ColonKeys) -> FoundLumen | None:
        """The lumen if it is known."""
        return self._lumen[1] if self._lumen is not None and self._lumen[0] == keys.lumen else None

    def line(self, keys: ColonKeys) -> FoundCenterline | None:
        """The centreline if it is known."""
        return self._line[1] if self._line is not None and self._line[0] == keys.line else None

    def endoscopy(self, keys: ColonKeys) -> Endoscopy | None:
        """What takes pictures, if it is ready."""
        return self._pictures[1] if self._pictures is not None and self._pictures[0] == keys.pictures else None

    def learn(self, keys: ColonKeys, lumen: FoundLumen) -> None:
        """A lumen that is known from elsewhere."""
        self._lumen = keys.lumen, lumen

    def find_lumen(self, keys: ColonKeys, colon: ColonInput | None) -> Generator[Done, None, FoundLumen]:
        if (found := self.lumen(keys)) is None:
            found = yield from find_lumen(colon)
            self._lumen = keys.lumen, found
        return found

    def find_line(self, keys: ColonKeys, colon: ColonInput | None) -> Generator[Done, None, FoundCenterline]:
        lumen = yield from self.find_lumen(keys, colon)
        if (found := self.line(keys)) is None:
            yield Done(0, 0, "centreline")
            found = find_centerline(colon, lumen)
            self._line = keys.line, found
        return found

    def enter(self, keys: ColonKeys, colon: ColonInput | None) -> Generator[Done, None, Endoscopy]:
        line = yield from self.find_line(keys, colon)
        if (ready := self.endoscopy(keys)) is None:
            yield Done(0, 0, "tissue")
            ready = enter(colon, self.lumen(keys), line, open_backend(self._backend_name))
            self._pictures = keys.pictures, ready
        return ready

    def forget(self) -> None:
        """Let everything go, as when the scene is closed."""
        self._lumen = self._line = self._pictures = None
