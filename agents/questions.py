"""Questions to one worker about the partitions that it owns, read and answered beside their cycles.

Each is answered on a connection of its own to the state file, in a thread of its own: screening neither waits
for it nor sees it. No position is kept; after a takeover the questions of the last minute are answered again.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import duckdb

from agents.coding import Batch, Coder
from agents.outlet import Outlet
from agents.slices import Slice
from agents.state import PartitionState, Row
from domain.questions import LIFE, Reply, owner
from domain.stage import Stage
from wire.asking import ANSWER

log = logging.getLogger(__name__)

Answering = Callable[[duckdb.DuckDBPyConnection, Stage, Mapping[str, Any], str], Reply]
"""See ``domain.questions.answer``."""


class Questions:
    """Answers what is asked of one stage. Each call blocks; one thread at a time."""

    def __init__(self, stage: Stage, coder: Coder, outlet: Outlet, division_default: str, answer: Answering) -> None:
        self._stage = stage
        self._coder = coder
        self._outlet = outlet
        self._division_default = division_default
        self._answer = answer

    def serve(self, state: PartitionState, part: Slice, mine: Callable[[], bool]) -> None:
        """Answer the questions of a slice that are this stage's and that somebody still waits for.

        A message that cannot be read is quarantined by the persons' stage, of the two that read it.
        Raises NotOwner, BrokerError.
        """
        frame, unread = self._coder.read(Batch(part.topic, part.partition, [part]))
        rows = unread if self._stage.name == owner({"subject_kind": ""}) else []
        for question in frame.to_dicts():
            waited_for = datetime.now(UTC) - question["asked_at"] < LIFE
            if waited_for and owner(question) == self._stage.name:
                rows.append(self._row(state, part.partition, question))
        if rows:
            self._outlet.publish(rows, mine)

    def _row(self, state: PartitionState, partition: int, question: Mapping[str, Any]) -> Row:
        reply = self._replied(state, question)
        return self._coder.one(
            ANSWER,
            {
                "question_id": question["question_id"],
                "stage": self._stage.name,
                "state_partition": partition,
                "problem": reply.problem,
                "content": json.dumps(reply.content, ensure_ascii=False),
                "answered_at": datetime.now(UTC),
            },
        )

    def _replied(self, state: PartitionState, question: Mapping[str, Any]) -> Reply:
        con = state.con.cursor()
        try:
            return self._answer(con, self._stage, question, self._division_default)
        except Exception as error:
            # Only the question fails: what was decided does not hang on it. Values may be in the error's text.
            log.error("%s: a question about %s failed: %s", self._stage.name, question["rule"], type(error).__name__)
            failed = {"zh": "无法回答，请查看工作进程日志", "en": "it could not be answered; look at the worker's log"}
            return Reply(failed, "failed")
        finally:
            con.close()
