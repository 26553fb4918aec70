"""Numbers about the service in Prometheus' text format, counted by hand: they are few."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Mapping

BUCKETS_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Measures:
    """Requests by path and status, how long they took, how many pixels were worked on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, int]] = Counter()
        self._within: Counter[tuple[str, float]] = Counter()
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._pixels = 0

    def request(self, path: str, status: int, seconds: float) -> None:
        """Count one answer."""
        with self._lock:
            self._requests[path, status] += 1
            self._seconds[path] += seconds
            for bound in BUCKETS_S:
                if seconds <= bound:
                    self._within[path, bound] += 1

    def pixels(self, count: int) -> None:
        """Count a picture's pixels."""
        with self._lock:
            self._pixels += count

    def text(self, gauges: Mapping[str, tuple[str, float]]) -> str:
        """Everything as text; ``gauges`` are further values by name, each with its help."""
        with self._lock:
            lines = [*self._counted(), *self._timed()]
            lines += _head("relume_pixels_total", "counter", "Pixels of the pictures worked on.")
            lines.append(f"relume_pixels_total {self._pixels}")
        for name, (summary, value) in gauges.items():
            lines += [*_head(name, "gauge", summary), f"{name} {value:g}"]
        return "\n".join(lines) + "\n"

    def _counted(self) -> list[str]:
        lines = _head("relume_requests_total", "counter", "Answers by path and status.")
        for (path, status), count in sorted(self._requests.items()):
            lines.append(f'relume_requests_total{{path="{path}",status="{status}"}} {count}')
        return lines

    def _timed(self) -> list[str]:
        name = "relume_request_seconds"
        lines = _head(name, "histogram", "Time from the request to the end of its answer.")
        for path, seconds in sorted(self._seconds.items()):
            total = sum(count for (p, _), count in self._requests.items() if p == path)
            for bound in BUCKETS_S:
                count = self._within[path, bound]
                lines.append(f'{name}_bucket{{path="{path}",le="{bound:g}"}} {count}')
            lines.append(f'{name}_bucket{{path="{path}",le="+Inf"}} {total}')
            lines.append(f'{name}_sum{{path="{path}"}} {seconds:.6f}')
            lines.append(f'{name}_count{{path="{path}"}} {total}')
        return lines


def _head(name: str, kind: str, summary: str) -> list[str]:
    return [f"# HELP {name} {summary}", f"# TYPE {name} {kind}"]
