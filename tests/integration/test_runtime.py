"""The runtime on a real broker: nothing lost, nothing twice, whatever happens to worker, file or group."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator

import duckdb
import pytest

from agents.coding import Coder
from agents.errors import BrokerError, StateFullError, Transient
from domain.sealing import open_sealed
from schemas.topics import MESSAGE_MAX_BYTES
from tests.integration.runtime_rig import PATIENCE_S, Rig, rig
from tests.stack import small_disk
from wire.kafka import create_topics
from wire.partitioner import partition_for
from wire.secrets import Secrets
from wire.settings import Settings


@pytest.fixture
def toy(hub: Settings) -> Iterator[Rig]:
    """A rig with fast time-outs."""
    given = {"session_timeout_s": 6.0, "lock_wait_s": 3.0, "slice_records": 500, "backlog_records": 100}
    with rig(hub.model_copy(update=given)) as one:
        one.tick()
        yield one


def _wait_read(toy: Rig) -> None:
    """Until the group has committed the end of every input."""
    until = time.monotonic() + PATIENCE_S
    while behind := toy.unread():
        assert time.monotonic() < until, behind
        time.sleep(0.3)


def test_live_and_backlog_lanes_lead_to_the_same_state(toy: Rig) -> None:
    toy.feed(2_000, lane=".backlog")
    toy.start()
    toy.wait_log("caught up", toy.settings.partitions)
    toy.feed(300)
    toy.feed(500, lane=".backlog")
    toy.feed(300)
    toy.settle()
    assert toy.begun_twice() == []
    baseline = toy.read("hub.condition")["baseline"]
    assert baseline.any()
    assert not baseline.all()


def test_a_topic_that_the_broker_names_late_is_read(toy: Rig) -> None:
    """A broker that has just come up leaves topics out for a moment; those would belong to nobody."""
    toy.forget("medical.settlement")
    toy.start()
    toy.wait_log(f"the broker does not know {toy.settings.topic('medical.settlement')} yet")
    create_topics(toy.settings)
    toy.feed(300)
    toy.settle()


def test_a_topic_that_is_missing_for_good_ends_the_worker_with_words(toy: Rig) -> None:
    toy.forget("medical.settlement")
    worker = toy.start()
    assert worker.wait(PATIENCE_S) == BrokerError.exit_code
    assert f"does not know the topics {toy.settings.topic('medical.settlement')};" in toy.logged()
    assert "make what is missing with `doudi init`" in toy.logged()
    create_topics(toy.settings)
    toy.feed(300)
    toy.start()
    toy.settle()


def test_killed_at_any_moment(toy: Rig) -> None:
    for moment in range(3):
        worker = toy.start()
        toy.feed(400)
        toy.wait_log("owned, epoch", (moment + 1) * toy.settings.partitions)
        time.sleep(toy.rng.random())
        toy.feed(400)
        time.sleep(toy.rng.random() / 2)
        toy.stop(worker, signal.SIGKILL)
    toy.start()
    toy.settle()


@pytest.mark.parametrize("fault", ["before_commit:2", "after_commit:2", "after_publish:2"])
def test_killed_around_commit_and_publishing(toy: Rig, fault: str) -> None:
    worker = toy.start(DOUDI_FAULT=fault)
    toy.wait_log("caught up", toy.settings.partitions)
    for _ in range(20):
        toy.feed(50)
        time.sleep(0.1)
        if worker.poll() is not None:
            break
    assert worker.wait(20) == -signal.SIGKILL
    toy.start()
    toy.settle()
    if fault.startswith("after_commit"):
        assert "decisions left by the last run" in toy.logged()


def test_stopped_in_order_goes_on_where_it_was(toy: Rig) -> None:
    worker = toy.start()
    toy.feed(500)
    toy.settle()
    assert toy.stop(worker) == 0
    toy.feed(500)
    toy.start()
    toy.settle()
    assert toy.begun_twice() == []
    assert toy.logged().count("reading back") == toy.settings.partitions  # the first start only


def test_the_group_hears_of_what_a_killed_worker_had_done(toy: Rig) -> None:
    worker = toy.start()
    toy.feed(300)
    toy.settle()
    toy.stop(worker, signal.SIGKILL)
    toy.forget_offsets()
    assert toy.unread()
    toy.start()
    _wait_read(toy)


def test_the_group_is_not_told_of_records_that_nobody_has_decided_upon(toy: Rig) -> None:
    """Taken in silently is not done: whoever waits for the group to have read all would look too early."""
    toy.feed(400)
    fed = toy.unread()
    worker = toy.start(DOUDI_FAULT="after_commit:1:3")  # the commit that ends the first partition's catching up
    assert worker.wait(PATIENCE_S) == -signal.SIGKILL
    caught_up = {p for p in range(toy.settings.partitions) if f"-{p}: caught up" in toy.logged()}
    assert len(caught_up) < toy.settings.partitions
    assert {k: n for k, n in toy.unread().items() if k[1] not in caught_up} == {
        k: n for k, n in fed.items() if k[1] not in caught_up
    }
    toy.start()
    toy.settle()
    _wait_read(toy)


def test_sleeper_wakes_after_its_partitions_went_to_another(toy: Rig) -> None:
    first = toy.start()
    toy.wait_log("caught up", toy.settings.partitions)
    toy.feed(500)
    first.send_signal(signal.SIGSTOP)
    toy.feed(500)
    toy.start()
    toy.wait_log("owned, epoch", 2 * toy.settings.partitions)
    toy.feed(500)
    first.send_signal(signal.SIGCONT)
    toy.feed(500)
    time.sleep(2)
    toy.feed(200)
    toy.settle()
    assert first.poll() is None  # what the other announced is no reason to end where the group gave it the partition


def test_a_sleeper_that_announces_itself_late_makes_the_owner_take_over_anew(toy: Rig) -> None:
    worker = toy.start()
    toy.feed(300)
    toy.settle()
    late = Coder(toy.registry, toy.settings, b"").mark("hub.condition", "persons", 1, 0, 0)
    toy.publisher.send(toy.settings.topic(late.topic), late.key, late.value, late.partition)
    toy.publisher.flush()
    assert worker.wait(PATIENCE_S) == Transient.exit_code
    toy.wait_log("persons-1: another owner was announced after this one")
    assert "Traceback" not in toy.logged()
    toy.feed(300)
    toy.start()
    toy.settle()
    assert toy.begun_twice() == []
    assert toy.logged().count("reading back") == toy.settings.partitions + 1


def test_two_workers_share_and_hand_over(toy: Rig) -> None:
    one = toy.start()
    toy.wait_log("caught up", toy.settings.partitions)
    two = toy.start()
    for _ in range(20):
        toy.feed(50)
        time.sleep(0.2)
    toy.wait_log("lost", toy.settings.partitions)
    toy.settle()
    toy.stop(one)
    toy.feed(200)
    toy.settle()
    toy.start()
    for _ in range(10):
        toy.feed(50)
        time.sleep(0.2)
    toy.stop(two, signal.SIGKILL)
    toy.feed(200)
    toy.settle()


def test_lost_files_are_built_again(toy: Rig) -> None:
    worker = toy.start()
    toy.feed(1_000)
    toy.settle()
    toy.stop(worker)
    shutil.rmtree(toy.settings.state_dir)
    toy.feed(300)
    toy.start()
    toy.settle()
    assert toy.begun_twice() == []


def test_files_from_an_hour_ago(toy: Rig) -> None:
    worker = toy.start()
    toy.feed(800)
    toy.settle()
    toy.stop(worker)
    copy = toy.settings.home / "copy"
    shutil.copytree(toy.settings.state_dir, copy)
    worker = toy.start()
    toy.feed(800)
    toy.settle()
    toy.stop(worker, signal.SIGKILL)
    shutil.rmtree(toy.settings.state_dir)
    shutil.copytree(copy, toy.settings.state_dir)
    toy.feed(200)
    toy.start()
    toy.settle()
    assert toy.begun_twice() == []


def test_damaged_file_is_set_aside(toy: Rig) -> None:
    worker = toy.start()
    toy.feed(300)
    toy.settle()
    toy.stop(worker)
    victim = sorted(toy.settings.state_dir.glob("*.duckdb"))[0]
    victim.write_bytes(b"not a database" * 1000)
    toy.feed(300)
    toy.start()
    toy.settle()
    assert list(toy.settings.state_dir.glob("*.bad-*"))


@pytest.mark.skipif(sys.platform != "linux", reason="makes a small file system with unshare and tmpfs")
def test_a_disk_that_fills_under_the_state_and_is_mended(toy: Rig) -> None:
    with small_disk(toy.settings.state_dir, "size=64m") as (inside_of, seen):
        worker = toy.start(before=inside_of)
        toy.feed(300)
        toy.settle()
        with contextlib.suppress(OSError), (seen / "fill").open("wb") as fill:
            while True:
                fill.write(b"x" * 4096)
                fill.flush()
        toy.feed(3_000)
        assert worker.wait(PATIENCE_S) == StateFullError.exit_code
        toy.wait_log("no space left for the state file")
        toy.wait_log("Free space there, or set DOUDI_STATE to a larger disk")
        assert "Traceback" not in toy.logged()
        (seen / "fill").unlink()
        toy.start(before=inside_of)
        toy.settle()
    assert toy.begun_twice() == []


def test_file_held_by_another_process(toy: Rig) -> None:
    worker = toy.start()
    toy.feed(300)
    toy.settle()
    toy.stop(worker)
    held = sorted(toy.settings.state_dir.glob("*.1.duckdb"))[0]
    with duckdb.connect(str(held)):
        toy.feed(300)
        toy.start()
        toy.settle()
    assert list(toy.settings.state_dir.glob("*.2.duckdb"))


def test_hostile_bytes_are_quarantined_and_neighbours_go_on(toy: Rig) -> None:
    toy.feed(100)
    topic = toy.settings.topic("medical.settlement")
    person = b"%032x" % 7
    hostile = [b"", b"\x01abc", b"\x00\x7f\xff\xff\xff", b"\x00\x00\x00", b"\xff" * 40, None, b"x" * 70_000]
    hostile.append(os.urandom(MESSAGE_MAX_BYTES - 10_000))  # not to be compressed
    for value in hostile:
        toy.publisher.send(topic, person, value)
    toy.feed(100)
    toy.start()
    toy.settle()
    found = toy.read("hub.quarantine").sort("offset")
    assert found.height == len(hostile)
    assert set(found["topic"]) == {"medical.settlement"}
    assert set(found["partition"]) == {partition_for(person, toy.settings.partitions)}
    private = Secrets.load(toy.settings.secrets_dir).hub.private
    assert [open_sealed(private, v) for v in found["sealed_value"]] == [v or b"" for v in hostile]


def test_new_rules_are_applied_to_everybody(toy: Rig) -> None:
    worker = toy.start()
    toy.feed(1_000)
    toy.settle()
    before = len(toy.standing())
    toy.stop(worker)
    toy.start("toy-2")
    until = time.monotonic() + 120
    wanted = sum(total > 50_000 for total in toy.truth.values())
    while len(toy.standing()) != wanted:
        assert time.monotonic() < until
        time.sleep(0.3)
    assert wanted > before


def test_a_sweep_goes_on_after_a_crash_and_lets_live_records_through(toy: Rig) -> None:
    worker = toy.start()
    toy.feed(3_000, people=1_200)
    toy.settle()
    toy.stop(worker)
    # Half of some hundred portions: two partitions alone have fewer, so those of the other thread have begun too.
    worker = toy.start("toy-2", DOUDI_FAULT="after_commit:60")
    assert worker.wait(PATIENCE_S) == -signal.SIGKILL
    toy.wait_log("the rules have changed, deciding for everybody", toy.settings.partitions)
    toy.start("toy-2")
    toy.feed(200, people=1_200)
    until = time.monotonic() + 120
    while toy.standing() != {p: t for p, t in toy.truth.items() if t > 50_000}:
        assert time.monotonic() < until, toy.logged()[-3000:]
        time.sleep(0.3)
    until = time.monotonic() + 60
    while toy.unread():  # the group is told once everybody has been decided for
        assert time.monotonic() < until
        time.sleep(0.3)
    assert toy.logged().count("the rules have changed") == toy.settings.partitions
