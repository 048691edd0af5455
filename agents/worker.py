"""Entry of the screening workers: ``run("persons", settings)`` or ``run("households", settings)``."""

from __future__ import annotations

import logging
from datetime import date
from functools import partial
from typing import NoReturn

from agents.app import die
from agents.app import run as run_app
from agents.cycle import Lawful
from agents.errors import BrokerError, ConfigurationError, LawChanged
from agents.questions import Answering
from agents.stage_runtime import Runtime
from domain.households import HouseholdStage
from domain.questions import answer
from domain.rules import RuleError
from domain.screening import PersonStage
from domain.stage import Stage
from wire.errors import WireError
from wire.kafka import check_reachable
from wire.lawbook import Lawbook
from wire.registry import Registry
from wire.secrets import Secrets
from wire.settings import Settings

log = logging.getLogger(__name__)


def run(name: str, settings: Settings) -> NoReturn:
    """Run the stage of that name on the rules of the settings."""
    try:
        check_reachable(settings)
        lawbook = Lawbook(settings, Registry(settings.registry, settings.namespace))
        _, book = lawbook.newest()
        stage: Stage = PersonStage(book) if name == "persons" else HouseholdStage(book)
    except Exception as error:
        die(error, name)
    run_stage(stage, settings, lawful=partial(lawful, lawbook, stage))


def lawful(lawbook: Lawbook, stage: Stage, day: date) -> None:
    """Raise LawChanged where the stage's book is not that of the newest day told; ``day`` is one of them.

    Raises BrokerError, and ConfigurationError for activations that do not agree with the installed rules.
    """
    try:
        newest, book = lawbook.newest(day)
    except (RuleError, WireError) as error:
        known = ConfigurationError if error.family == "permanent" else BrokerError
        raise known(f"the law of {day} cannot be read: {error}") from error
    if book.digest != stage.rules_version:
        raise LawChanged(f"another rule book is the law from {newest} on; starting again with it")


def _always(_: date) -> None:
    """A stage whose rules are not the law's."""


def run_stage(stage: Stage, settings: Settings, answering: Answering = answer, lawful: Lawful = _always) -> NoReturn:
    """Run one stage until a signal ends it. Logging and settings are the caller's."""
    try:
        check_reachable(settings)
        runtime = Runtime(settings, stage, Secrets.load(settings.secrets_dir).hub.public, answering, lawful)
    except Exception as error:
        die(error, stage.name)
    run_app(runtime.app, settings)
