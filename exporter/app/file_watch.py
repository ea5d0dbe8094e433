"""Watches the settings file for changes."""

import hashlib
import stat
from contextlib import suppress
from pathlib import Path


class FileWatch:
    """Reports once that the content of a file changed, when two checks in a row find the same content.

    Times do not count, because a ConfigMap volume swaps symbolic links. A missing file and a file that is not regular
    have not changed.

    Attributes:
        path: the path of the file; without one, nothing changes.
    """

    def __init__(self, path: str | None) -> None:
        self.path = path
        self._read = self._seen = _digest(path)

    def about_to_read(self) -> None:
        """Note that the current content is about to be read."""
        self._read = _digest(self.path)

    def changed(self) -> bool:
        """Check the file."""
        content = _digest(self.path)
        stable, self._seen = content == self._seen, content
        return stable and content is not None and content != self._read


def _digest(path: str | None) -> bytes | None:
    with suppress(OSError):
        if path is not None and stat.S_ISREG(Path(path).stat().st_mode):
            return hashlib.sha256(Path(path).read_bytes()).digest()
    return None
