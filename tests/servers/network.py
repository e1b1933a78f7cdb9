"""A simulated network: delays, a bandwidth, failures, and counts of them.

The servers `objects` and `proxy` of this package simulate their own network; tests set it through `control`.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from typing import Any

PIECE = 1 << 16
# Shorter waits than this are put off until they add up.
GRAIN = 0.002


class Link:
    """One direction of the line that all connections share."""

    def __init__(self) -> None:
        self.rate: float | None = None
        self._free_at = 0.0

    async def carry(self, size: int) -> None:
        """Wait for as long as the line needs for so many bytes."""
        if self.rate is None:
            return
        now = time.monotonic()
        self._free_at = max(now, self._free_at) + size / self.rate
        if self._free_at - now > GRAIN:
            await asyncio.sleep(self._free_at - now)


class Failures:
    """Rules for failing requests, tried in turn."""

    def __init__(self) -> None:
        self.rules: list[dict[str, Any]] = []

    def pick(self, method: str, path: str) -> dict[str, Any] | None:
        """Return the first rule by which this request fails."""
        for rule in self.rules:
            if rule["method"] not in (None, method) or (rule["path"] or "") not in path or rule["times"] == 0:
                continue
            rule["seen"] += 1
            if rule["seen"] % rule["every"] == 0:
                if rule["times"] is not None:
                    rule["times"] -= 1
                return rule
        return None


class Network:
    """The state that tests set and read; each public method is a command of `control`."""

    def __init__(self) -> None:
        self.latency = 0.0
        self.up, self.down = Link(), Link()
        self.failures = Failures()
        self.reset()

    def reset(self) -> None:
        """A perfect network; nothing counted."""
        self.set()
        self.failures.rules.clear()
        self.clear()

    def clear(self) -> None:
        """Begin to count anew."""
        self.methods: Counter[str] = Counter()
        self.log: deque[tuple[str, str, str | None]] = deque(maxlen=10_000)
        self.running = self.most = self.failed = 0
        self.received = self.sent = 0

    def set(self, latency: float = 0.0, bandwidth: float | None = None) -> None:
        """Set the seconds before an answer begins, and the bytes per second in each direction."""
        self.latency = latency
        self.up.rate = self.down.rate = bandwidth

    def fail(self, **rule: Any) -> None:
        """Add a rule; see `control.Controlled.fail`."""
        self.failures.rules.append({**rule, "seen": 0})

    def counts(self) -> dict[str, Any]:
        """What was counted."""
        return {
            "requests": sum(self.methods.values()), "methods": dict(self.methods), "most": self.most,
            "failed": self.failed, "received": self.received, "sent": self.sent,
        }  # fmt: skip

    def requests(self) -> list[tuple[str, str, str | None]]:
        """Method, path and range of the last requests."""
        return list(self.log)
