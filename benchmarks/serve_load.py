"""The service under load, on this computer: requests per second and how long the slowest of a hundred wait.

    vssl demo --out vssl-demo
    python benchmarks/serve_load.py vssl-demo/run vssl-demo/hold-out

Three services in turn, each in a process of its own, asked by a process of clients that each send one picture, wait for
the answer, and send the next: `vssl serve`; the same with batches of one; and a plain one, FastAPI that runs the torch
model in its handler and stores nothing. With 2 cores the clients take a share of them, from all alike.
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import httpx
import numpy as np
import torch
import tyro
from fastapi import FastAPI, File, UploadFile

from vssl.files import write_json
from vssl.training.describe import machine, versions

SERVICES = ("vssl serve", "batches of one", "plain FastAPI and torch")
CLIENTS = (1, 8, 64)


@dataclass(frozen=True)
class Options:
    """Load on the service.

    Attributes:
        run: A run with a policy.
        pictures: A folder of pictures to send.
        seconds: For each number of clients.
        turns: How often everything is measured.
        serve: Set by this program itself: the service that one process is.
        port: Likewise.
        out: Where the record goes.
    """

    run: tyro.conf.Positional[Path]
    pictures: tyro.conf.Positional[Path]
    seconds: float = 10.0
    turns: int = 3
    serve: str = ""
    port: int = 0
    out: Path = Path(__file__).parent / "results" / "serve_load.json"


def main(options: Options) -> None:
    if options.serve:
        _serve(options)
        return
    pictures = [path.read_bytes() for path in sorted(options.pictures.rglob("*.png"))[:200]]
    rows = []
    for turn in range(options.turns):
        for service in SERVICES:
            with _started(options, service) as url:
                asyncio.run(_load(url, pictures, 8, 1.0))
                for clients in CLIENTS:
                    found = asyncio.run(_load(url, pictures, clients, options.seconds))
                    rows.append({"service": service, "clients": clients, "turn": turn, **found})
                    print(rows[-1], flush=True)
    command = " ".join(["python benchmarks/serve_load.py", *sys.argv[1:]])
    write_json(
        options.out,
        {"command": command, "versions": versions(), "machine": machine(torch.device("cpu")), "rows": rows},
    )
    _print(rows)


async def _load(url: str, pictures: list[bytes], clients: int, seconds: float) -> dict[str, float]:
    waits: list[float] = []
    refused = 0
    end = 0.0

    async def client(number: int, session: httpx.AsyncClient) -> None:
        nonlocal refused
        turn = number
        while time.monotonic() < end:
            asked = time.monotonic()
            answer = await session.post(url, files={"files": ("part.png", pictures[turn % len(pictures)])})
            if answer.status_code == 429:
                refused += 1
                await asyncio.sleep(float(answer.headers["retry-after"]))
                continue
            answer.raise_for_status()
            waits.append(time.monotonic() - asked)
            turn += clients

    # A session for each, made before the clock runs: a pool that 64 share is slower than what it asks, and unfair.
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
    where = [str(options.run), str(options.pictures)]
    process = subprocess.Popen([sys.executable, __file__, *where, "--serve", service, "--port", str(port)])
    url = f"http://127.0.0.1:{port}/v1"
    try:
        for _ in range(600):
            try:
                httpx.get(f"{url}/health").raise_for_status()
                break
            except httpx.HTTPError:
                time.sleep(0.1)
        yield f"{url}/decide"
    finally:
        process.terminate()
        process.wait()


def _serve(options: Options) -> None:
    import uvicorn

    with tempfile.TemporaryDirectory() as folder:
        app = _plain(options.run) if options.serve == SERVICES[2] else _ours(options, Path(folder))
        uvicorn.run(app, port=options.port, log_level="warning")


def _ours(options: Options, folder: Path) -> Any:
    from vssl import runtime
    from vssl.serving.app import build
    from vssl.serving.limits import Limits
    from vssl.serving.samples import Samples
    from vssl.serving.service import Service
    from vssl.serving.store import Store

    decider = runtime.load(options.run / "export", threads=2)
    store = Store(f"sqlite:///{folder / 'decisions.sqlite'}")
    samples = Samples(folder / "samples")
    return build(Service(decider, store, samples, 0.02, most=64 if options.serve == SERVICES[0] else 1), Limits())


def _plain(run: Path) -> Any:
    """What one would write in a quarter of an hour: decode, embed, score, compare, answer."""

    from vssl import Embeddings, api
    from vssl.config import find, name_of
    from vssl.decisions import policy_file as policies
    from vssl.decisions.core import UNGROUPED
    from vssl.embedding.embed import embed_view
    from vssl.modalities.images.decode import decode

    model = api.load(run, "cpu")
    policy, reference = policies.read(model.run)
    score = find("scores", name_of(policy.score)).fit(policy.score, reference.bank)
    limits = policy.thresholds[UNGROUPED]
    app = FastAPI()

    @app.get("/v1/health")
    def health() -> dict[str, str]:
        return {}

    @app.post("/v1/decide")
    def decide(files: Annotated[list[UploadFile], File()]) -> dict[str, Any]:
        raw = np.stack([decode(file.file.read(), "", model.modality.spec.canvas) for file in files])
        columns = embed_view(model, model.modality.eval_view(torch.from_numpy(raw)))
        found = score(Embeddings.from_columns([item.filename or "" for item in files], columns))
        return {"decisions": [{"reject": bool(value > limits.reject_above), "score": float(value)} for value in found]}

    return app


def _print(rows: list[dict[str, Any]]) -> None:
    """Medians over the turns, smallest and largest in brackets."""
    print("| Service | Clients | Requests/s | Median, ms | 99 of 100, ms |")
    print("|---|---|---|---|---|")
    for service in SERVICES:
        for clients in CLIENTS:
            some = [row for row in rows if (row["service"], row["clients"]) == (service, clients)]
            rate, middle, slow = (sorted(row[key] for row in some) for key in ("per_s", "p50_ms", "p99_ms"))
            rates = f"{np.median(rate):.0f} ({rate[0]:.0f} to {rate[-1]:.0f})"
            slowest = f"{np.median(slow):.0f} ({slow[0]:.0f} to {slow[-1]:.0f})"
            print(f"| {service} | {clients} | {rates} | {np.median(middle):.1f} | {slowest} |")


if __name__ == "__main__":
    main(tyro.cli(Options))
