"""The income sheet (收入核算表): what an officer found about a household, reckoned with dated, regional parameters.

Facts in, lines and a proposed tier out; a person decides. What is not known stays unknown and makes the income
unknown; nothing is imputed unless the officer says, member by member, that wages are to be taken by the local
reference (``wages_reference``), and then the sheet says so.

Sources: labour coefficients, 兴安盟“清零达标”专项行动实施方案; deduction of expenses, 大市镇并轨试点实施方案;
deduction of necessary expenditure, 琼民通〔2018〕42号. They name these parameters and no amounts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from domain.explain import shown
from domain.parameters import Strict
from domain.rules import RuleBook

MOST_MEMBERS = 30
MOST_SOURCES = 20
Fen = Annotated[int, Field(ge=0, le=100_000_000_000)]
Ability = Literal["full", "partial", "none", "student", "carer"]
Kind = Literal[
    "wages",
    "wages_reference",
    "business",
    "property",
    "pension",
    "basic_pension",
    "farm_subsidy",
    "support",
    "preferential",
    "award",
    "aid",
    "disability",
    "old_age",
]
Finding = Literal["none", "vehicle", "property", "business", "fund", "post", "tax"]

ABILITIES: dict[str, tuple[str, str]] = {
    "full": ("有完全劳动能力", "wholly able to work"),
    "partial": ("部分丧失劳动能力", "partly unable to work"),
    "none": ("无劳动能力", "unable to work"),
    "student": ("在校学生", "pupil or student"),
    "carer": ("家庭照护人员", "cares for a member at home"),
}
KINDS: dict[str, tuple[str, str]] = {
    "wages": ("工资性收入", "wages"),
    "wages_reference": ("工资性收入（无法核实，按参照工资）", "wages not documented, by the reference"),
    "business": ("经营净收入", "business"),
    "property": ("财产净收入", "property"),
    "pension": ("养老金、退休金", "pension of employment"),
    "basic_pension": ("城乡居民基础养老金", "basic pension of residents"),
    "farm_subsidy": ("惠农补贴", "farm subsidy"),
    "support": ("赡养、抚养、扶养费", "maintenance from relatives"),
    "preferential": ("优待抚恤金", "preferential treatment, pension of honour"),
    "award": ("奖学金、助学金、见义勇为等奖励", "scholarship, study grant, award"),
    "aid": ("政府发放的社会救助款物", "social assistance"),
    "disability": ("残疾人两项补贴", "disability subsidies"),
    "old_age": ("高龄津贴", "allowance of old age"),
}
TRANSFERS = frozenset(KINDS) - {"wages", "wages_reference", "business", "property"}
RIGID: dict[str, tuple[str, str]] = {
    "medical": ("医疗", "medical"),
    "schooling": ("教育", "schooling"),
    "care": ("残疾照护", "disability care"),
}


class Income(Strict):
    """One source of a member's income in twelve months, before the costs of it. ``year_fen`` None: not known."""

    kind: Kind
    year_fen: Fen | None = None
    cost_year_fen: Fen = 0

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.cost_year_fen and self.kind not in ("wages", "wages_reference", "business"):
            raise ValueError("costs are deducted from wages and from business only")
        if self.year_fen is not None and self.kind == "wages_reference":
            raise ValueError("wages by the reference have no amount of their own; give kind wages")
        return self


class Member(Strict):
    """A member: age in full years, ability to work, sources of income. None of them: say so in ``no_income``."""

    age: Annotated[int, Field(ge=0, le=130)]
    ability: Ability
    incomes: Annotated[tuple[Income, ...], Field(max_length=MOST_SOURCES)] = ()
    no_income: bool = False

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.no_income and self.incomes:
            raise ValueError("no_income beside sources of income; leave out one of them")
        return self


class Sheet(Strict):
    """What the officer found. The household's expenditure is what it paid itself in twelve months; None: not known."""

    members: Annotated[tuple[Member, ...], Field(min_length=1, max_length=MOST_MEMBERS)]
    medical_year_fen: Fen | None = None
    schooling_year_fen: Fen | None = None
    care_year_fen: Fen | None = None
    assets_ok: bool | None = None
    finding: Finding = "none"
    checked_on: date


@dataclass(frozen=True, slots=True)
class Line:
    """One line: what, by which formula, fen (None: unknown), with which parameters. ``member`` 1, 2 …; 0: all."""

    code: str
    member: int
    title_zh: str
    title_en: str
    formula: str
    amount_fen: int | None
    parameters: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Fit:
    """Whether the sheet fits a tier: None where nobody can say. ``standard_fen``: what it would make up a month."""

    tier: str
    holds: bool | None
    formula_zh: str
    formula_en: str
    parameters: tuple[dict[str, Any], ...]
    standard_fen: int | None = None


