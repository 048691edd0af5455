"""The files of a rule book, read as what they are; what they mean together, ``rulelint`` looks at."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from domain.parameters import Parameter
from domain.rules import Documentation, Rule, RuleError
from schemas.topics import DEPARTMENTS

Model = TypeVar("Model", bound=BaseModel)
MANY = 12

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's where PyYAML was built with it: a tenth of the time."""


@dataclass(frozen=True)
class Files:
    """What a folder holds; each rule with the place of its file."""

    rules: list[tuple[str, Rule]]
    parameters: list[Parameter]
    documentation: Documentation


def read(folder: Path) -> Files:
    """Everything in a rules folder: <department>/R01.yaml, parameters/, facts.yaml.

    Raises RuleError with one message for each file that cannot be read, and each id that stands in two.
    """
    problems: list[str] = []
    documentation = next((found for _, found in _models(folder, "facts.yaml", Documentation, problems)), None)
    parameters = [found for _, found in _models(folder, "parameters/*.yaml", Parameter, problems)]
    rules = [found for d in DEPARTMENTS for found in _models(folder, f"{d}/*.yaml", Rule, problems)]
    if documentation is None:
        problems.append(
            f"{folder}: no facts.yaml there; point to a rules folder, or copy facts.yaml from the one shipped"
        )
    problems += _double(r.id for _, r in rules)
    problems += _double(p.id for p in parameters)
    if problems or documentation is None:
        raise RuleError(problems)
    return Files(rules, parameters, documentation)


def _models(folder: Path, pattern: str, model: type[Model], problems: list[str]) -> Iterator[tuple[str, Model]]:
    """File and content of every file that can be read; what is wrong with the others goes to problems."""
    for path in sorted(folder.glob(pattern)):
        where = path.relative_to(folder).as_posix()
        try:
            raw = yaml.load(path.read_text(encoding="utf-8"), _LOADER)  # noqa: S506 - safe, both of them
            found = model.model_validate(raw)
        except UnicodeDecodeError:
            problems.append(f"{where}: not UTF-8; save the file as UTF-8")
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = f":{mark.line + 1}" if mark else ""
            problems.append(f"{where}{line}: not YAML ({getattr(error, 'problem', error)}); mend that line")
        except ValidationError as error:
            problems += [f"{where}: {_explained(e, model)}" for e in error.errors()]
        else:
            named = getattr(found, "id", path.stem)
            if named != path.stem:
                problems.append(f"{where}: the file is called {path.stem} and its id is {named}; make them the same")
            yield where, found


def _explained(error: Any, model: type[BaseModel]) -> str:
    at = ".".join(str(part) for part in error["loc"])
    if error["type"] == "missing":
        return f"{at} is missing; add it"
    if error["type"] == "extra_forbidden":
        known = [f.alias or n for n, f in model.model_fields.items()]
        return f"{at} is not known{near(at, known)}; remove or rename it"
    message = str(error["msg"]).removeprefix("Value error, ")
    return f"{at}: {message}; found {str(error['input'])[:60]!r}"


def meant(word: str, known: Iterable[str]) -> str:
    """What was probably meant, if anything."""
    close = difflib.get_close_matches(word, sorted(known), n=1)
    return f" (do you mean {close[0]}?)" if close else ""


def near(word: str, known: Iterable[str]) -> str:
    """What was probably meant, or all that there is where it is little."""
    names = sorted(known)
    return meant(word, names) or (f" (known: {', '.join(names)})" if len(names) < MANY else "")


def _double(ids: Iterable[str]) -> Iterator[str]:
    seen: set[str] = set()
    for name in ids:
        if name in seen:
            yield f"{name} stands in two files; keep one"
        seen.add(name)
