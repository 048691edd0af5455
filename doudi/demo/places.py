"""Names for the towns and villages of the demo's county, as a county's own table gives them (DOUDI_DIVISIONS)."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import yaml

from doudi.demo.people import COUNTY, TOWNS, VILLAGES

FROM = date(2020, 1, 1)
_STEMS = {
    **{"甲": "Jia", "乙": "Yi", "丙": "Bing", "丁": "Ding", "戊": "Wu"},
    **{"己": "Ji", "庚": "Geng", "辛": "Xin", "壬": "Ren", "癸": "Gui"},
}
_BRANCHES = {
    **{"子": "Zi", "丑": "Chou", "寅": "Yin", "卯": "Mao", "辰": "Chen", "巳": "Si"},
    **{"午": "Wu", "未": "Wei", "申": "Shen", "酉": "You", "戌": "Xu", "亥": "Hai"},
}


def write(path: Path) -> None:
    """Write the table. The names are invented: stems for towns, branches for villages."""
    named = [(COUNTY, "演示县", "Demo County")]
    towns, villages = list(_STEMS.items())[:TOWNS], list(_BRANCHES.items())[:VILLAGES]
    for t, (stem, town) in enumerate(towns):
        code = f"{COUNTY}{101 + t}"
        named.append((code, f"{stem}镇", f"{town} Town"))
        named += [
            (f"{code}{201 + v}", f"{branch}村", f"{village} Village") for v, (branch, village) in enumerate(villages)
        ]
    rows = [{"code": code, "zh": zh, "en": en, "from": FROM} for code, zh, en in named]
    path.write_text(yaml.safe_dump({"divisions": rows}, allow_unicode=True), encoding="utf-8")
