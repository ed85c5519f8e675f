from pathlib import Path

import pytest

from workbench.cli.options import parse_adapter


@pytest.mark.parametrize(
    ("text", "path", "scale"),
    [
        ("safety.gguf", "safety.gguf", 1.0),
        ("safety.gguf:0.5", "safety.gguf", 0.5),
        (r"C:\models\safety.gguf", r"C:\models\safety.gguf", 1.0),
        (r"C:\models\safety.gguf:2", r"C:\models\safety.gguf", 2.0),
    ],
)
def test_an_adapter_may_carry_a_scale(text: str, path: str, scale: float) -> None:
    choice = parse_adapter(text)
    assert (choice.path, choice.scale) == (Path(path), scale)
