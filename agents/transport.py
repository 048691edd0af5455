"""Faust transport "slices": one message per fetched run of records, positions from our own state.

Touches internals of aiokafka's fetcher and of Faust's consumer: both are pinned, and
tests/contract/test_transport.py says which attributes and behaviour are relied on.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import aiokafka
import faust
from aiokafka.consumer.fetcher import FetchResult
from aiokafka.errors import ConsumerStoppedError, CorruptRecordException, IllegalStateError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage

from agents.assignor import CopartitionAssignor
from agents.errors import BrokerError
from agents.slices import Ledger, Slice, unpack

log = logging.getLogger(__name__)

Positions = Callable[[frozenset[TP]], Awaitable[Mapping[TP, int | None]]]
"""Where to read on: a position, None to hold the partition until ``SliceConsumer.release``;
a partition that is left out starts at the group's offset, or at the beginning."""

Handed = tuple[Slice, Callable[[], None]]
"""A slice, and what to call when it is done."""

BACKLOG = ".backlog"
BLOCKED_POLL_S = 0.02
CRC_TRIES = 5
PREFETCH_BACKOFF_S = 0.05
"""So long a fetch waits for what the last one brought to be taken; what is not taken is left out of it."""
FETCH_AHEAD_MS = 80
"""The broker stops collecting so long before: what it then sends must have arrived, and one short fetch after it."""
LONGEST_FETCH_MS = 1000
LAST_FETCH_MS = 15
"""Just before, the broker collects for a shorter time, so that the last fetch comes in time."""
UNKNOWN_TOPIC_S = 0.2


@dataclass(frozen=True, slots=True)
class Options:
    """How a Faust app reads; the app carries it as ``app.slices``.

    The broker answers when there are ``fetch_enough_bytes``, at the latest after ``fetch_wait_ms``: an answer
    costs both sides the same for one record as for thousands. Where the records of a moment come as few
    messages, one byte is enough: each further stage that collected would add its wait to every alert.
    Where the worker says when it decides next (``SliceConsumer.decides_at``), the broker collects until then.
    """

    topics: Mapping[str, int] = field(default_factory=dict)
    """Kafka names, and how many partitions each has."""
    positions: Positions | None = None
    slice_records: int = 100_000
    backlog_records: int = 20_000
    outstanding_slices: int = 512
    fetch_wait_ms: int = 400
    fetch_enough_bytes: int = 1
    partition_bytes: int = 2 << 20
    fetch_bytes: int = 32 << 20


class SliceApp(faust.App):
    """A Faust app that says how it reads."""

    slices: Options = Options()


