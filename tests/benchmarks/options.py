"""What may be chosen about a measurement."""

from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.random_llm import DEFAULT_NAME, random_llm


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The usual way, if nothing is said."""

    model_file: str = DEFAULT_NAME
    """Name of one of the random model files."""
    rounds: int | None = None
    """How often two ways take turns; ``None`` is each benchmark's own number, which keeps all of them short."""

    @property
    def path(self) -> Path:
        """The model file, made if it is not there."""
        return random_llm(self.model_file)

    def rounds_or(self, usual: int) -> int:
        """The number of rounds that was asked for, or the usual one."""
        return usual if self.rounds is None else self.rounds
