"""The service under load: requests per second, and median and 99th percentile of the latency.

    make demo && vssl export vssl-demo/run
    python -m benchmarks.speed.serve_load vssl-demo/run vssl-demo/hold-out

Three services in turns, each in a process of its own: `vssl serve`; the same with batches of one; and a plain FastAPI
that runs the torch model in its handler and stores nothing. Each client has a session of its own, sends one picture,
waits for the answer, and sends the next. Clients and service share the cores.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any

import httpx
import numpy as np
import torch
import tyro
from fastapi import FastAPI, File, UploadFile

from benchmarks import tables
from benchmarks.common.record import RESULTS, Record

SERVICES = ("vssl serve", "batches of one", "plain FastAPI and torch")


@dataclass(frozen=True)
class Options:
    """Load on the service.

    Attributes:
        run: A run with a policy.
        pictures: A folder of pictures to send.
        clients: Numbers of clients.
        seconds: Duration per number of clients.
        turns: How often everything is measured.
        out: File of the record.
    """

    run: tyro.conf.Positional[Path]
    pictures: tyro.conf.Positional[Path]
    clients: tuple[int, ...] = (1, 8, 64)
    seconds: float = 10.0
    turns: int = 3
    out: Path = RESULTS / "serve_load.json"


def main(options: Options) -> None:
    record = Record.create(options.out, seconds=options.seconds)
    pictures = [path.read_bytes() for path in sorted(options.pictures.rglob("*.png"))[:200]]
    for turn, service in product(range(options.turns), SERVICES):
        with _started(options, service) as url:
            asyncio.run(_load(url, pictures, 8, 1.0))
            for clients in options.clients:
                figures = asyncio.run(_load(url, pictures, clients, options.seconds))
                record.add({"service": service, "clients": clients, "turn": turn, **figures})
    tables.show("serve_load", record)


async def _load(url: str, pictures: list[bytes], clients: int, seconds: float) -> dict[str, float]:
    waits: list[float] = []
    refused = 0
    end = 0.0

    async def client(number: int, session: httpx.AsyncClient) -> None:
        nonlocal refused
        turn = number
        while time.monotonic() < end:
            begin = time.monotonic()
            answer = await session.post(url, files={"files": ("part.png", pictures[turn % len(pictures)])})
            if answer.status_code == 429:
                refused += 1
                await asyncio.sleep(float(answer.headers["retry-after"]))
                continue
            answer.raise_for_status()
            waits.append(time.monotonic() - begin)
            turn += clients

    # A session per client, made before the clock runs: a shared pool is slower than the service.
    async with AsyncExitStack() as stack:
        sessions = [await stack.enter_async_context(httpx.AsyncClient(timeout=60)) for _ in range(clients)]
        started = time.monotonic()
        end = started + seconds
        await asyncio.gather(*(client(number, session) for number, session in enumerate(sessions)))
        took = time.monotonic() - started
    slow, middle = np.quantile(waits, [0.99, 0.5])
    return {"per_s": len(waits) / took, "p50_ms": 1e3 * float(middle), "p99_ms": 1e3 * float(slow), "refused": refused}


@contextmanager
def _started(options: Options, service: str) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = get_context("spawn").Process(target=_serve, args=(options.run, service, port))
    process.start()
    url = f"http://127.0.0.1:{port}/v1"
    try:
        for _ in range(600):
            try:
                httpx.get(f"{url}/health").raise_for_status()
                break
            except httpx.HTTPError:
                if not process.is_alive():
                    sys.exit(f"{service} has ended with status {process.exitcode}.")
                time.sleep(0.1)
        yield f"{url}/decide"
    finally:
        process.terminate()
        process.join()


def _serve(run: Path, service: str, port: int) -> None:
    import uvicorn

    with tempfile.TemporaryDirectory() as folder:
        app = _plain(run) if service == SERVICES[2] else _ours(run, Path(folder), 64 if service == SERVICES[0] else 1)
        uvicorn.run(app, port=port, log_level="warning")


def _ours(run: Path, folder: Path, most: int) -> Any:
    from vssl import runtime
    from vssl.serving.app import build
    from vssl.serving.limits import Limits
    from vssl.serving.samples import Samples
    from vssl.serving.service import Service
    from vssl.serving.store import Store

    decider = runtime.load(run / "export", threads=2)
    store = Store(f"sqlite:///{folder / 'decisions.sqlite'}")
    samples = Samples(folder / "samples")
    return build(Service(decider, store, samples, 0.02, max_batch=most), Limits())


def _plain(run: Path) -> Any:
    """The least code that decides: decode, embed, score, compare, answer."""

    from vssl import Embeddings, api
    from vssl.decisions import policy_file as policies
    from vssl.decisions.core import UNGROUPED
    from vssl.embedding import embed_view
    from vssl.modalities.images.decode import decode

    model = api.load(run, "cpu")
    policy, reference = policies.read(model.run)
    score = policy.score.fit(reference.bank)
    limits = policy.thresholds[UNGROUPED]
    app = FastAPI()

    @app.get("/v1/health")
    def health() -> dict[str, str]:
        return {}

    @app.post("/v1/decide")
    def decide(files: Annotated[list[UploadFile], File()]) -> dict[str, Any]:
        raw = np.stack([decode(file.file.read(), "", model.modality.spec.canvas) for file in files])
        columns = embed_view(model, model.modality.eval_view(torch.from_numpy(raw)))
        scores = score(Embeddings.from_columns([item.filename or "" for item in files], columns))
        return {"decisions": [{"reject": bool(value > limits.reject_above), "score": float(value)} for value in scores]}

    return app


if __name__ == "__main__":
    main(tyro.cli(Options))
