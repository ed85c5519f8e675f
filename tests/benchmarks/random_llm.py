"""A model file of the size of a small real one: 210 million random weights, quantised as Q4_K_M (about 120 MiB)."""

import ctypes
import os
import tempfile
from pathlib import Path

from tests.helpers.tiny_gguf import CONTROL_TOKENS, vocabulary, write_tiny_gguf

_FOLDER = Path(__file__).resolve().parents[2] / "build" / "benchmarks"
_WIDTH = 1024
_N_LAYERS = 20
_FLOAT32_BYTES = 4


def random_llm() -> Path:
    """Make the file, or take the one an earlier run made."""
    made = _FOLDER / "random-210m-q4_k_m.gguf"
    if not made.exists():
        _FOLDER.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=_FOLDER) as folder:
            full = write_tiny_gguf(Path(folder) / "full.gguf", n_layers=_N_LAYERS, width=_WIDTH, trained_context=4096)
            _never_end_a_turn(full)
            quantised = Path(folder) / "quantised.gguf"
            _quantise(full, quantised)
            quantised.replace(made)
    return made


def _never_end_a_turn(path: Path) -> None:
    """Give the control tokens no weight, so that every answer runs to its limit.

    They are the last tokens of the vocabulary, and its output matrix is the last tensor of the file.
    """
    assert tuple(vocabulary()[-len(CONTROL_TOKENS) :]) == CONTROL_TOKENS
    n_bytes = len(CONTROL_TOKENS) * _WIDTH * _FLOAT32_BYTES
    with path.open("r+b") as file:
        file.seek(-n_bytes, os.SEEK_END)
        file.write(bytes(n_bytes))


def _quantise(source: Path, target: Path) -> None:
    import llama_cpp

    settings = llama_cpp.llama_model_quantize_default_params()
    settings.ftype = llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_K_M
    failed = llama_cpp.llama_model_quantize(os.fsencode(source), os.fsencode(target), ctypes.byref(settings))
    if failed:
        raise RuntimeError(f"llama.cpp could not quantise {source}.")