class SliceThread(driver.AIOKafkaConsumerThread):
    """aiokafka in its own thread, as Faust does it, with our fetch settings and our drain."""

    app: SliceApp
    consumer: SliceConsumer
    last_heartbeat = 0.0
    _bad_checksums = 0

    def _create_worker_consumer(self, transport: Any) -> Any:
        # Faust hard-codes fetch_max_wait_ms=1500 and passes neither fetch_max_bytes nor an assignor
        conf, options = self.app.conf, self.app.slices
        return aiokafka.AIOKafkaConsumer(
            client_id=conf.broker_client_id,
            group_id=conf.id,
            bootstrap_servers=driver.server_list(transport.url, transport.default_port),
            partition_assignment_strategy=[CopartitionAssignor],
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_uncommitted",
            fetch_min_bytes=options.fetch_enough_bytes,
            fetch_max_wait_ms=options.fetch_wait_ms,
            fetch_max_bytes=options.fetch_bytes,
            max_partition_fetch_bytes=options.partition_bytes,
            check_crcs=True,
            max_poll_interval_ms=int(conf.broker_max_poll_interval * 1000),
            request_timeout_ms=int(conf.broker_request_timeout * 1000),
            session_timeout_ms=int(conf.broker_session_timeout * 1000),
            rebalance_timeout_ms=int(conf.broker_rebalance_timeout * 1000),
            heartbeat_interval_ms=int(conf.broker_heartbeat_interval * 1000),
            metadata_max_age_ms=conf.consumer_metadata_max_age_ms,
            **driver.credentials_to_aiokafka_auth(conf.broker_credentials, conf.ssl_context),
        )

    async def on_start(self) -> None:
        """Start the consumer; a partition that waits for its worker must not delay the others' fetch."""
        await super().on_start()
        consumer = self._ensure_consumer()
        fetcher = consumer._fetcher
        fetcher._prefetch_backoff = PREFETCH_BACKOFF_S
        build = fetcher._get_actions_per_node

        def patient(assignment: Any) -> Any:
            fetcher._fetch_max_wait_ms = self.consumer.fetch_wait_ms()
            return build(assignment)

        fetcher._get_actions_per_node = patient
        coordinator = consumer._coordinator
        beat = coordinator._do_heartbeat

        async def watched() -> bool:
            alive: bool = await beat()
            if alive:
                self.last_heartbeat = now()
            return alive

        coordinator._do_heartbeat = watched
        assign = coordinator._perform_assignment

        async def informed(response: Any) -> Any:
            await self._know_topics(consumer._client)
            return await assign(response)

        coordinator._perform_assignment = informed

    async def _know_topics(self, client: Any) -> None:
        """A broker that has just come up does not name every topic yet; what it leaves out nobody would read."""
        until = now() + 2 * self.app.conf.broker_session_timeout
        while missing := [
            topic
            for topic, count in self.app.slices.topics.items()
            if len(client.cluster.partitions_for_topic(topic) or ()) < count
        ]:
            if now() > until:
                error = BrokerError(
                    f"the broker does not know the topics {', '.join(missing)}; check that DOUDI_KAFKA and "
                    "DOUDI_NAMESPACE are right, and make what is missing with `doudi init`"
                )
                await self.crash(error)
                raise error
            log.warning("the broker does not know %s yet", ", ".join(missing))
            await client.force_metadata_update()
            await asyncio.sleep(UNKNOWN_TOPIC_S)

    async def _fetch_records(
        self,
        consumer: Any,
        active_partitions: set[TP],
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is aiokafka's
        max_records: int | None = None,
    ) -> dict[TP, list[Slice]]:
        if not self.consumer.flow_active:
            return {}
        fetcher = consumer._fetcher
        if consumer._closed or fetcher._closed:
            raise ConsumerStoppedError
        with fetcher._subscriptions.fetch_context():
            return await self._drain(fetcher, active_partitions, now() + (timeout or 0.0))

    async def _drain(self, fetcher: Any, wanted: set[TP], deadline: float) -> dict[TP, list[Slice]]:
        """aiokafka's ``fetched_records`` with slices instead of an object a record."""
        while True:
            if fetcher._subscriptions.reassignment_in_progress:
                await fetcher._subscriptions.wait_for_assignment()
            drained: dict[TP, list[Slice]] = {}
            for tp in [tp for tp in fetcher._records if tp in wanted]:
                result = fetcher._records[tp]
                if not isinstance(result, FetchResult) and drained:
                    return drained  # the error is raised by the next call
                del fetcher._records[tp]
                fetcher._notify(fetcher._wait_consume_future)
                if not isinstance(result, FetchResult):
                    result.check_raise()
                elif (part := self._unpack(tp, result)) is not None:
                    drained[TP(tp.topic, tp.partition)] = [part]
            wait = deadline - now()
            if drained or wait <= 0:
                return drained
            waiter = fetcher._create_fetch_waiter()
            done, _ = await asyncio.wait([waiter], timeout=wait)
            if not done or fetcher._closed:
                waiter.cancel()
                return {}
            waiter.result()

    def _unpack(self, tp: Any, result: Any) -> Slice | None:
        if not result.check_assignment(tp) or not result.has_more():
            return None
        try:
            part = unpack(tp.topic, tp.partition, result._partition_records)
        except CorruptRecordException as error:
            # damaged on the way: the position has not moved, so it is fetched again; on disk: give up
            self._bad_checksums += 1
            log.error("%s; attempt %d of %d", error, self._bad_checksums, CRC_TRIES)
            if self._bad_checksums >= CRC_TRIES:
                raise
            return None
        self._bad_checksums = 0
        result._update_position()
        result._partition_records = None
        return part

    async def hold(self, tps: Iterable[TP]) -> None:
        """Do not fetch these until they are released."""
        await self.call_thread(self._pause, list(tps))

    async def _pause(self, tps: list[TP]) -> None:
        consumer = self._ensure_consumer()
        consumer.pause(*(aiokafka.TopicPartition(*tp) for tp in tps if tp in consumer.assignment()))

    async def unhold(self, tps: Iterable[TP]) -> None:
        """Fetch these again."""
        await self.call_thread(self._resume, list(tps))

    async def _resume(self, tps: list[TP]) -> None:
        consumer = self._ensure_consumer()
        consumer.resume(*(aiokafka.TopicPartition(*tp) for tp in tps if tp in consumer.assignment()))

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Faust's live-lock warnings know nothing of held partitions; the metrics show lag instead."""


