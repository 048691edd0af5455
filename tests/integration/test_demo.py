"""The demo on the real stack: a small county comes out right, and the comparison sees what is made wrong."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
import redis

from doudi.demo import run
from doudi.demo.changes import Change
from doudi.demo.compare import Comparison
from tests.stack import own_hub
from wire.rediskeys import RedisKeys
from wire.settings import Settings

OPTIONS = run.Options(people=3000, rate=300, seconds=3, keep=True, patience_s=300)

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def demo(stack: Settings) -> Iterator[run.Demo]:
    """A county whose first load and steady phase are over."""
    with own_hub(stack) as settings, run.Session(settings, OPTIONS, print, loud=False) as started:
        run.first_load(started, OPTIONS.patience_s)
        written, observer = run.steady(started, OPTIONS)
        run.quiet(started, OPTIONS.patience_s)
        observer.stop()
        assert written.rows >= 900
        yield started


@pytest.fixture
def client(demo: run.Demo) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(demo.settings.redis) as opened:
        yield opened


def kinds(compared: Comparison) -> set[str]:
    return {difference.kind for difference in compared.differences}


def an_alert(demo: run.Demo, client: redis.Redis) -> tuple[str, dict[str, Any], bytes]:
    """Key, document and bytes of an open alert with one standing condition."""
    keys = RedisKeys(demo.settings.namespace)
    for key in sorted(client.scan_iter(keys.case("*"))):
        raw: Any = client.get(key)
        case = json.loads(raw)
        standing = [c for c in case["conditions"] if c["state"] == "standing"]
        if case["kind"] == "alert" and case["state"] != "closed" and len(standing) == 1:
            return key.decode(), case, raw
    raise AssertionError("no open alert")


def test_what_stands_is_what_should(demo: run.Demo) -> None:
    compared = run.check(demo)
    assert compared.differences == []
    assert compared.conditions > 50 and compared.alerts_open > 20 and compared.tasks_open > 20
    assert compared.unidentified == demo.stream.unidentified > 0


def test_an_alert_removed_is_missing(demo: run.Demo, client: redis.Redis) -> None:
    key, _, raw = an_alert(demo, client)
    client.delete(key)
    try:
        compared = run.check(demo)
        assert compared.missing == 1
        assert "missing" in kinds(compared)
    finally:
        client.set(key, raw)
    assert run.check(demo).differences == []


def test_an_alert_added_is_extra(demo: run.Demo, client: redis.Redis) -> None:
    keys = RedisKeys(demo.settings.namespace)
    _, case, _ = an_alert(demo, client)
    condition = next(c for c in case["conditions"] if c["state"] == "standing")
    added = {**condition, "condition_id": f"R01:{'0' * 32}:2026"}
    client.set(keys.case("added"), json.dumps({**case, "case_id": "added", "conditions": [added]}))
    client.hset(keys.standing, added["condition_id"], "added")
    try:
        compared = run.check(demo)
        assert (compared.missing, compared.extra) == (0, 1)
        assert kinds(compared) == {"extra"}
    finally:
        client.delete(keys.case("added"))
        client.hdel(keys.standing, added["condition_id"])


def test_a_change_that_was_drawn_is_written_though_it_stops(demo: run.Demo) -> None:
    """Or the county would count what its tables do not have."""
    stop, before = threading.Event(), demo.stream.unidentified

    def until_one_of_nobody() -> Iterator[Change]:
        for change in demo.stream:
            if demo.stream.unidentified > before:
                stop.set()
            yield change

    demo.writer.write(until_one_of_nobody(), 1000, stop)
    run.quiet(demo, OPTIONS.patience_s)
    assert demo.stream.unidentified > before
    assert run.check(demo).differences == []


def test_a_row_altered_behind_the_hubs_back_is_seen_and_made_good(demo: run.Demo) -> None:
    demo.connectors.stop()
    try:
        with psycopg.connect(demo.departments.url("medical")) as connection:
            changed = connection.execute(
                "UPDATE setl_d SET psn_part_amt = psn_part_amt + 60000, updt_time = clock_timestamp() "
                "WHERE setl_id = (SELECT max(setl_id) FROM setl_d WHERE vali_flag = '1' AND psn_part_amt > 0 "
                "AND certno LIKE '990101%%' AND setl_time > now() - interval '1 hour')"
            )
            assert changed.rowcount == 1
        compared = run.check(demo)
        assert compared.missing >= 1
        assert kinds(compared) <= {"missing", "altered"}
    finally:
        demo.connectors.start()
    run.quiet(demo, OPTIONS.patience_s)
    assert run.check(demo).differences == []
