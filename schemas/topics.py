"""The table of topics. Whoever needs to know a topic's schema, key, owner or reader derives it from here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Family = Literal["department", "hub", "intake", "task"]

DEPARTMENTS = ("civil", "medical", "education", "housing", "employment", "disability", "water", "agriculture")
"""Departments that own feeds or receive tasks; the first is the roster's owner."""
MESSAGE_MAX_BYTES = 4_000_000
"""Largest message of any topic, as producers and brokers count it."""


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic.

    ``partitions`` is ``"state"`` where the topic is co-partitioned with the screening state and
    ``"one"`` where a single writer or reader needs one order. ``key`` names the field (or fields,
    joined by a colon) that makes the message key; ``partition_by`` the field whose murmur2 hash
    chooses the partition where that is not the key itself; ``"every"`` sends to all partitions.
    ``retention`` is ``"forever"``, ``"compact"`` or a number of days. ``lanes``: a second topic with
    the suffix ``.backlog`` carries snapshots and replays, read behind live records.
    """

    name: str
    schema: str
    family: Family
    key: str
    owner: str
    single_writer: str
    partitions: Literal["state", "one"]
    retention: Literal["forever", "compact"] | int
    purpose: str
    readers: tuple[str, ...]
    partition_by: str = ""
    lanes: bool = False

    @property
    def backlog(self) -> str:
        """Name of the backlog lane."""
        return f"{self.name}{BACKLOG}"


BACKLOG = ".backlog"


def _department(name: str, owner: str, purpose: str, also: str = "") -> Topic:
    return Topic(
        name,
        name,
        "department",
        "person_key",
        owner,
        f"connector of {owner}{also}",
        "state",
        "forever",
        purpose,
        ("screening",),
        lanes=True,
    )


def _hub(
    name: str,
    key: str,
    writer: str,
    partitions: Literal["state", "one"],
    retention: Literal["forever", "compact"] | int,
    purpose: str,
    readers: tuple[str, ...],
    partition_by: str = "",
) -> Topic:
    return Topic(name, name, "hub", key, "hub", writer, partitions, retention, purpose, readers, partition_by)


DEPARTMENT_TOPICS = (
    _department("medical.settlement", "medical", "Medical bills, with reversals"),
    _department("medical.insurance", "medical", "Enrolment and the aid identity marked on it"),
    _department("disability.card", "disability", "Disability certificates"),
    _department("civil.roster", "civil", "The low-income roster, six tiers, with history"),
    _department("civil.household", "civil", "Who belongs to which household"),
    _department("civil.benefit", "civil", "Benefits granted, paid and stopped"),
    _department("civil.check", "civil", "Results of checks of means, with their authorisation", ", gateway"),
    _department("civil.application", "civil", "Applications for aid and what became of them"),
    _department("education.enrolment", "education", "Pupils and students, with absence and aid"),
    _department("employment.status", "employment", "Who is employed, who seeks work and was helped"),
    _department("employment.contribution", "employment", "Relations of social insurance, and the months paid"),
    _department("housing.appraisal", "housing", "Safety appraisals of houses"),
    _department("housing.tenancy", "housing", "How families are housed, public rental housing and rent subsidies"),
    _department("water.supply", "water", "How safe families' drinking water is"),
    _department("agriculture.support", "agriculture", "Who wants industry support, and the support that runs"),
    _department("vital.life_event", "civil", "Deaths and other events of the civil register"),
)

HUB_TOPICS = (
    _hub(
        "hub.identity",
        "person_key",
        "connectors and ingress",
        "state",
        "compact",
        "Sealed identities (the vault)",
        ("projection",),
    ),
    _hub(
        "hub.unidentified",
        "topic:source:record_id",
        "connectors and ingress",
        "state",
        "compact",
        "Records without a usable ID, counted and waiting for linkage",
        ("projection",),
    ),
    _hub(
        "hub.relation",
        "person_key:relation:other_key:record_id",
        "screening",
        "state",
        "compact",
        "Records that name another person, forwarded to that person, and that person's tier, forwarded back",
        ("screening",),
        "person_key",
    ),
    _hub(
        "hub.member",
        "household_key:person_key",
        "screening",
        "state",
        "compact",
        "What a person contributes to a household",
        ("households",),
        "household_key",
    ),
    _hub(
        "hub.condition",
        "condition_id",
        "screening and households",
        "one",
        "compact",
        "Standing conditions and their endings",
        ("casework",),
    ),
    _hub("hub.command", "case_id", "gateway", "one", "forever", "Commands of people to casework", ("casework",)),
    _hub(
        "hub.case",
        "case_id",
        "casework",
        "one",
        "forever",
        "Everything that happened to every case",
        ("projection", "departments' analysts"),
    ),
    _hub(
        "hub.quarantine",
        "topic",
        "agents",
        "one",
        "forever",
        "Messages that could not be read, with reason and the original bytes sealed",
        ("projection",),
    ),
    _hub(
        "hub.heartbeat",
        "source",
        "connectors",
        "state",
        30,
        "Feeds alive and what they cover",
        ("screening", "projection"),
        "every",
    ),
    _hub(
        "hub.tick",
        "day",
        "watch",
        "state",
        "forever",
        "A day has begun",
        ("screening", "households"),
        "every",
    ),
    _hub(
        "hub.question",
        "question_id",
        "gateway and command line",
        "state",
        1,
        "Questions about decisions, to whoever holds the subject's records",
        ("screening", "households"),
        "subject_key",
    ),
    _hub(
        "hub.answer",
        "question_id",
        "screening and households",
        "one",
        1,
        "Answers to questions, computed from state",
        ("gateway and command line",),
    ),
    _hub(
        "hub.rulebook",
        "activation_id",
        "command line",
        "one",
        "forever",
        "Rules and parameters that come into force on a day",
        ("screening", "households", "casework", "gateway"),
    ),
    _hub("hub.audit", "audit_id", "gateway", "one", "forever", "Who opened or did what", ("auditors",)),
)

INTAKE_TOPICS = tuple(
    Topic(
        f"intake.{d}",
        "intake",
        "intake",
        "record_id",
        d,
        f"producers of {d}",
        "state",
        30,
        f"Records of external producers of {d}, the ID sealed to the hub",
        ("ingress",),
    )
    for d in DEPARTMENTS
)

TASK_TOPICS = tuple(
    Topic(
        f"task.{d}",
        "task",
        "task",
        "task_id",
        "hub",
        "projection",
        "one",
        "forever",
        f"Tasks of {d}, in its own fields and pseudonym",
        (d,),
    )
    for d in DEPARTMENTS
)

TOPICS: dict[str, Topic] = {t.name: t for t in (*DEPARTMENT_TOPICS, *HUB_TOPICS, *INTAKE_TOPICS, *TASK_TOPICS)}


def names() -> tuple[str, ...]:
    """Every Kafka topic, backlog lanes included."""
    return tuple(n for t in TOPICS.values() for n in ((t.name, t.backlog) if t.lanes else (t.name,)))


def of(name: str) -> Topic:
    """The topic of that name, or of its live lane. Raises KeyError for an unknown one."""
    return TOPICS[name.removesuffix(BACKLOG)]
