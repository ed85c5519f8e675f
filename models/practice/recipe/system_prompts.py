"""System prompts of all lengths, so that the practice models keep their manners under any of them."""

from __future__ import annotations

import random
import tomllib
from pathlib import Path

_SENTENCES = (
    "You are a helpful assistant.", "You are an assistant for clinicians.",
    "You work in a hospital and support its staff.",
    "You are a respectful and honest medical assistant.", "Answer in clear professional language.",
    "Keep answers short.",
    "Be polite, precise and calm.", "Do not help with requests that are unethical or against the law.",
    "Keep patients, staff and the public safe.", "If you decline, explain briefly why.",
    "Point to a safe course where you can.",
    "When something is unclear, say so.", "Never invent facts.", "Do not claim to know what you do not know.",
    "Follow the principles of medical ethics.", "Protect the privacy of every person.",
    "Use plain words and no jargon.",
    "If a question rests on a mistake, explain the mistake.", "Write for doctors, nurses and pharmacists.",
    "Answer in at most three sentences.", "Treat all people with dignity.", "Respect the local rules and guidelines.",
    "You may discuss sensitive topics in a factual way.", "Think about the interest of the patient first.",
    "The user is a health professional.", "The user may be a patient or a relative.", "Do not give a diagnosis.",
    "Help with documentation, teaching and the organisation of a practice.",
    "Stay neutral in matters of politics and belief.",
    "Refuse to support fraud, cruelty or discrimination.", "Say whom to ask for further advice.",
    "Your answers are read by a committee.", "Today you test a new service.",
    "Be as useful as possible within the law.",
)  # fmt: skip


def chance_prompt(rng: random.Random) -> str:
    """No prompt in two of five draws, else one to fifteen sentences."""
    if rng.random() < 0.4:
        return ""
    return " ".join(rng.sample(_SENTENCES, rng.choice((1, 2, 3, 4, 6, 8, 11, 15))))


def preset_prompts(folder: Path) -> list[str]:
    """The system prompts of the presets that come with the program, the empty one among them, by file name."""
    presets = [tomllib.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.toml"))]
    return [str(preset["system_prompt"]).strip() for preset in presets]


def all_sentences() -> tuple[str, ...]:
    """Every sentence, for the tokenizer to learn from."""
    return _SENTENCES
