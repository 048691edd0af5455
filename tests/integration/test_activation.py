"""Bringing rules into force on a real broker: what is said, refused, taken back, and read by those who run."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from agents.errors import BrokerError, ConfigurationError, LawChanged
from agents.watch import tick
from agents.worker import lawful
from domain.law import Activation, File
from domain.rules import SHIPPED
from domain.screening import PersonStage
from doudi.activation import NotActivated, activate, withdraw
from doudi.cli import app
from doudi.embedded.hub import environment
from gateway.laws import Laws
from wire.kafka import publish_and_wait
from wire.lawbook import Lawbook
from wire.reading import read_all
from wire.registry import Registry
from wire.settings import Settings

Command = Callable[..., tuple[int, str]]
MAY, JUNE, JULY = date(2026, 5, 1), date(2026, 6, 1), date(2026, 7, 1)


def changed(folder: Path, version: int = 2, **more: object) -> Path:
    """R33 as another version."""
    content = yaml.safe_load((SHIPPED / "civil" / "R33.yaml").read_text(encoding="utf-8"))
    path = folder / "R33.yaml"
    path.write_text(yaml.safe_dump({**content, "version": version, **more}, allow_unicode=True), encoding="utf-8")
    return path


@pytest.fixture
def lawbook(hub: Settings) -> Iterator[Lawbook]:
    with Registry(hub.registry, hub.namespace) as registry:
        yield Lawbook(hub, registry)


@pytest.fixture
def run(hub: Settings) -> Command:
    """The command line on this hub: exit code, and what it says."""

    def command(*arguments: object) -> tuple[int, str]:
        told = CliRunner().invoke(app, ["rules", *map(str, arguments)], env=environment(hub))
        return told.exit_code, told.output + (str(told.exception) if told.exception else "")

    return command


def test_from_the_command_line(hub: Settings, lawbook: Lawbook, run: Command, tmp_path: Path) -> None:
    assert run("activations") == (0, "nothing was activated: the installed rules are the law\n")
    tick(hub, MAY, datetime.now(UTC))
    code, said = run("activate", changed(tmp_path), "--from", JUNE, "--by", "lawyer1")
    assert code == 0, said
    name = said.partition(":")[0]
    assert "R33.yaml in force from 2026-06-01" in said
    assert "DOUDI_STORM_LIMIT (100000)" in said

    listed = json.loads(run("activations", "--json")[1])
    assert [(a["activation_id"], a["day"], a["state"], a["files"], a["account"]) for a in listed] == [
        (name, "2026-06-01", "coming", "R33.yaml", "lawyer1")
    ]
    tick(hub, JUNE, datetime.now(UTC))
    assert "in force" in run("activations")[1]
    code, said = run("withdraw", name)
    assert code != 0
    assert "2026-06-01 has begun (the hub was told 2026-06-01); what is in force stays" in said
    code, said = run("activate", changed(tmp_path, 3), "--from", JUNE)
    assert code != 0
    assert "2026-06-01 has begun (the hub was told 2026-06-01); give a later one" in said
    code, said = run("activate", changed(tmp_path, 3), "--from", JULY)
    assert code == 0, said
    later = said.partition(":")[0]
    assert run("withdraw", later) == (0, f"{later}: withdrawn; 2026-07-01 begins without it\n")
    assert [a["state"] for a in json.loads(run("activations", "--json")[1])] == ["in force", "withdrawn"]
    assert "no activation" in run("withdraw", later)[1]
    assert lawbook.refresh().book(JULY).rules["R33"].version == 2
    assert lawbook.law.book(MAY).rules["R33"].version == 1


def test_a_version_that_is_not_greater_is_refused(lawbook: Lawbook, tmp_path: Path) -> None:
    with pytest.raises(NotActivated, match="R33 is installed as version 1: give a greater one"):
        activate(lawbook, [changed(tmp_path, 1, deadline={"days": 3, "product_default": True})], JUNE, "a")
    assert lawbook.refresh().activations == ()


def test_a_rule_whose_cases_fail_is_refused(lawbook: Lawbook, tmp_path: Path) -> None:
    with pytest.raises(NotActivated, match=r"R33: .*: expected standing, came nothing; mend the rule or its case"):
        activate(lawbook, [changed(tmp_path, when="false")], JUNE, "a")
    assert lawbook.refresh().activations == ()


def june_begins_after_it(hub: Settings, lawbook: Lawbook, monkeypatch: pytest.MonkeyPatch) -> None:
    """The day is told as soon as something is said."""
    say = lawbook.say

    def meanwhile(activation: Activation) -> None:
        say(activation)
        tick(hub, JUNE, datetime.now(UTC))

    monkeypatch.setattr(lawbook, "say", meanwhile)


def test_a_day_that_begins_meanwhile_takes_it_back(
    hub: Settings, lawbook: Lawbook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    june_begins_after_it(hub, lawbook, monkeypatch)
    with pytest.raises(NotActivated, match="2026-06-01 has begun"):
        activate(lawbook, [changed(tmp_path)], JUNE, "a")
    (said,) = lawbook.refresh().activations
    assert said.withdrawn
    assert lawbook.law.book(JULY) is lawbook.law.installed


def test_what_comes_into_force_meanwhile_is_not_withdrawn(
    hub: Settings, lawbook: Lawbook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said, _ = activate(lawbook, [changed(tmp_path)], JUNE, "a")
    june_begins_after_it(hub, lawbook, monkeypatch)
    with pytest.raises(NotActivated, match="it came into force meanwhile, and stays"):
        withdraw(lawbook, said.activation_id)
    assert lawbook.refresh().book(JUNE).rules["R33"].version == 2


def test_a_worker_with_another_book_than_the_days_starts_again(hub: Settings, lawbook: Lawbook, tmp_path: Path) -> None:
    stage = PersonStage(lawbook.law.book(MAY))
    lawful(lawbook, stage, MAY)
    _, book = activate(lawbook, [changed(tmp_path)], JUNE, "a")
    lawful(lawbook, stage, MAY)
    with pytest.raises(LawChanged, match="another rule book is the law from 2026-06-01 on"):
        lawful(lawbook, stage, JUNE)
    tick(hub, JULY, datetime.now(UTC))
    with pytest.raises(LawChanged):  # days that it reads late are decided by the newest law too
        lawful(lawbook, stage, MAY)
    lawful(lawbook, PersonStage(book), MAY)


def test_two_who_activate_at_once(lawbook: Lawbook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    say = lawbook.say

    def meanwhile(activation: Activation) -> None:
        monkeypatch.setattr(lawbook, "say", say)
        say(replace(activation, activation_id="other"))
        say(activation)

    monkeypatch.setattr(lawbook, "say", meanwhile)
    with pytest.raises(NotActivated, match="nothing would change on 2026-06-01"):
        activate(lawbook, [changed(tmp_path)], JUNE, "a")
    assert {a.activation_id: a.withdrawn for a in lawbook.refresh().activations}["other"] is False
    assert sum(a.withdrawn for a in lawbook.law.activations) == 1


def test_activations_that_do_not_agree_with_the_folder_stop_a_worker(hub: Settings, lawbook: Lawbook) -> None:
    stage = PersonStage(lawbook.law.book(MAY))
    lawbook.say(Activation("bad", MAY, (File("R33.yaml", "id: R33\nversion: 2\n"),), "a", datetime.now(UTC)))
    with pytest.raises(ConfigurationError, match=r"the law of 2026-06-01 cannot be read: civil/R33\.yaml"):
        lawful(lawbook, stage, JUNE)


def test_the_gateway_follows_and_goes_on_with_what_it_knows(
    hub: Settings, lawbook: Lawbook, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def until(look: Callable[[], bool]) -> None:
        for _ in range(600):
            if look():
                return
            await asyncio.sleep(0.1)
        raise AssertionError("nothing in a minute")

    async def follow() -> None:
        laws = Laws(lawbook, every_s=0.05)
        assert laws.today.rules["R33"].version == 1
        await laws.start()
        await asyncio.to_thread(activate, lawbook, [changed(tmp_path)], JUNE, "a")
        await asyncio.to_thread(tick, hub, JUNE, datetime.now(UTC))
        await until(lambda: laws.today.rules["R33"].version == 2)
        bad = Activation("bad", JUNE, (File("R33.yaml", "id: R33\nversion: 3\n"),), "a", datetime.now(UTC))
        await asyncio.to_thread(lawbook.say, bad)
        await until(lambda: "the law cannot be read: RuleError" in caplog.text)
        assert laws.today.rules["R33"].version == 2
        await laws.stop()

    asyncio.run(follow())


def test_a_law_that_cannot_be_read_is_the_brokers_fault(lawbook: Lawbook, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = PersonStage(lawbook.law.book(MAY))
    monkeypatch.setattr(lawbook, "_settings", lawbook._settings.model_copy(update={"namespace": "nobody."}))
    monkeypatch.setattr("wire.lawbook.read_all", partial(read_all, patience_s=1.0))
    with pytest.raises(BrokerError, match="the law of 2026-05-01 cannot be read"):
        lawful(lawbook, stage, MAY)


def test_it_is_read_again_for_a_version_that_was_not_met(hub: Settings, lawbook: Lawbook, tmp_path: Path) -> None:
    known = lawbook.law
    with Registry(hub.registry, hub.namespace) as registry:
        activate(Lawbook(hub, registry), [changed(tmp_path)], JUNE, "a")
    assert lawbook.known([("R33", 1), ("R01", 1)]) is known
    found = lawbook.known([("R33", 2)])
    assert found is not known
    assert found.rule("R33", 2) == found.book(JUNE).rules["R33"]
    assert lawbook.known([("R99", 7)]) is not found  # once: it may have come just now
    assert lawbook.known([("R99", 7)]) is lawbook.law
    assert lawbook.rule("R33", 1) == known.installed.rules["R33"]


def test_what_cannot_be_read_of_it_is_logged(hub: Settings, lawbook: Lawbook, caplog: pytest.LogCaptureFixture) -> None:
    publish_and_wait(hub, hub.topic("hub.rulebook"), b"x", b"\x00garbage")
    assert lawbook.refresh().activations == ()
    assert "hub.rulebook, offset 0: " in caplog.text
