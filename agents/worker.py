"""Entry of the screening workers: ``run("persons", settings)`` or ``run("households", settings)``."""

from __future__ import annotations

import logging
from typing import NoReturn

# Before polars, which imports them at first use, and that is not safe in two threads at once.
import numpy as np  # noqa: F401
import pyarrow as pa  # noqa: F401

from agents.app import die
from agents.app import run as run_app
from agents.questions import Answering
from agents.stage_runtime import Runtime
from domain import rules
from domain.households import HouseholdStage
from domain.questions import answer
from domain.screening import PersonStage
from domain.stage import Stage
from wire.kafka import check_reachable
from wire.secrets import Secrets
from wire.settings import Settings

log = logging.getLogger(__name__)


def run(name: str, settings: Settings) -> NoReturn:
    """Run the stage of that name on the rules of the settings."""
    try:
        book = rules.load(settings.rules)
        stage: Stage = PersonStage(book) if name == "persons" else HouseholdStage(book)
    except Exception as error:
        die(error, name)
    run_stage(stage, settings)


def run_stage(stage: Stage, settings: Settings, answering: Answering = answer) -> NoReturn:
    """Run one stage until a signal ends it. Logging and settings are the caller's."""
    try:
        check_reachable(settings)
        runtime = Runtime(settings, stage, Secrets.load(settings.secrets_dir).hub.public, answering)
    except Exception as error:
        die(error, stage.name)
    run_app(runtime.app, settings)
