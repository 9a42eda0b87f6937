"""Small pictures of the bank, which the page of the service shows next to the samples that it decides on."""

import io
from collections.abc import Sequence
from zipfile import ZipFile, ZipInfo

from vssl.modalities.base import Modality
from vssl.reporting.gallery import thumbnail, webp
from vssl.types import Embeddings


def zip_pictures(modality: Modality, bank: Embeddings, ids: Sequence[str]) -> bytes:
    """A zip archive of pictures of the bank by their rows in `ids`: 0.webp, 1.webp; without those that are gone."""
    archive, sources = io.BytesIO(), dict(zip(bank.ids, bank.table["source"].to_pylist(), strict=True))
    with ZipFile(archive, "w") as file:
        for source in dict.fromkeys(sources.values()):
            rows = [row for row, name in enumerate(ids) if sources[name] == source]
            pictures = modality.pictures(source, [ids[row] for row in rows])
            for row, picture in zip(rows, pictures, strict=True):
                if picture is not None:
                    # Without a date, so that the same pictures have the same hash.
                    file.writestr(ZipInfo(f"{row}.webp"), webp(thumbnail(picture)))
    return archive.getvalue()
