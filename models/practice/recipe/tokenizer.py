"""The byte-level tokenizer of the practice models and their chat format."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

BOS, SYSTEM, USER, ASSISTANT, END = SPECIAL_TOKENS = ("<|bos|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>")

CHAT_TEMPLATE = (
    "{{ bos_token }}"
    "{% for message in messages %}"
    "{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


class ChatTokenizer:
    """Byte-level BPE with the splitting rule of GPT-2; a digit is always a token of its own."""

    def __init__(self, texts: Iterable[str], size: int) -> None:
        """Learn the merges from texts; digits are left out, so that none is ever merged."""
        self._bpe = Tokenizer(models.BPE())
        self._bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
        self._bpe.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=size,
            special_tokens=list(SPECIAL_TOKENS),
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        )
        self._bpe.train_from_iterator((re.sub(r"\d", "", text) for text in texts), trainer)
        self.size = self._bpe.get_vocab_size()
        self.end = self.special(END)

    def special(self, token: str) -> int:
        """The id of a special token."""
        return SPECIAL_TOKENS.index(token)

    def encode(self, text: str) -> list[int]:
        """Ids of plain text, without any mark around it."""
        ids: list[int] = self._bpe.encode(text, add_special_tokens=False).ids
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """Text of ids; special tokens are left out."""
        return str(self._bpe.decode(list(ids), skip_special_tokens=True))

    def prompt(self, system: str, user: str) -> list[int]:
        """Ids of a chat up to the place where the assistant begins, as the chat template gives them."""
        ids = [self.special(BOS)]
        if system:
            ids += [self.special(SYSTEM), *self.encode(system), self.end]
        return [*ids, self.special(USER), *self.encode(user), self.end, self.special(ASSISTANT)]

    def tokens(self) -> list[str]:
        """All tokens in the order of their ids, in the byte alphabet of GPT-2."""
        vocabulary = self._bpe.get_vocab()
        return sorted(vocabulary, key=lambda token: vocabulary[token])

    def merges(self) -> list[str]:
        """The merges in the order they apply, each as two tokens with a space between."""
        pairs = json.loads(self._bpe.to_str())["model"]["merges"]
        return [pair if isinstance(pair, str) else " ".join(pair) for pair in pairs]
