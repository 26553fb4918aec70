"""What the HTTP service costs: its answers beside the same number of plain in-process calls.

    python benchmarks/serve.py [--requests 40] [--clients 1,2,8] [--methods relume,gamma]

A 1 MP JPEG is relit. The service runs in a process of its own on loopback, its clients are threads
here with one kept connection each; a plain call is decode, enhance, encode in this process, by as
many threads as there can be work at once. Both take turns in small rounds, so that a machine that
slows down slows down both. Only the ratios compare between machines; the CPU's flags stand beside
them. Targets: under 10 % more time at one client, throughput at 8 clients not below that at 2.
"""

from __future__ import annotations

import argparse
import http.client
import io
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import urlsplit

import cv2
import numpy as np
from PIL import Image as PillowImage

from relume.engine.cpu import cpu_flags
from relume.enhancers import DEFAULT_METHOD, enhance
from relume.io import decode, encode

TARGET = 0.10
SIZE = (1224, 816)
PROGRAM = """
import sys
from relume.web import serve
serve(port=0, browser=False, workers=int(sys.argv[1]), on_ready=lambda at: print(at, flush=True))
"""


@dataclass
class Times:
    """Seconds of single calls, and of the wall that they took together."""

    calls_s: list[float] = field(default_factory=list)
    wall_s: float = 0.0

    def quantile(self, share: float) -> float:
        """Seconds that this share of the calls stayed within."""
        return float(np.quantile(self.calls_s, share))

    @property
    def per_s(self) -> float:
        """Calls per second of wall time."""
        return len(self.calls_s) / self.wall_s


def one_megapixel() -> bytes:
    rng = np.random.default_rng(0)
    small = cv2.GaussianBlur(rng.random((SIZE[1] // 8, SIZE[0] // 8, 3), np.float32), (0, 0), 3)
    pixels = cv2.resize(small, SIZE, interpolation=cv2.INTER_CUBIC) * 80
    pixels += rng.normal(0, 2, pixels.shape)
    buffer = io.BytesIO()
    whole = np.rint(pixels).clip(0, 255).astype(np.uint8)
    PillowImage.fromarray(whole).save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


@contextmanager
def service(workers: int) -> Iterator[str]:
    """The address (host:port) of a service in a process of its own."""
    command = [sys.executable, "-c", PROGRAM, str(workers)]
    environment = os.environ | {"RELUME_TOKEN": "", "RELUME_PER_CLIENT": "0"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    try:
        address = process.stdout.readline().strip()
        if not address:
            raise SystemExit("the service did not start")
        yield urlsplit(address).netloc
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()


def post(connection: http.client.HTTPConnection, method: str, data: bytes) -> bytes:
    headers = {"Content-Type": "image/jpeg"}

    def ask() -> http.client.HTTPResponse:
        connection.request("POST", f"/v1/enhance?method={method}", body=data, headers=headers)
        return connection.getresponse()

    try:
        answer = ask()
    except ConnectionError:
        # kept connections are closed by the service while the other side has its turn
        connection.close()
        answer = ask()
    body = answer.read()
    if answer.status != 200:
        raise SystemExit(f"the service answered {answer.status}: {body[:200].decode()}")
    return body


def plain(method: str, data: bytes) -> bytes:
    return encode(enhance(decode(data), method=method), "jpeg")


def timed(call: Callable[[], object], count: int) -> list[float]:
    seconds = []
    for _ in range(count):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return seconds


def at_once(calls: list[Callable[[], object]], count: int, times: Times) -> None:
    """Make ``count`` calls, shared out to one thread for each of ``calls``."""
    shares = [count // len(calls) + (i < count % len(calls)) for i in range(len(calls))]
    start = time.perf_counter()
    with ThreadPoolExecutor(len(calls)) as pool:
        for seconds in pool.map(timed, calls, shares):
            times.calls_s += seconds
    times.wall_s += time.perf_counter() - start


def compare(
    address: str,
    method: str,
    data: bytes,
    *,
    clients: int,
    workers: int,
    requests: int,
    rounds: int,
) -> tuple[Times, Times]:
    """Times of the service and of plain calls, taken in turns."""
    connections = [http.client.HTTPConnection(address, timeout=300) for _ in range(clients)]
    served: list[Callable[[], object]] = [partial(post, c, method, data) for c in connections]
    direct: list[Callable[[], object]] = [partial(plain, method, data)] * min(clients, workers)
    by_service, in_process = Times(), Times()
    for call in (*served, *direct) * 3:
        call()  # connects, loads the network, fills caches and the heaps of all workers
    share = max(clients, requests // rounds)
    for turn in range(rounds):
        order = [(served, by_service), (direct, in_process)]
        for calls, times in order if turn % 2 else order[::-1]:
            at_once(calls, share, times)
    for connection in connections:
        connection.close()
    return by_service, in_process


def row(clients: int, name: str, times: Times) -> str:
    return (
        f"  {clients:7d}  {name:10} {times.per_s:8.2f}/s "
        f"{times.quantile(0.5) * 1e3:9.1f} ms {times.quantile(0.99) * 1e3:9.1f} ms"
    )


def measure(address: str, method: str, data: bytes, given: argparse.Namespace) -> None:
    print(f"{method}:\n  clients  {'':10}  requests       p50          p99")
    throughput: dict[int, float] = {}
    for clients in given.clients:
        by_service, in_process = compare(
            address, method, data, clients=clients, workers=given.workers,
            requests=given.requests, rounds=given.rounds,
        )  # fmt: skip
        print(row(clients, "service", by_service), row(clients, "in process", in_process), sep="\n")
        throughput[clients] = by_service.per_s
        if clients == 1:
            more = statistics.median(by_service.calls_s) / statistics.median(in_process.calls_s) - 1
            verdict = "met" if more < TARGET else "missed"
            print(f"  overhead at one client {more:+.1%} (target under {TARGET:.0%}: {verdict})")
    if 2 in throughput and 8 in throughput:
        ratio = throughput[8] / throughput[2]
        verdict = "met" if ratio >= 1 else "missed"
        print(f"  throughput at 8 clients / at 2: {ratio:.3f} (target 1 or more: {verdict})")


def main() -> None:
    def whole_numbers(text: str) -> list[int]:
        return [int(part) for part in text.split(",")]

    cores = os.cpu_count() or 1
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--requests", type=int, default=40, help="for each number of clients")
    parser.add_argument("--rounds", type=int, default=5, help="turns between service and plain")
    parser.add_argument("--clients", type=whole_numbers, default=[1, 2, 8])
    parser.add_argument("--workers", type=int, default=cores)
    parser.add_argument("--methods", default=f"{DEFAULT_METHOD},gamma")
    given = parser.parse_args()
    given.workers = min(given.workers, cores)
    data = one_megapixel()
    print(f"cpu: {' '.join(cpu_flags()) or 'unknown'}; {cores} cores, {given.workers} workers")
    print(f"{SIZE[0]}x{SIZE[1]} JPEG of {len(data) / 1e6:.2f} MB")
    with service(given.workers) as address:
        for method in given.methods.split(","):
            measure(address, method, data, given)


if __name__ == "__main__":
    main()
