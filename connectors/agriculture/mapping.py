"""Bureau of agriculture and rural affairs: who wants industry support, and the support that runs."""

from __future__ import annotations

from typing import Final

from connectors.fields import boolean, code, day, division
from connectors.mapping import Identity, Mapping

KINDS: Final = {
    "种植": "planting",
    "养殖": "breeding",
    "加工": "processing",
    "服务": "service",
    "入股分红": "shares",
    "无": "none",
}

SUPPORT: Final = Mapping(
    topic="agriculture.support",
    identity=Identity(id_number="certno", name="name"),
    division=division("division"),
    fields={
        "willing": boolean("willing"),
        "asked_on": day("ask_date"),
        "kind": code("kind", KINDS),
        "start_on": day("start_date"),
        "end_on": day("end_date"),
    },
)

FEEDS: Final = {"support": SUPPORT}
