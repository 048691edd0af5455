"""The households' stage: rules over what members contribute, folded by who decided it last."""

from __future__ import annotations

from domain.screening import Screening


class HouseholdStage(Screening):
    """Rules about households. Reads hub.member only; a death or an exit reaches it as a member's row."""

    name = "households"
    subject_kind = "household"
    subject = "household_key"
    outputs = ("hub.condition",)
