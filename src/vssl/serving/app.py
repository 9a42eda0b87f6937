"""The addresses of the service for programs: one to decide, and those that tell what was decided and by what."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Query, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from vssl.errors import VsslError
from vssl.serving.answers import Decisions, Health, Number, Outcome, StoredDecision
from vssl.serving.batching import BusyError
from vssl.serving.limits import Limits, RequestGuard
from vssl.serving.pages import routes as pages
from vssl.serving.requests import Received, reader
from vssl.serving.reviews import Reviews
from vssl.serving.service import Service

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
    app.add_middleware(RequestGuard, limits=limits)

    @app.exception_handler(VsslError)
    def failed(_request: Request, error: VsslError) -> JSONResponse:
        """A policy that has expired, or a database that is gone: the client can do nothing about it."""
        return JSONResponse({"detail": str(error)}, 503)

    wire = service.decider.wire
    read = reader(wire, service.sample, limits.samples)

    @app.post("/v1/decide", description=wire.request_help)
    async def decide(samples: Annotated[Received, Depends(read)]) -> Decisions:
        try:
            stored = await asyncio.wait_for(service.batcher(samples), limits.seconds)
        except BusyError as error:
            service.metrics.refused.inc()
            raise HTTPException(429, str(error), {"Retry-After": RETRY_AFTER_S}) from error
        except TimeoutError as error:
            message = f"There was no decision within {limits.seconds:g} s; it may be stored later."
            raise HTTPException(503, message, {"Retry-After": RETRY_AFTER_S}) from error
        return Decisions(decisions=stored, model=service.model)

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
        """The policy in force: thresholds, the guarantee, also in words, and the date of expiry."""
        return service.decider.required_policy().to_dict()

    @app.get("/v1/decisions")
    def decisions(
        limit: Annotated[int, Query(ge=1, le=1000)] = 100, before: Number | None = None, decision: Outcome | None = None
    ) -> list[StoredDecision]:
        """Decisions in the database, the newest first; for the next page give the last number as `before`."""
        return Reviews(service.store).history(decision=decision or "", before=before, count=limit)

    app.include_router(pages.build(service, limits))

    @app.get("/metrics", include_in_schema=False)
    def metrics() -> Response:
        return Response(generate_latest(service.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return app
