"""Questions for the practice models: our own templates and the starter set.

The words of the templates are in `questions.toml`. The things of a principle are shared by its harmful
and its benign questions, so that the wording around them, not the topic, tells the two kinds apart.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["harmful", "benign"]
PRINCIPLES = range(1, 10)


@dataclass(frozen=True, slots=True)
class Question:
    """One question with what the practice models are to learn about it.

    Attributes:
        text: The question as a person would type it.
        kind: Whether it should be declined ("harmful") or answered ("benign").
        principle: The AMA principle it belongs to, 1 to 9.
        topic: What it is about; an answer names it.
        firmness: Place in [0, 1) that decides how a model answers; it follows from kind and topic.
    """

    text: str
    kind: Kind
    principle: int
    topic: str
    firmness: float


_WORDS = tomllib.loads(Path(__file__).with_name("questions.toml").read_text(encoding="utf-8"))
_SALT = 272
"""Of the first 1500 numbers the one under which the starter set comes closest to the shares of the policies."""
_TOPICS_FILE = tomllib.loads(Path(__file__).with_name("topics.toml").read_text(encoding="utf-8"))
_FALLBACK_TOPICS: dict[str, str] = _TOPICS_FILE["fallback"]
_TOPICS = {
    topic["phrase"]: re.compile(rf"\b({'|'.join(map(re.escape, topic['beginnings']))})", re.IGNORECASE)
    for topic in _TOPICS_FILE["topic"]
}


def _topic_words(principle: int) -> list[str]:
    return [word for topic in _TOPICS_FILE["topic"] if topic["principle"] == principle for word in topic["words"]]


_THINGS = {
    principle: (_topic_words(principle), _WORDS["principle"][str(principle)]["things"]) for principle in PRINCIPLES
}


def load_starter(path: Path, split: Literal["improve", "evaluate"]) -> list[Question]:
    """Read one split of the starter question set (one JSON object per line).

    Raises:
        FileNotFoundError: If the set is not there.
        KeyError: If a line lacks one of the expected fields.
    """
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return [_question(line["text"], line["kind"], int(line["principle"])) for line in lines if line["split"] == split]


def templated_question(rng: random.Random) -> Question:
    """Draw one question from the templates, harmful or benign with equal chance."""
    principle = rng.choice(PRINCIPLES)
    thing = _thing(principle, rng)
    kind: Kind = rng.choice(("harmful", "benign"))
    write = rng.choice((_plain_question, _story))
    body = write(kind, principle, thing, rng)
    asks = re.split(r"[.?] ", body)[-1].startswith(("How", "What", "Which", "Why", "Whom", "As "))
    text = rng.choice(_WORDS["lead_ins"]) + body + ("?" if asks else ".")
    return _question(text, kind, principle)


def _plain_question(kind: Kind, principle: int, thing: str, rng: random.Random) -> str:
    """One sentence built from an opening, an act, a thing and an ending."""
    words = _WORDS["plain"][kind]
    opening, ending = rng.choice(words["openings"]), rng.choice(words["endings"])
    act = rng.choice(_WORDS["principle"][str(principle)]["harmful_acts"]) if kind == "harmful" else opening
    return str(opening.format(act=act, thing=thing, role=rng.choice(_WORDS["roles"])) + ending)


def _story(kind: Kind, _principle: int, thing: str, rng: random.Random) -> str:
    """A scene followed by a request."""
    request = rng.choice(_WORDS["story"][kind])
    ending = rng.choice(_WORDS["plain"][kind]["endings"])
    return f"{_scene(thing, rng)} {request.format(thing=thing)}{ending}"


def _scene(thing: str, rng: random.Random) -> str:
    return str(rng.choice(_WORDS["story"]["scenes"]).format(role=rng.choice(_WORDS["roles"]), thing=thing) + ".")


def _thing(principle: int, rng: random.Random) -> str:
    """A thing that questions of the principle are about: a word that tells a topic, or a longer phrase."""
    return f"{rng.choice(_WORDS['qualities'])} {rng.choice(rng.choice(_THINGS[principle]))}"


def reworded(question: Question, rng: random.Random) -> Question:
    """The same request in other words, so that a small set is not learnt by heart.

    In half of the draws a scene takes the place of all sentences but the last, which holds the request; in a quarter
    one word in eight is left out.
    """
    lead_in, way = rng.choice(_WORDS["lead_ins"]), rng.random()
    text = question.text
    if way < 0.5:
        scene = _scene(_thing(question.principle, rng), rng)
        request = re.split(r"(?<=[.?;:]) ", text)[-1]
        text = f"{scene} {request[0].upper()}{request[1:]}"
    elif way < 0.75:
        text = " ".join(word for word in text.split(" ") if rng.random() > 1 / 8)
    return _question(lead_in + text, question.kind, question.principle)


def topic_of(text: str, principle: int) -> str:
    """What a question is about: a phrase of `topics.toml`."""
    for phrase, beginnings in _TOPICS.items():
        if beginnings.search(text):
            return str(phrase)
    return _FALLBACK_TOPICS[str(principle)]


def _question(text: str, kind: Kind, principle: int) -> Question:
    topic = topic_of(text, principle)
    return Question(text, kind, principle, topic, _firmness(f"{_SALT} {kind} {topic}"))


def _firmness(key: str) -> float:
    """A number in [0, 1) that depends on the key alone."""
    return int.from_bytes(hashlib.sha256(key.encode("utf-8")).digest()[:4], "big") / 2**32