class SliceConsumer(driver.Consumer):
    """Hands out slices in the order of each log, without hole or repetition, from given positions."""

    app: SliceApp
    decides_at = 0.0
    """When what is fetched can be decided at the soonest (monotonic); told by the worker."""
    _thread: SliceThread

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._ledgers: dict[TP, Ledger] = {}
        self._held: set[TP] = set()
        super().__init__(*args, **kwargs)

    def _new_consumer_thread(self) -> SliceThread:
        return SliceThread(self, loop=self.loop, beacon=self.beacon)

    def fetch_wait_ms(self) -> int:
        """How long the broker may collect for the next fetch."""
        usual, left = self.app.slices.fetch_wait_ms, int((self.decides_at - time.monotonic()) * 1000)
        if left > FETCH_AHEAD_MS + usual:
            return min(left - FETCH_AHEAD_MS, LONGEST_FETCH_MS)
        return min(usual, max(left - LAST_FETCH_MS, LAST_FETCH_MS)) if left > 0 else usual

    @property
    def last_heartbeat(self) -> float:
        """When the group last confirmed this member (see ``now``)."""
        return float(self._thread.last_heartbeat)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """A new generation: the coordinator knows us."""
        self._thread.last_heartbeat = now()
        await super().on_partitions_assigned(assigned, generation_id)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Forget what was handed out: it is read again from the state's position by whoever owns it next."""
        await super().on_partitions_revoked(revoked)
        for tp in revoked:
            self._ledgers.pop(tp, None)
            self._held.discard(tp)

    async def perform_seek(self) -> None:
        """Go to the positions of the state; the group's offsets are for monitoring only."""
        assigned = frozenset(TP(tp.topic, tp.partition) for tp in self.assignment())
        self._ledgers = {tp: Ledger() for tp in assigned}
        self._held = set(assigned)
        known: Mapping[TP, int | None] = {}
        if self.app.slices.positions is not None:
            known = await self.app.slices.positions(assigned)
        await self._thread.hold(tp for tp in assigned if tp in known and known[tp] is None)
        if any(tp not in known for tp in assigned):
            await super().perform_seek()
        await self._seek_to({tp: at for tp, at in known.items() if at is not None and tp in assigned})
        self._held = {tp for tp, at in known.items() if at is None}

    def expects(self, tp: TP) -> int:
        """Position that is handed out next; -1 if not known."""
        ledger = self._ledgers.get(tp)
        return -1 if ledger is None or ledger.expected is None else ledger.expected

    async def release(self, positions: Mapping[TP, int], *, settled: bool = True) -> None:
        """Start reading partitions that were held. Those lost meanwhile are left alone.

        Not ``settled``: what will be read is decided upon later as a whole, and until ``settle`` the group
        is not told that it is done.
        """
        mine = {tp: at for tp, at in positions.items() if tp in self._held}
        try:
            await self._seek_to(mine)
            for tp in mine:
                self._ledgers[tp].settled = settled
            await self._thread.unhold(mine)
        except IllegalStateError:
            log.info("partitions were revoked while they were about to be read")
            return
        self._held -= mine.keys()

    def settle(self, tps: Iterable[TP]) -> None:
        """All that was acknowledged of these has been decided upon and published."""
        for tp in tps:
            if tp in self._ledgers:
                self._ledgers[tp].settled = True

    async def _seek_to(self, positions: Mapping[TP, int]) -> None:
        if not positions:
            return
        await self.seek_wait(positions)
        for tp, at in positions.items():
            self._ledgers[tp] = Ledger(expected=at)
            self._read_offset[tp] = at or None
            self._committed_offset[tp] = None  # a leading offset of the group would swallow ours

    async def _getmany(
        self,
        active_partitions: set[TP] | None,
        timeout: float,  # noqa: ASYNC109 - Faust's signature
    ) -> dict[TP, list[Any]]:
        active = active_partitions or set()
        wanted = {tp for tp in active if self._open(tp)}
        if not wanted:
            await asyncio.sleep(BLOCKED_POLL_S)
            return {}
        if len(wanted) < len(active):
            timeout = min(timeout, BLOCKED_POLL_S)
        return dict(await self._thread.getmany(wanted, timeout))

    def _open(self, tp: TP) -> bool:
        """Back-pressure per partition, so that one slow lane never stops the others."""
        if tp in self._held:
            return False
        ledger, options = self._ledgers.get(tp), self.app.slices
        return ledger is None or (
            ledger.outstanding < 2 * options.slice_records and ledger.slices < options.outstanding_slices
        )

    async def getmany(self, timeout: float) -> Any:  # noqa: ASYNC109
        """Yield (partition, message) once for all that was fetched; what a rebalance made stale is dropped."""
        fetched, _ = await self._wait_next_records(timeout)
        if not fetched or self.should_stop or not self.flow_active:
            return
        handed: list[Handed] = []
        for tp, parts in fetched.items():
            for part in parts:
                handed += await self._hand_out(tp, part)
                if not self.flow_active:
                    return
        if handed:
            yield TP(handed[0][0].topic, handed[0][0].partition), self._message(handed)

    async def _hand_out(self, tp: TP, fetched: Slice) -> list[Handed]:
        ledger = self._ledgers.get(tp)
        if ledger is None or tp in self._held:
            return []
        following = ledger.accept(fetched)
        if following is None:
            back = ledger.lost(fetched)
            if back is not None:
                log.info("reading %s-%d again from %d", tp.topic, tp.partition, back)
                try:
                    await self.seek_wait({tp: back})
                except IllegalStateError:
                    log.info("%s-%d was revoked meanwhile", tp.topic, tp.partition)
            return []
        options = self.app.slices
        most = options.backlog_records if tp.topic.endswith(BACKLOG) else options.slice_records
        handed: list[Handed] = []
        for part in following.split(most):
            ledger.deliver(part)
            handed.append((part, partial(self._done, tp, ledger, part.next)))
        return handed

    def _done(self, tp: TP, ledger: Ledger, end: int) -> None:
        """A slice is done; called on the event loop only."""
        if self._ledgers.get(tp) is ledger:
            ledger.acknowledge(end)

    def _message(self, handed: list[Handed]) -> ConsumerMessage:
        """One message for slices of all partitions: what Faust does costs the same for each message."""
        part, _ = handed[0]
        tp = TP(part.topic, part.partition)
        # Faust's annotation of the value says bytes; the codec "raw" passes anything on
        value: Any = handed
        return ConsumerMessage(
            tp.topic,
            tp.partition,
            part.next - 1,
            part.last_ms / 1000.0,
            0,
            None,
            None,
            value,
            None,
            -1,
            -1,
            tp,
            generation_id=self.app.consumer_generation_id,
        )

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        return (tp for tp in list(self._ledgers) if topics is None or tp in topics or tp.topic in topics)

    def _new_offset(self, tp: TP) -> int | None:
        ledger = self._ledgers.get(tp)
        return ledger.committable() if ledger else None

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Slices cover the log by construction."""


class Transport(driver.Transport):
    """The entry point ``slices`` of ``faust.transports``."""

    Consumer = SliceConsumer
    driver_version = f"aiokafka={aiokafka.__version__}"


def now() -> float:
    """Seconds on a clock that also runs while the process or the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()