@dataclass(frozen=True, slots=True)
class Reckoned:
    """The sheet's result. ``proposal``: the first tier that fits, none, or empty: not to be said yet.

    ``income_month_fen`` is a head's, before necessary expenditure is deducted: that is what a check records, and
    the rules set the expenditure beside it themselves. ``referred``: wages were taken by the reference somewhere.
    """

    lines: tuple[Line, ...]
    fits: tuple[Fit, ...]
    proposal: str
    income_year_fen: int | None
    income_month_fen: int | None
    after_rigid_month_fen: int | None
    referred: bool


def reckon(book: RuleBook, sheet: Sheet, division: str) -> Reckoned:
    """Work the sheet out with the parameters in force at ``division`` on the day of the check.

    Raises LookupError for a day before the book's law.
    """
    return _Reckoning(book, sheet, division).result()


@dataclass
class _Reckoning:
    book: RuleBook
    sheet: Sheet
    division: str
    lines: list[Line] = field(default_factory=list)

    def result(self) -> Reckoned:
        """Members, household, a head; then the tiers."""
        sums = [self._member(n, m) for n, m in enumerate(self.sheet.members, 1)]
        income = _sum(sums)
        heads = len(self.sheet.members)
        head = None if income is None else income // (12 * heads)
        self._line(
            "household", 0, ("家庭年收入", "Income of the household a year"), "+".join(map(_money, sums)), income
        )
        self._line("head", 0, ("人均月收入", "Income a head and month"), f"{_money(income)}÷12÷{heads}", head)
        spent, rigid = self._rigid()
        left = None if income is None or rigid is None else max(0, income - rigid)
        after = None if left is None else left // (12 * heads)
        self._line(
            "after_rigid",
            0,
            ("核减刚性支出后的人均月收入", "A head and month after necessary expenditure"),
            f"({_money(income)}-{_money(rigid)})÷12÷{heads}",
            after,
        )
        fits = self._fits(income, head, after, spent)
        return Reckoned(
            lines=tuple(self.lines),
            fits=fits,
            proposal=_proposal(fits),
            income_year_fen=income,
            income_month_fen=head,
            after_rigid_month_fen=after,
            referred=any(i.kind == "wages_reference" for m in self.sheet.members for i in m.incomes),
        )

    # ------------------------------------------------------------------ income

    def _member(self, number: int, member: Member) -> int | None:
        if member.no_income:
            self._line("no_income", number, ("无收入", "No income"), "0", 0)
            return 0
        if not member.incomes:
            self._line("unknown", number, ("收入未填写", "Income not filled in"), "?", None)
            return None
        return _sum([self._income(number, member, income) for income in member.incomes])

    def _income(self, number: int, member: Member, income: Income) -> int | None:
        title, year = KINDS[income.kind], income.year_fen
        if income.kind == "wages_reference":
            percent, wage, cap = (
                self._at(self._coefficient(member)),
                self._at("sheet_wage_month_fen"),
                self._at("sheet_work_cost_year_fen"),
            )
            cost = min(income.cost_year_fen, cap["value"])
            amount = max(0, wage["value"] * 12 * percent["value"] // 100 - cost)
            formula = f"{_money(wage['value'])}×12×{percent['value']}%-{_money(cost)}"
            return self._line(income.kind, number, title, formula, amount, wage, percent, cap)
        if income.kind == "wages":
            cap = self._at("sheet_work_cost_year_fen")
            cost = min(income.cost_year_fen, cap["value"])
            kept = None if year is None else max(0, year - cost)
            return self._line(income.kind, number, title, f"{_money(year)}-{_money(cost)}", kept, cap)
        if income.kind == "business":
            share = self._at("sheet_business_cost_percent")
            cost = income.cost_year_fen * share["value"] // 100
            kept = None if year is None else max(0, year - cost)
            formula = f"{_money(year)}-{_money(income.cost_year_fen)}×{share['value']}%"
            return self._line(income.kind, number, title, formula, kept, share)
        if income.kind == "property":
            return self._line(income.kind, number, title, _money(year), year)
        share = self._at(f"sheet_transfer_{income.kind}_percent")
        # What does not count at all may stay unknown.
        kept = 0 if share["value"] == 0 else None if year is None else year * share["value"] // 100
        return self._line(income.kind, number, title, f"{_money(year)}×{share['value']}%", kept, share)

    def _coefficient(self, member: Member) -> str:
        """The parameter of a member's coefficient: by age first, then by ability; of two the lower."""
        if not self._of_working_age(member):
            return "sheet_labour_none_percent"
        names = [f"sheet_labour_{member.ability}_percent"]
        if member.age >= self._number("sheet_labour_older_age"):
            names.append("sheet_labour_older_percent")
        return min(names, key=self._number)

    # ------------------------------------------------------------------ necessary expenditure

    def _rigid(self) -> tuple[int | None, int | None]:
        """(spent, deducted) a year."""
        spent: list[int | None] = []
        deducted: list[int | None] = []
        for kind, (zh, en) in RIGID.items():
            year: int | None = getattr(self.sheet, f"{kind}_year_fen")
            share, cap = self._at(f"sheet_rigid_{kind}_percent"), self._at(f"sheet_rigid_{kind}_cap_fen")
            amount = None if year is None else min(year * share["value"] // 100, cap["value"])
            self._line(
                f"rigid_{kind}",
                0,
                (f"刚性支出核减：{zh}", f"Necessary expenditure deducted: {en}"),
                f"min({_money(year)}×{share['value']}%, {_money(cap['value'])})",
                amount,
                share,
                cap,
            )
            spent.append(year)
            deducted.append(amount)
        return _sum(spent), _sum(deducted)

    # ------------------------------------------------------------------ tiers

    def _fits(self, income: int | None, head: int | None, after: int | None, spent: int | None) -> tuple[Fit, ...]:
        """R17, the dibao line, R39 and R40, in the order in which one goes before the other."""
        line, edge, rigid = self._at("dibao_line_fen"), self._at("edge_percent"), self._at("rigid_expense_percent")
        state, local = self._at("tekun_percent"), self._at("resident_income_fen")
        assets, base = self.sheet.assets_ok, line["value"]
        unable = all(self._unable(m) for m in self.sheet.members)
        poor = None if head is None else head < base
        edged = None if head is None else head * 100 < base * edge["value"]
        below = None if head is None else head * 12 < local["value"]
        heavy = None if income is None or spent is None else spent > 0 and spent * 100 >= income * rigid["value"]
        money = _money(base)
        return (
            Fit(
                "tekun",
                _and(unable, poor, assets),
                f"全部成员无劳动能力且{_money(head)}<{money}，财产符合；另须无履行义务能力的赡养、抚养、扶养人",
                f"everybody unable to work and {_money(head)}<{money}, assets within the limits; "
                "and nobody able and bound to support them",
                (line, state),
                base * state["value"] // 100,
            ),
            Fit(
                "dibao",
                _and(None if after is None else after < base, assets),
                f"{_money(after)}<{money}（核减刚性支出后），财产符合",
                f"{_money(after)}<{money} (after necessary expenditure), assets within the limits",
                (line,),
                None if after is None else max(0, base - after),
            ),
            Fit(
                "bianyuan",
                _and(edged, assets),
                f"{_money(head)}<{money}×{edge['value']}%，财产符合",
                f"{_money(head)}<{money}×{edge['value']}%, assets within the limits",
                (line, edge),
            ),
            Fit(
                "gangxing",
                _and(below, heavy, assets),
                f"{_money(head)}×12<{_money(local['value'])}且{_money(spent)}≥{_money(income)}×{rigid['value']}%，财产符合",
                f"{_money(head)}×12<{_money(local['value'])} and {_money(spent)}≥{_money(income)}×{rigid['value']}%, "
                "assets within the limits",
                (local, rigid),
            ),
        )

    def _unable(self, member: Member) -> bool:
        return member.ability == "none" or not self._of_working_age(member)

    def _of_working_age(self, member: Member) -> bool:
        return self._number("sheet_labour_from_age") <= member.age < self._number("sheet_labour_until_age")

    # ------------------------------------------------------------------ parameters, lines

    def _at(self, name: str) -> dict[str, Any]:
        """The value in force, as a decision shows it: name, value, titles, text, source."""
        parameter = self.book.parameters[name]
        said = parameter.in_force(self.division, self.sheet.checked_on).authority("")
        return {
            **said,
            "name": name,
            "label_zh": parameter.title.zh,
            "label_en": parameter.title.en,
            "text": shown(said["value"], parameter.unit, "zh"),
            "text_en": shown(said["value"], parameter.unit, "en"),
        }

    def _number(self, name: str) -> int:
        return self.book.parameters[name].in_force(self.division, self.sheet.checked_on).value

    def _line(
        self, code: str, member: int, title: tuple[str, str], formula: str, amount: int | None, *used: dict[str, Any]
    ) -> int | None:
        self.lines.append(Line(code, member, *title, formula, amount, used))
        return amount


def _proposal(fits: tuple[Fit, ...]) -> str:
    """The first tier that fits; none; empty where one that goes before may yet fit."""
    for fit in fits:
        if fit.holds is None:
            return ""
        if fit.holds:
            return fit.tier
    return "none"


def _sum(amounts: list[int | None]) -> int | None:
    """Unknown as soon as one of them is."""
    known = [a for a in amounts if a is not None]
    return sum(known) if len(known) == len(amounts) else None


def _and(*holds: bool | None) -> bool | None:
    """Of three values: false wins, then unknown."""
    return False if False in holds else None if None in holds else True


def _money(fen: int | None) -> str:
    return "?" if fen is None else f"{fen // 100:,}.{fen % 100:02d}"
