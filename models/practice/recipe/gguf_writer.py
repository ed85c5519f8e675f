"""Writes a trained network and its tokenizer as a GGUF file that llama.cpp reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import gguf
import numpy as np
from network import Network
from numpy.typing import NDArray
from tokenizer import BOS, CHAT_TEMPLATE, END, SPECIAL_TOKENS, ChatTokenizer


def write_gguf(
    path: Path, network: Network, tokenizer: ChatTokenizer, *, name: str, description: str, extra: Mapping[str, str]
) -> None:
    """Write one model file; matrices as F16, norms as F32.

    Args:
        path: Where the file goes; an older file is replaced.
        network: The trained network.
        tokenizer: The tokenizer it was trained with.
        name: Shown as the name of the model file.
        description: What the file is, for a person.
        extra: Further text keys and values.
    """
    writer = gguf.GGUFWriter(path, "llama")
    shape = network.shape
    writer.add_type(gguf.GGUFType.MODEL)
    writer.add_name(name)
    writer.add_description(description)
    writer.add_license("MIT")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_context_length(shape.context_tokens)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.heads)
    writer.add_layer_norm_rms_eps(shape.norm_epsilon)
    writer.add_rope_dimension_count(shape.width // shape.heads)
    writer.add_rope_freq_base(shape.rope_base)
    writer.add_vocab_size(shape.vocabulary)
    for key, value in extra.items():
        writer.add_string(key, value)
    _add_tokenizer(writer, tokenizer)
    for tensor_name, values in _tensors(network):
        writer.add_tensor(tensor_name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_tokenizer(writer: gguf.GGUFWriter, tokenizer: ChatTokenizer) -> None:
    tokens = tokenizer.tokens()
    control, normal = gguf.TokenType.CONTROL, gguf.TokenType.NORMAL
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([control if token in SPECIAL_TOKENS else normal for token in tokens])
    writer.add_token_merges(tokenizer.merges())
    writer.add_bos_token_id(tokenizer.special(BOS))
    writer.add_eos_token_id(tokenizer.special(END))
    writer.add_add_bos_token(True)
    writer.add_chat_template(CHAT_TEMPLATE)


def _tensors(network: Network) -> Iterator[tuple[str, NDArray[np.generic]]]:
    """Each tensor with its name in llama files."""
    weights = {name: value.detach().numpy() for name, value in network.state_dict().items()}
    names = {"embedding": "token_embd", "norm": "output_norm", "output": "output"}
    for index in range(network.shape.layers):
        names |= {
            f"layers.{index}.{ours}": f"blk.{index}.{theirs}"
            for ours, theirs in {
                "attention_norm": "attn_norm",
                "attention.q": "attn_q",
                "attention.k": "attn_k",
                "attention.v": "attn_v",
                "attention.output": "attn_output",
                "feed_forward_norm": "ffn_norm",
                "gate": "ffn_gate",
                "up": "ffn_up",
                "down": "ffn_down",
            }.items()
        }
    for ours, theirs in names.items():
        values = weights[f"{ours}.weight"]
        yield f"{theirs}.weight", values.astype(np.float16) if values.ndim == 2 else values.astype(np.float32)
