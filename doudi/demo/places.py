"""Names for the towns and villages of the demo's county, as a county's own table gives them (DOUDI_DIVISIONS)."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import yaml

from doudi.demo.people import BRANCHES, CODES, COUNTY, STEMS, VILLAGES

FROM = date(2020, 1, 1)
_STEMS = ("Jia", "Yi", "Bing", "Ding", "Wu", "Ji", "Geng", "Xin", "Ren", "Gui")
_BRANCHES = ("Zi", "Chou", "Yin", "Mao", "Chen", "Si", "Wu", "Wei", "Shen", "You", "Xu", "Hai")


def write(path: Path) -> None:
    """Write the table. The names are invented: stems for towns, branches for villages."""
    named = [(COUNTY, "演示县", "Demo County")]
    for place, code in enumerate(CODES):
        town, village = divmod(place, VILLAGES)
        if village == 0:
            named.append((code[:9], f"{STEMS[town]}镇", f"{_STEMS[town]} Town"))
        named.append((code, f"{BRANCHES[village]}村", f"{_BRANCHES[village]} Village"))
    rows = [{"code": code, "zh": zh, "en": en, "from": FROM} for code, zh, en in named]
    path.write_text(yaml.safe_dump({"divisions": rows}, allow_unicode=True), encoding="utf-8")
