"""Several problems of the settings, reported at once."""

import contextlib
from collections.abc import Iterator

from streampay_smoke.core.errors import SettingsInvalid


class Problems:
    """Collects what is wrong with the settings, so that nobody has to find it one start after the other."""

    def __init__(self) -> None:
        self._found: list[SettingsInvalid] = []

    def add(self, message: str, next_step: str) -> None:
        """Add a problem and what to do about it."""
        self._found.append(SettingsInvalid(message, next_step=next_step))

    @contextlib.contextmanager
    def collected(self) -> Iterator[None]:
        """Add the problem that ends the block; anything but SettingsInvalid goes on, GuardRefused first of all."""
        try:
            yield
        except SettingsInvalid as problem:
            self._found.append(problem)

    def refuse(self) -> None:
        """Raise what was found: one problem as it is, several as one SettingsInvalid."""
        if len(self._found) == 1:
            raise self._found[0]
        if self._found:
            raise SettingsInvalid(
                "; ".join(dict.fromkeys(map(str, self._found))),
                next_step="; ".join(dict.fromkeys(problem.next_step for problem in self._found)),
                parts=self._found,
            )
