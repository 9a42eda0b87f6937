"""The addresses of the service."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Annotated, Any

import numpy as np
from fastapi import FastAPI, File, Form, HTTPException, Query, Request, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from vssl.errors import VsslError
from vssl.serving.answers import Decided, Decisions, Health, Logs, Number, Outcome, Past, Window, Windows
from vssl.serving.batching import BusyError, Unread
from vssl.serving.limits import Gate, Limits
from vssl.serving.pages import routes as pages
from vssl.serving.service import Sample, Service

RETRY_AFTER_S = "1"
DESCRIPTION = "Decisions by an exported model and its policy. Every decision is stored before it is answered."


def build(service: Service, limits: Limits) -> FastAPI:
    """The application; what `POST /v1/decide` takes depends on the kind of data that the model was trained on."""

    @asynccontextmanager
    async def life(_app: FastAPI) -> AsyncIterator[None]:
        service.batcher.start()
        yield
        await service.batcher.stop()
        service.store.close()

    # The pages that FastAPI offers load scripts from elsewhere; nothing here does.
    app = FastAPI(title="vssl", description=DESCRIPTION, lifespan=life, docs_url=None, redoc_url=None)
    app.add_middleware(Gate, limits=limits)
    app.add_exception_handler(VsslError, _failed)

    async def decided(samples: Sequence[Unread[Sample]]) -> Decisions:
        try:
            stored = await asyncio.wait_for(service.batcher(samples), limits.seconds)
        except BusyError as error:
            service.metrics.refused.inc()
            raise HTTPException(429, str(error), {"Retry-After": RETRY_AFTER_S}) from error
        except TimeoutError as error:
            message = f"There was no decision within {limits.seconds:g} s; it may be stored later."
            raise HTTPException(503, message, {"Retry-After": RETRY_AFTER_S}) from error
        return Decisions(decisions=[Decided.of(item) for item in stored], model=service.model)

    def check_count(count: int) -> None:
        if count > limits.samples:
            raise HTTPException(413, f"A request may have {limits.samples} samples, and this has {count}.")

    if service.decider.about["modality"] == "images":

        @app.post("/v1/decide")
        async def decide_images(
            files: Annotated[list[UploadFile], File(description="Image files: PNG, JPEG, WebP, BMP, TIFF.")],
            group: Annotated[str, Form(description="Of all of them, where the policy has thresholds by group.")] = "",
        ) -> Decisions:
            """Decide on image files. One that cannot be read is reviewed."""
            check_count(len(files))
            return await decided([Unread(partial(_image, service, file, group), file.size or 0) for file in files])
    elif service.decider.about["modality"] == "events":

        @app.post("/v1/decide")
        async def decide_logs(logs: Logs) -> Decisions:
            """Decide on sessions or windows of an event log. One with a line that cannot be used is reviewed."""
            check_count(len(logs.samples))
            return await decided(
                [Unread(partial(service.log, log.lines, log.id, log.group), _bytes(log.lines)) for log in logs.samples]
            )
    else:

        @app.post("/v1/decide")
        async def decide_windows(windows: Windows) -> Decisions:
            """Decide on windows of series, as long as those of the training."""
            check_count(len(windows.samples))
            for window in windows.samples:
                _check_shape(window, *service.decider.shape)
            size = 8 * math.prod(service.decider.shape)
            return await decided([Unread(partial(_window, service, window), size) for window in windows.samples])

    @app.get("/v1/health")
    def health() -> Health:
        """Whether decisions can be made and stored; needs no token."""
        service.decider.check_policy()
        service.store.check()
        return Health(status="ok")

    @app.get("/v1/model")
    def model() -> dict[str, Any]:
        """The manifest of the export: kind of data, precision, versions, parity with the run."""
        return service.decider.about

    @app.get("/v1/policy")
    def policy() -> dict[str, Any]:
        """The policy in force: thresholds, what is guaranteed, in words too, and until when."""
        return service.decider.required_policy().to_dict()

    @app.get("/v1/decisions")
    def decisions(
        limit: Annotated[int, Query(ge=1, le=1000)] = 100, before: Number | None = None, decision: Outcome | None = None
    ) -> list[Past]:
        """Decisions in the database, the newest first; go on with `before`, the last number."""
        return [Past(**row) for row in service.store.latest(limit, before, decision)]

    app.include_router(pages.build(service, limits))

    @app.get("/metrics", include_in_schema=False)
    def metrics() -> Response:
        return Response(generate_latest(service.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return app


def _image(service: Service, file: UploadFile, group: str) -> Sample:
    return service.image(file.file.read(), file.filename or "", group)


def _bytes(lines: Sequence[str]) -> int:
    """Of lines in a file; JSON may hold half a pair of surrogates."""
    return sum(len(line.encode("utf-8", "surrogatepass")) + 1 for line in lines)


def _check_shape(window: Window, channels: int, rows: int) -> None:
    if len(window.values) != channels or any(len(row) != rows for row in window.values):
        message = f"{window.id or 'A window'} is not {channels} channels of {rows} rows."
        raise RequestValidationError([{"loc": ("body", "samples"), "msg": message, "type": "value_error"}])


def _window(service: Service, window: Window) -> Sample:
    return service.window(np.array(window.values, dtype=np.float64), window.id, window.group)


def _failed(_request: Request, error: Exception) -> JSONResponse:
    """A policy that has expired, or a database that is gone, is nothing the asker can mend."""
    return JSONResponse({"detail": str(error)}, 503)
