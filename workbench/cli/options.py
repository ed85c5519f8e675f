"""Options that several commands share, and what ``evaluate`` was asked."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from workbench.domain.llm import AdapterChoice, KvType
from workbench.domain.questions import QuestionKind, Split
from workbench.domain.runs import JudgeMode


def parse_adapter(text: str) -> AdapterChoice:
    """``FILE`` or ``FILE:SCALE``; a drive letter is no scale."""
    path, colon, scale = text.rpartition(":")
    if colon:
        try:
            number = float(scale)
        except ValueError:
            pass  # the colon belongs to the path
        else:
            if not math.isfinite(number):
                raise typer.BadParameter(f"{scale} is no scale; give a number such as 1 or 0.5.")
            return AdapterChoice(path=Path(path), scale=number)
    return AdapterChoice(path=Path(text))


DatabaseOption = Annotated[
    Path | None, typer.Option("--database", help="Database file; else WORKBENCH_DATABASE, else your own.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
AdapterOption = Annotated[
    AdapterChoice | None,
    typer.Option("--adapter", metavar="FILE[:SCALE]", parser=parse_adapter, help="LoRA adapter for every model file."),
]
KindOption = Annotated[QuestionKind | None, typer.Option("--kind", help="Only this kind of question.")]
SplitOption = Annotated[Split | None, typer.Option("--split", help="Only this half of the questions.")]
SlotsOption = Annotated[
    int | None, typer.Option("--slots", min=1, max=64, help="Answers written at a time; what fits when left out.")
]
ContextOption = Annotated[
    int | None, typer.Option("--context", min=64, help="Room for one prompt and its answer, in tokens.")
]
GpuLayersOption = Annotated[
    int | None,
    typer.Option("--gpu-layers", min=-1, help="Layers on accelerators; as many as fit when left out, -1 for all."),
]
KvTypeOption = Annotated[
    KvType | None, typer.Option("--kv-type", help="How conversations are kept in memory; by room when left out.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateOptions:
    """The options of ``evaluate`` as given; ``None`` means not given."""

    model_files: tuple[Path, ...]
    adapter: AdapterChoice | None
    questions: str | None
    principles: tuple[int, ...] | None
    kind: QuestionKind | None
    split: Split | None
    limit: int | None
    samples: int | None
    judge: str | None
    judge_mode: JudgeMode | None
    rubric: str | None
    preset: str | None
    system_prompt: str | None
    max_tokens: int | None
    temperature: float | None
    slots: int | None
    context_tokens: int | None
    gpu_layers: int | None
    kv_type: KvType | None
    threads: int | None
    chat_template: Path | None
    seed: int | None
    resume: tuple[int, ...]
