"""What a `with` block ends, however it is left."""

from types import TracebackType
from typing import Self


class Closes:
    """A thing with `close()`, which its block calls."""

    def close(self) -> None:
        """Give back what it holds."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Stops:
    """A thing that runs, with `stop()`, which its block calls."""

    def stop(self) -> None:
        """End what runs."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
