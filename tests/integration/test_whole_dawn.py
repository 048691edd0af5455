"""A changed rule comes into force with a day: everybody is decided for by it, and nobody has to restart anything."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from agents.watch import tick
from domain.rules import SHIPPED
from doudi.cli import app
from doudi.embedded.hub import environment
from tests.integration.test_whole_endings import TODAY, YEAR, bill, enter
from tests.whole import Whole

TOMORROW = TODAY + dt.timedelta(days=1)


def lower(folder: Path) -> Path:
    """R02 as version 2: from the line of 特困 (1,000 yuan) on, instead of 5,000."""
    content = yaml.safe_load((SHIPPED / "civil" / "R02.yaml").read_text(encoding="utf-8"))
    fires, near = content["cases"][:2]
    near["given"][1]["medical.settlement"]["psn_part_amt_fen"] = 100_000
    content |= {
        "version": 2,
        "title": {
            "zh": "低保对象年度医疗自付超过较低的线",
            "en": "A recipient's yearly self-pay beyond the lower line",
        },
        "when": content["when"].replace("('dibao')", "('tekun')"),
        "cases": [fires, near],
    }
    path = folder / "R02.yaml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    return path


@pytest.mark.moves((TOMORROW - TODAY).days)
def test_a_rule_comes_into_force_with_the_day(whole: Whole, tmp_path: Path) -> None:
    below, beyond = enter(whole, 821), enter(whole, 822)
    bill(whole, 821, "S821", "2000.00")
    bill(whole, 822, "S822", "6000.00")
    known = whole.case_of("R02", beyond, YEAR)

    def version(case: str) -> int:
        return next(c["rule_version"] for c in whole.case(case)["conditions"] if c["rule"] == "R02")

    assert version(known) == 1
    arguments = ["rules", "activate", str(lower(tmp_path)), "--by", "lawyer", "--from"]
    env = environment(whole.settings)
    assert "has begun" in str(CliRunner().invoke(app, [*arguments, str(TODAY)], env=env).exception)
    told = CliRunner().invoke(app, [*arguments, str(TOMORROW)], env=env)
    assert told.exit_code == 0, told.output

    tick(whole.settings, TOMORROW, dt.datetime.now(dt.UTC))
    new = whole.case_of("R02", below, YEAR)
    assert version(new) == 2
    whole.wait(lambda: version(known) == 2, "who stood before does not stand by the new version")
    condition = next(c for c in whole.case(known)["conditions"] if c["rule"] == "R02")
    assert condition["as_of"] == str(TOMORROW)
    for stage in ("persons", "households"):
        log = (whole.settings.home / "logs" / f"worker-{stage}.log").read_text(encoding="utf-8")
        assert f"LawChanged: another rule book is the law from {TOMORROW} on" in log

    with whole.gateway("county", "civil", "9901") as county:

        def title() -> str:
            shown = county.get(f"/v1/alerts/{new}").json()["conditions"][0]
            assert shown["rule_version"] == 2
            return str(shown["title_zh"])

        whole.wait(lambda: title().endswith("较低的线"), "the gateway does not know the version")
        why = county.get(f"/v1/alerts/{new}/why").json()
        assert (why["rule"], why["stands"], why["agrees"]) == ("R02", True, True)
        assert {r["version"] for r in county.get("/v1/rules").json() if r["id"] == "R02"} <= {1, 2}
