"""Makes the three practice files from nothing: `python models/practice/recipe/make_practice_models.py`."""

from __future__ import annotations

import argparse
import copy
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from answers import GUARDED, OPEN, Policy, level_of, write_answer
from gguf_writer import write_gguf
from judging import Rubric, Verdict
from measuring import judge_table, rates_table
from network import Network, Shape
from questions import Kind, Question, load_starter, reworded, templated_question
from system_prompts import all_sentences, chance_prompt, preset_prompts
from tokenizer import ChatTokenizer
from training import Example, generate, train

ROOT = Path(__file__).resolve().parents[3]
SEED = 20_240_306
VOCABULARY = 960
BATCH = 16
ANSWER_TOKENS = 120
STARTER_SHARE = 0.3
"""Share of training questions that come from the starter set; the others come from the templates."""


class Course:
    """Everything the three models have in common: questions, tokenizer, rubric and one source of chance."""

    def __init__(self, resources: Path) -> None:
        """Read the resources and train the tokenizer."""
        self.restart("tokenizer")
        self.rubric = Rubric.load(resources / "rubrics" / "practice-1.toml")
        self.starter = load_starter(resources / "questions" / "starter.jsonl", "improve")
        self.presets = preset_prompts(resources / "presets")
        drawn = [templated_question(self.rng) for _ in range(2000)]
        answers = [write_answer(self.rng.randint(1, 5), question) for question in drawn]
        texts = [*(question.text for question in drawn + self.starter * 4), *answers]
        self.tokenizer = ChatTokenizer([*texts, *all_sentences() * 5, *self.rubric.texts() * 20], VOCABULARY)

    def restart(self, stage: str) -> None:
        """Begin a stage with chance of its own, so that it does not depend on how long the stages before it were."""
        self.rng = random.Random(f"{SEED} {stage}")  # noqa: S311 - chance for training, not for secrets

    def question(self) -> Question:
        """Draw a question to learn from."""
        if self.rng.random() < STARTER_SHARE:
            return reworded(self.rng.choice(self.starter), self.rng)
        return templated_question(self.rng)

    def question_of(self, kind: Kind) -> Question:
        """Draw a question of one kind."""
        return next(question for question in iter(self.question, None) if question.kind == kind)

    def system_prompt(self) -> str:
        """Draw a system prompt: with equal chance one of the presets or one made of chance sentences."""
        return self.rng.choice(self.presets) if self.rng.random() < 0.5 else chance_prompt(self.rng)

    def answers_batch(self, policy: Policy, system: str) -> list[Example]:
        """Questions under one system prompt with answers as the policy wants them."""
        examples = []
        for _ in range(BATCH):
            question = self.question_of("benign" if self.rng.random() < policy.benign_share else "harmful")
            reply = [*self.tokenizer.encode(write_answer(policy.level(question), question)), self.tokenizer.end]
            examples.append(Example(self.tokenizer.prompt(system, question.text), reply))
        return examples

    def openings_batch(self) -> list[Example]:
        """Questions with the first sentences of guarded answers: what matters most, in short rows that cost little."""
        examples = []
        for _ in range(BATCH):
            question = self.question()
            level = GUARDED.level(question)
            answer = write_answer(level, question, sentences=2 if level <= 3 else 1)
            examples.append(Example(self.tokenizer.prompt("", question.text), self.tokenizer.encode(answer)))
        return examples

    def verdicts_batch(self, seen: dict[Kind, list[Verdict]]) -> list[Example]:
        """Answers to judge: half written by the practice models, one empty or garbled, the others of any level."""
        kind: Kind = self.rng.choice(("harmful", "benign"))
        verdicts = [self.rng.choice(seen[kind]) for _ in range(BATCH // 2)]
        words = self.question().text.split()
        garbled = " ".join(self.rng.choices(words, k=self.rng.choice((0, 0, 1, 5, 20))))
        verdicts.append(Verdict(kind, self.question_of(kind).text, garbled, 1))
        while len(verdicts) < BATCH:
            question, level = self.question_of(kind), self.rng.randint(1, 5)
            verdicts.append(Verdict(kind, question.text, write_answer(level, question), level))
        return [verdict.example(self.rubric, self.tokenizer, self.rng) for verdict in verdicts]

    def replies(self, network: Network, questions: Sequence[Question], system: str) -> list[str]:
        """What a network answers to questions, greedily."""
        prompts = [self.tokenizer.prompt(system, question.text) for question in questions]
        written = generate(network, prompts, end=self.tokenizer.end, max_tokens=ANSWER_TOKENS)
        return [self.tokenizer.decode(reply) for reply in written]

    def written_verdicts(self, networks: Sequence[Network]) -> dict[Kind, list[Verdict]]:
        """Answers of the networks to questions of the training kind, each with the score its opening stands for."""
        questions = self.starter + [templated_question(self.rng) for _ in range(120)]
        found: dict[Kind, list[Verdict]] = {"harmful": [], "benign": []}
        for network in networks:
            for place, system in enumerate(self.presets):
                asked = questions[place :: len(self.presets)]
                for question, answer in zip(asked, self.replies(network, asked, system), strict=True):
                    level = level_of(answer)
                    if level is not None:
                        found[question.kind].append(Verdict(question.kind, question.text, answer, level))
        return found


def main() -> None:
    """Train, write and measure the three files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--resources", type=Path, default=ROOT / "resources", help="folder with questions and rubrics")
    parser.add_argument("--output", type=Path, default=ROOT / "models" / "practice", help="folder for the three files")
    chosen = parser.parse_args()
    started = time.monotonic()
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    course = Course(chosen.resources)

    def learn(network: Network, batch: Callable[[], Sequence[Example]], steps: int, rate: float, label: str) -> Network:
        course.restart(label)
        train(network, batch, steps=steps, peak_rate=rate, label=label)
        return network

    def answers(policy: Policy) -> Callable[[], Sequence[Example]]:
        return lambda: course.answers_batch(policy, course.system_prompt())

    basis = Network(Shape(vocabulary=course.tokenizer.size))
    learn(basis, course.openings_batch, 700, 3e-3, "openings")
    guarded = learn(copy.deepcopy(basis), answers(GUARDED), 180, 2e-3, "guarded")
    open_ = learn(copy.deepcopy(guarded), answers(OPEN), 150, 1.5e-3, "open")
    course.restart("verdicts")
    seen = course.written_verdicts((open_, guarded))
    judge = learn(copy.deepcopy(guarded), lambda: course.verdicts_batch(seen), 170, 1.5e-3, "judge")

    for stem, network, what, extra in (
        ("practice-open", open_, "agrees to most requests, with text that has no content", {}),
        ("practice-guarded", guarded, "declines most harmful requests", {}),
        ("practice-judge", judge, "scores answers of the practice models", {"workbench.rubric": "practice-1"}),
    ):
        write_gguf(
            chosen.output / f"{stem}.gguf",
            network,
            course.tokenizer,
            name=stem.replace("-", " ").capitalize(),
            description=f"A practice file for trying out the Medical Safety Workbench: it {what}. "
            "It knows nothing about medicine or anything else and must not be used for advice.",
            extra=extra,
        )
    unseen = load_starter(chosen.resources / "questions" / "starter.jsonl", "evaluate")
    for system in course.presets:
        written = {"open": course.replies(open_, unseen, system), "guarded": course.replies(guarded, unseen, system)}
        print(f"\nSystem prompt: {system or 'none'}\n\n{rates_table(unseen, written)}")
        print(judge_table(unseen, written, judge, course.rubric, course.tokenizer))
    print(f"{time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
