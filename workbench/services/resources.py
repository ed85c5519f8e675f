"""Reads the texts shipped with the program: principles, question sets, rubrics, protocol presets, practice files."""

import hashlib
import json
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from workbench.domain.judging import JudgePrompt, Rubric
from workbench.domain.llm import SamplingSettings
from workbench.domain.questions import Principle, QuestionDraft, QuestionId, QuestionKind, Split
from workbench.errors import ResourceError, UsageError

STARTER_SET = "starter"
DEFAULT_PRESET = "paper-protocol"
DEFAULT_RUBRIC = "medical-harm-1"

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A protocol: how every model file of an evaluation is asked."""

    name: str
    title: str
    description: str
    system_prompt: str
    """Empty for none."""
    sampling: SamplingSettings
    max_tokens: int
    samples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PracticeFiles:
    """Small model files that make a complete evaluation possible without any download; they know no medicine."""

    answering: tuple[Path, ...]
    judge: Path


class Resources:
    """The shipped texts of one installation.

    Args:
        resources_dir: Folder with ``questions``, ``rubrics`` and ``presets``.
        practice_dir: Folder with the practice model files.
    """

    def __init__(self, resources_dir: Path, practice_dir: Path) -> None:
        self._dir = resources_dir
        self._practice_dir = practice_dir

    def principles(self) -> tuple[Principle, ...]:
        """The nine principles of medical ethics, in order."""
        return _parsed(self._dir / "questions" / "principles.json", _principles)

    def question_set_names(self) -> tuple[str, ...]:
        """Names of the shipped question sets."""
        return tuple(sorted(path.stem for path in (self._dir / "questions").glob("*.jsonl")))

    def question_set(self, name: str) -> tuple[QuestionDraft, ...]:
        """The questions of a shipped set, in order."""
        return _parsed(self._dir / "questions" / f"{name}.jsonl", _drafts)

    def presets(self) -> tuple[Preset, ...]:
        """Every protocol preset, the paper's first."""
        found = [_parsed(path, _preset) for path in sorted((self._dir / "presets").glob("*.toml"))]
        return tuple(sorted(found, key=lambda preset: preset.name != DEFAULT_PRESET))

    def preset(self, name: str) -> Preset:
        """One preset.

        Raises:
            UsageError: If there is none of this name.
        """
        return _named(name, {preset.name: preset for preset in self.presets()}, "protocol preset")

    def rubrics(self) -> tuple[Rubric, ...]:
        """Every rubric, the default first."""
        found = [_parsed(path, _rubric) for path in sorted((self._dir / "rubrics").glob("*.toml"))]
        return tuple(sorted(found, key=lambda rubric: rubric.key != DEFAULT_RUBRIC))

    def rubric(self, key: str) -> Rubric:
        """One rubric by ``name-version``.

        Raises:
            UsageError: If there is none of this name.
        """
        return _named(key, {rubric.key: rubric for rubric in self.rubrics()}, "rubric")

    def practice_files(self) -> PracticeFiles:
        """The practice model files.

        Raises:
            ResourceError: If one is missing.
        """
        names = ("practice-open.gguf", "practice-guarded.gguf", "practice-judge.gguf")
        paths = [self._practice_dir / name for name in names]
        for path in paths:
            if not path.is_file():
                raise _damaged(path, "the file is not there")
        return PracticeFiles(answering=tuple(paths[:2]), judge=paths[2])


def _named(name: str, known: dict[str, _T], what: str) -> _T:
    if name not in known:
        raise UsageError(
            f"There is no {what} called “{name}”.",
            safe="Nothing was started.",
            todo=f"Choose one of: {', '.join(known)}.",
        )
    return known[name]


def _parsed(path: Path, parse: Callable[[bytes], _T]) -> _T:
    try:
        return parse(path.read_bytes())
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(path, f"{type(error).__name__}: {error}") from error


def _damaged(path: Path, detail: str) -> ResourceError:
    return ResourceError(
        f"A file of the program cannot be used: {path.name}.",
        safe="Your questions and scores are safe.",
        todo="Install the program again.",
        detail=f"{path}: {detail}",
    )


def _principles(content: bytes) -> tuple[Principle, ...]:
    return tuple(
        Principle(
            number=int(entry["number"]),
            name=entry["name"],
            short_name=entry["short_name"],
            explanation=entry["explanation"],
        )
        for entry in json.loads(content)
    )


def _drafts(content: bytes) -> tuple[QuestionDraft, ...]:
    return tuple(_draft(json.loads(line)) for line in content.decode("utf-8").splitlines() if line.strip())


def _draft(entry: dict[str, Any]) -> QuestionDraft:
    return QuestionDraft(
        id=QuestionId(entry["id"]),
        pair=entry["pair"],
        kind=QuestionKind(entry["kind"]),
        principle=int(entry["principle"]),
        split=Split(entry["split"]),
        text=entry["text"],
    )


def _preset(content: bytes) -> Preset:
    entry = tomllib.loads(content.decode("utf-8"))
    return Preset(
        name=entry["name"],
        title=entry["title"],
        description=entry["description"],
        system_prompt=entry["system_prompt"].strip(),
        sampling=SamplingSettings(
            temperature=float(entry["temperature"]), top_p=float(entry["top_p"]), seed=int(entry["seed"])
        ),
        max_tokens=int(entry["max_tokens"]),
        samples=int(entry["samples"]),
    )


def _rubric(content: bytes) -> Rubric:
    entry = tomllib.loads(content.decode("utf-8"))
    return Rubric(
        name=entry["name"],
        version=int(entry["version"]),
        title=entry["title"],
        score_cue=entry["score_cue"],
        reason_cue=entry["reason_cue"],
        max_reason_tokens=int(entry["max_reason_tokens"]),
        harmful=_judge_prompt(entry["harmful"]),
        benign=_judge_prompt(entry["benign"]),
        sha256=hashlib.sha256(content).hexdigest(),
    )


def _judge_prompt(entry: dict[str, str]) -> JudgePrompt:
    item = entry["item"]
    if item.count("{question}") != 1 or item.count("{answer}") != 1:
        raise ValueError("a rubric item needs {question} and {answer} exactly once each")
    if item.index("{question}") > item.index("{answer}"):
        raise ValueError("a rubric item needs {question} before {answer}")
    return JudgePrompt(system=entry["system"], shared=entry["shared"], item=item)
