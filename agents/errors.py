"""Errors of the agents, by what the process must do about them.

AgentError                     root
├── Permanent                  a person must mend something; exit 78
│   ├── StateFolderError       the state folder cannot be used (permission, not a folder)
│   ├── StateAheadError        the state is ahead of Kafka: another cluster, or a lost log
│   └── ConfigurationError     a setting, secret or topic is missing or wrong
├── Transient                  starting again later mends it; exit 75
│   ├── StateFullError         no space left on the state folder
│   ├── BrokerError            Kafka could not be reached or did not acknowledge
│   ├── LawChanged             another rule book is the law of the day that begins
│   └── NotOwner               the partition was lost meanwhile; never ends the process
└── Bug                        stop, keep the evidence, never acknowledge; exit 70
    ├── GapError               records are missing from a log that has no gaps
    ├── CorruptStateError      the state file was damaged while open; moved aside at the next start
    └── CycleError             a slice raised; says topic, partition and offsets
"""

from __future__ import annotations


class AgentError(Exception):
    """Root. ``exit_code`` is what the process ends with."""

    exit_code = 70
    code = "agent_error"


class Permanent(AgentError):
    """A person must mend something."""

    exit_code = 78
    code = "permanent"


class StateFolderError(Permanent):
    """The state folder cannot be used."""

    code = "state_folder"


class StateAheadError(Permanent):
    """The state is ahead of Kafka."""

    code = "state_ahead"


class ConfigurationError(Permanent):
    """A setting, secret or topic is missing or wrong."""

    code = "configuration"


class Transient(AgentError):
    """Starting again later mends it."""

    exit_code = 75
    code = "transient"


class StateFullError(Transient):
    """No space left for the state."""

    code = "state_full"


class BrokerError(Transient):
    """Kafka could not be reached or did not acknowledge."""

    code = "broker"


class LawChanged(Transient):
    """Another rule book is the law of the day that begins: it is read at the start."""

    code = "law_changed"


class NotOwner(Transient):
    """The partition was lost meanwhile; what was to be published is decided by its new owner."""

    code = "not_owner"


class Bug(AgentError):
    """Stop and keep the evidence."""

    code = "bug"


class GapError(Bug):
    """Records are missing from a log that has no gaps."""

    code = "gap"


class CorruptStateError(Bug):
    """The state file was damaged while open."""

    code = "corrupt_state"


class CycleError(Bug):
    """A slice raised."""

    code = "cycle"
