"""Requests to decide: uploaded files or JSON samples, whichever the kind of data has, as FastAPI reads them."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Any

from fastapi import File, Form, HTTPException, UploadFile
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, create_model

from vssl.errors import DataError
from vssl.modalities.wire import FileWire, JsonSample, JsonWire, Wire
from vssl.serving.batching import PendingSample
from vssl.serving.service import Sample

MakeSample = Callable[[bytes, str, str], Sample]
"""Decodes a sample, from its content, name and group."""
Received = list[PendingSample[Sample]]


def reader(wire: Wire, make: MakeSample, max_samples: int) -> Callable[..., Received]:
    """A FastAPI dependency whose parameters are the body of the request.

    Args:
        max_samples: More in one request are refused with status 413.
    """
    if isinstance(wire, FileWire):
        return _file_reader(wire, make, max_samples)
    assert isinstance(wire, JsonWire)
    return _json_reader(wire, make, max_samples)


def _file_reader(wire: FileWire, make: MakeSample, max_samples: int) -> Callable[..., Received]:
    def read(
        files: Annotated[list[UploadFile], File(description=wire.file_help)],
        group: Annotated[str, Form(description="Group of all files, where the policy has thresholds by group.")] = "",
    ) -> Received:
        _check_count(files, max_samples)
        # Pictures wait decoded, and a JPEG file of 5 MB may be 60 MB of pixels.
        return [
            PendingSample(partial(_make_from_file, make, file, group), max(file.size or 0, wire.decoded_bytes))
            for file in files
        ]

    return read


def _make_from_file(make: MakeSample, file: UploadFile, group: str) -> Sample:
    return make(file.file.read(), file.filename or "", group)


def _json_reader(wire: JsonWire[Any], make: MakeSample, max_samples: int) -> Callable[..., Received]:
    kind = wire.json_sample
    samples: Any = (list[kind], Field(min_length=1))  # type: ignore[valid-type]  # a type of its own for each wire
    body: type[BaseModel] = create_model(f"{kind.__name__}s", __doc__="Samples to decide on.", samples=samples)

    def read(request: body) -> Received:  # type: ignore[valid-type]  # as above
        sent: Sequence[Any] = request.samples  # type: ignore[attr-defined]
        _check_count(sent, max_samples)
        for sample in sent:
            try:
                wire.check(sample)
            except DataError as error:
                location = {"loc": ("body", "samples"), "msg": str(error), "type": "value_error"}
                raise RequestValidationError([location]) from error
        return [PendingSample(partial(_make, wire, make, sample), wire.size(sample)) for sample in sent]

    return read


def _make(wire: JsonWire[Any], make: MakeSample, sample: JsonSample) -> Sample:
    return make(wire.content(sample), sample.id, sample.group)


def _check_count(samples: Sequence[object], most: int) -> None:
    if len(samples) > most:
        raise HTTPException(413, f"A request may have {most} samples, and this has {len(samples)}.")
