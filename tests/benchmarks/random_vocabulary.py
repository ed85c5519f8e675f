"""A byte-level vocabulary of realistic size, whose merges are learned from the program's own texts.

So questions, rubrics and answers take about as many tokens as real vocabularies need for them.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from tests.helpers.tiny_gguf import CONTROL_TOKENS, printable_bytes
from workbench import paths

SIZE = 32_000
N_MERGES = 1_500
"""Chosen for 30 tokens in a starter question and 1,200 in policy and rubric."""
_SPACE = "Ġ"

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomVocabulary:
    """Tokens in the order of their ids."""

    tokens: list[str]
    """256 bytes, learned tokens, inventions that no text is ever cut into, control tokens."""
    merges: list[str]

    @property
    def learned(self) -> range:
        """Ids of the tokens that consist of letters alone, a space before them at most."""
        return range(256, 256 + len(self.merges))


@cache
def random_vocabulary() -> RandomVocabulary:
    """Learn it; equal texts give equal vocabularies."""
    merges = _learned_merges(Counter(_words()))
    tokens = [*printable_bytes(), *(left + right for left, right in merges)]
    n_invented = SIZE - len(tokens) - len(CONTROL_TOKENS)
    tokens += [f"{_SPACE}invented{number}" for number in range(n_invented)]
    return RandomVocabulary(tokens=[*tokens, *CONTROL_TOKENS], merges=[f"{left} {right}" for left, right in merges])


def _words() -> Iterator[str]:
    """The words of every question and rubric, a space before a word belonging to it."""
    for path in sorted(paths.resources_dir().glob("rubrics/*.toml")):
        yield from _split(path.read_text(encoding="utf-8"))
    for path in sorted(paths.resources_dir().glob("questions/*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            yield from _split(json.loads(line)["text"])


def _split(text: str) -> list[str]:
    return [word.replace(" ", _SPACE) for word in re.findall(r" ?[A-Za-z]+", text)]


def _learned_merges(n_of_word: Counter[str]) -> list[Pair]:
    """Byte pair encoding: again and again the most frequent pair of neighbours becomes one token."""
    pieces: dict[str, Sequence[str]] = {word: tuple(word) for word in n_of_word}
    counts: Counter[Pair] = Counter()
    for word, n_times in n_of_word.items():
        _count_pairs(counts, pieces[word], n_times)
    merges: list[Pair] = []
    while len(merges) < N_MERGES:
        best = max(counts, key=lambda pair: (counts[pair], pair))
        merges.append(best)
        token = "".join(best)
        for word in [word for word in pieces if token in word]:
            _count_pairs(counts, pieces[word], -n_of_word[word])
            pieces[word] = _merged(pieces[word], best)
            _count_pairs(counts, pieces[word], n_of_word[word])
    return merges


def _count_pairs(counts: Counter[Pair], parts: Sequence[str], n_times: int) -> None:
    for pair in pairwise(parts):
        counts[pair] += n_times


def _merged(parts: Sequence[str], pair: Pair) -> list[str]:
    merged: list[str] = []
    position = 0
    while position < len(parts):
        length = 2 if tuple(parts[position : position + 2]) == pair else 1
        merged.append("".join(parts[position : position + length]))
        position += length
    return merged
