"""How nearly every rule stands for people of the demo: what `doudi demo --once --near` says at its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import closing

from agents.opening import Place
from agents.state import open_file
from domain import nearness, rules
from domain.households import HouseholdStage
from domain.screening import PersonStage
from doudi.demo.errors import NotQuiet
from wire.settings import Settings


def near_misses(settings: Settings, say: Callable[[str], None]) -> None:
    """Say of each rule how many rows of facts it nearly stands for, once nobody holds the state."""
    say("counting near misses")
    book = rules.load(settings.rules)
    found: Counter[str] = Counter()
    for stage in (PersonStage(book), HouseholdStage(book)):
        for partition in range(settings.partitions):
            place = Place(settings.state_dir, f"{stage.name}-{partition}")
            state = open_file(place.file(place.numbers()[-1]))
            if state is None:
                raise NotQuiet(
                    "A state file is still held", str(place.folder), "run it again with --keep and look there"
                )
            with closing(state):
                stage.create(state.con)
                found.update(nearness.near_misses(state.con, stage, settings.region))
    say("near misses by rule: " + ", ".join(f"{rule} {found[rule]}" for rule in sorted(book.rules)))
