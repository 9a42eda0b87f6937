"""The contents of samples that people are asked about: one file each, named by the hash of its bytes."""

from pathlib import Path

from vssl.files import atomic


class Samples:
    """A folder of samples. It may be emptied at any time: the decisions stay, only their pictures are gone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, content: str, data: bytes) -> None:
        """Keep these bytes; they are on the disk when this returns.

        Args:
            content: SHA-256 of the bytes.

        Raises:
            StorageError: They cannot be written.
        """
        path = self._path(content)
        if not path.exists():
            with atomic(path) as file:
                file.write(data)

    def get(self, content: str) -> bytes | None:
        """The bytes with this hash; None if they are not there."""
        path = self._path(content)
        return path.read_bytes() if path.is_file() else None

    def _path(self, content: str) -> Path:
        return self._folder / content[:2] / content


def is_drawn(content: str, share: float) -> bool:
    """Whether a sample is drawn at random: by its hash, so that neither its score nor a second sending plays a part.

    Args:
        content: SHA-256 of its bytes.
        share: Share of all samples that is drawn, 0..1.
    """
    return int(content[:12], 16) < share * 16**12
