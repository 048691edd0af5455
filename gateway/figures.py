"""/metrics: the agents' figures and the counts in Redis, in Prometheus' format."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from gateway.client import Client
from wire.rediskeys import RedisKeys

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_GAUGES = {
    "lag": ("doudi_lag_records", "Records of the inputs not yet processed", 1.0),
    "oldest_ms": ("doudi_oldest_unprocessed_seconds", "Age of the oldest record not yet processed", 0.001),
    "slice_ms": ("doudi_slice_seconds", "Time of the latest slice", 0.001),
    "delay_ms": (
        "doudi_projection_delay_seconds",
        "From the case event in Kafka until readable in Redis",
        0.001,
    ),
    "records_per_s": ("doudi_records_per_second", "Records processed a second, lately", 1.0),
    "unknown": ("doudi_unknown", "Rules that could not be decided for want of a feed", 1.0),
    "catching_up": ("doudi_catching_up", "1 while a state is being made anew", 1.0),
}
_COUNTERS = {
    "records": ("doudi_records", "Records processed"),
    "quarantined": ("doudi_quarantined", "Messages put aside by the agent"),
    "undated": ("doudi_undated_cases", "Cases whose deadline no calendar could tell"),
    "stale_epoch": ("doudi_stale_epoch_records", "Records of replaced owners that were refused"),
}


@dataclass(slots=True)
class _Families:
    found: dict[str, Metric] = field(default_factory=dict)

    def gauge(self, name: str, text: str, labels: dict[str, str], value: float) -> None:
        if name not in self.found:
            self.found[name] = GaugeMetricFamily(name, text, labels=list(labels))
        self.found[name].add_metric(list(labels.values()), value)  # type: ignore[attr-defined]

    def counter(self, name: str, text: str, labels: dict[str, str], value: float) -> None:
        if name not in self.found:
            self.found[name] = CounterMetricFamily(name, text, labels=list(labels))
        self.found[name].add_metric(list(labels.values()), value)  # type: ignore[attr-defined]


class _Ready(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterable[Metric]:
        return self._families


async def exposition(client: Client, keys: RedisKeys) -> bytes:
    """The page. Raises redis.RedisError where Redis does not answer."""
    families = _Families()
    await _agents(client, keys, families)
    await _counts(client, keys, families)
    registry = CollectorRegistry()
    registry.register(_Ready(families.found.values()))
    return generate_latest(registry)


async def _agents(client: Client, keys: RedisKeys, families: _Families) -> None:
    async for raw in client.scan_iter(match=keys.metrics("*", "*"), count=500):
        stage, partition = raw.decode().rsplit(":", 2)[1:]
        labels = {"stage": stage, "partition": partition}
        for name, value in (await client.hgetall(raw)).items():
            figure = name.decode()
            if figure in _GAUGES:
                metric, text, factor = _GAUGES[figure]
                families.gauge(metric, text, labels, float(value) * factor)
            elif figure in _COUNTERS:
                families.counter(*_COUNTERS[figure], labels, float(value))


async def _counts(client: Client, keys: RedisKeys, families: _Families) -> None:
    for raw, value in (await client.hgetall(keys.open)).items():
        kind, department, level = raw.decode().split(":")
        families.gauge(
            "doudi_open_cases",
            "Cases that are not closed",
            {"kind": kind, "department": department, "level": level},
            float(value),
        )
    families.gauge(
        "doudi_standing_conditions",
        "Standing conditions of cases that are not closed",
        {},
        float(await client.hlen(keys.standing)),
    )
    families.gauge("doudi_unidentified", "Records without a usable ID", {}, float(await client.hlen(keys.unidentified)))
    for reason, value in (await client.hgetall(keys.quarantine)).items():
        families.counter("doudi_quarantine", "Messages in quarantine", {"reason": reason.decode()}, float(value))
