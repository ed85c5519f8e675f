"""The files that the scripted backend plays. Such a file is a JSON document; every entry may be left out::

    {
      "name": "Cautious twin",
      "rubric": null,
      "answers_per_second": 20,
      "rules": [
        {"contains": "forge", "answer": "I cannot help with that.", "score": 1},
        {"contains": "crash now", "action": "crash", "times": 2}
      ],
      "default": {"answer": "Ask a colleague.", "score": 4},
      "layout": {"n_layers": 32, "layer_bytes": 130000000, "layer_kv_values": 2048},
      "devices": [
        {"name": "CUDA0", "description": "A card", "kind": "gpu", "free_bytes": 8000000000, "total_bytes": 8000000000},
        {"name": "CPU", "description": "A chip", "kind": "cpu", "free_bytes": 9000000000, "total_bytes": 16000000000}
      ],
      "load_failures": 1,
      "slow": [10, 20]
    }

The first rule whose ``contains`` stands in the last message counts. A rule with ``times`` counts that often in the
life of the file, and so do ``load_failures``: they are counted in a file beside it, because a worker may not outlive
its action. A file that does not begin with ``{`` is taken as an empty script with the file's name.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar, Final, Literal

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError

from workbench.domain.llm import Device
from workbench.domain.memory import LlmLayout
from workbench.errors import ModelFileError

_GIB: Final = 1024**3
PROCESSOR: Final = Device(
    name="CPU", description="Scripted processor", kind="cpu", free_bytes=16 * _GIB, total_bytes=16 * _GIB
)
"""What a script computes with if it does not say; the same on every computer."""

Action = Literal["crash", "hang", "rubbish", "raise", "silent"]
_MAX_LAYERS: Final = 512
"""As for model files."""
_Count = Annotated[int, Field(ge=0)]
_Positive = Annotated[int, Field(ge=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What to do about a request."""

    contains: str = ""
    """Text in the last message that selects this rule; empty selects every request."""
    answer: str | None = None
    score: Annotated[int, Field(ge=1, le=5)] | None = None
    """What a judge finds most probable, 1 to 5."""
    action: Action | None = None
    """Fail for real instead: abort the process, block for ever, write rubbish to the protocol stream, raise an
    unexpected error, or stay silent on this request while signs of life go on."""
    times: _Positive | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptedLayout:
    """What the file pretends to need; its layers are all alike."""

    n_layers: Annotated[int, Field(ge=0, le=_MAX_LAYERS)] = 0
    layer_bytes: _Count = 0
    layer_kv_values: _Count = 0
    """Numbers that each layer keeps for one token."""
    input_bytes: _Count = 0
    output_bytes: _Count = 0
    n_parameters: _Count = 0
    trained_context_tokens: _Positive = 131_072
    n_vocabulary: _Positive = 256
    width: _Positive = 64
    feed_forward_width: _Positive = 256
    n_heads: _Positive = 1


def _with_processor(devices: tuple[Device, ...]) -> tuple[Device, ...]:
    if all(device.kind != "cpu" for device in devices):
        raise ValueError("one of the devices has to be a processor")
    return devices


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A whole script file."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", allow_inf_nan=False)

    name: str = "Script"
    rubric: str | None = None
    """``name-version`` of the rubric this file claims to be a judge for."""
    answers_per_second: Annotated[float, Field(gt=0)] | None = None
    """Pace of all answers together; ``None`` is as fast as possible."""
    rules: tuple[Rule, ...] = ()
    default: Rule = field(default_factory=Rule)
    layout: ScriptedLayout | None = None
    devices: Annotated[tuple[Device, ...], AfterValidator(_with_processor)] = (PROCESSOR,)
    """Where it pretends to compute; one of them has to be a processor."""
    load_failures: _Count = 0
    """So many loadings fail for lack of memory."""
    slow: tuple[_Count, _Count] | None = None
    """From so many finished answers to so many, it says that the computer is slow."""


_SCRIPTS = TypeAdapter(Script)


def read_script(path: Path) -> Script:
    """Read a script file.

    Raises:
        ModelFileError: If the file cannot be read or its JSON is not a script.
    """
    try:
        with path.open("rb") as file:
            is_json = file.read(1) == b"{"
        return _SCRIPTS.validate_json(path.read_bytes()) if is_json else Script(name=path.stem)
    except (OSError, ValidationError) as error:
        raise ModelFileError(
            f"The script {path.name} cannot be used.",
            safe="Nothing was changed.",
            todo="Correct the script or choose another file.",
            detail=str(error),
        ) from error


def layout_of_script(script: Script) -> LlmLayout:
    """What the script pretends to need."""
    stated = script.layout or ScriptedLayout()
    return LlmLayout(
        architecture="script",
        quantisation="none",
        n_parameters=stated.n_parameters,
        rubric=script.rubric,
        trained_context_tokens=stated.trained_context_tokens,
        n_vocabulary=stated.n_vocabulary,
        width=stated.width,
        feed_forward_width=stated.feed_forward_width,
        n_heads=stated.n_heads,
        input_bytes=stated.input_bytes,
        output_bytes=stated.output_bytes,
        layer_bytes=(stated.layer_bytes,) * stated.n_layers,
        layer_kv_values=(stated.layer_kv_values,) * stated.n_layers,
        layer_state_bytes=(0,) * stated.n_layers,
    )
