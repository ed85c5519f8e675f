"""llama.cpp as four small classes; the only module that knows its Python binding."""

import ctypes
import os
import re
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import llama_cpp as binding
import numpy as np
import numpy.typing as npt

from workbench.inference.backends.ggml import Ggml
from workbench.inference.scheduler import BatchToken, DecodeError, Logits

BINDING_VERSION: Final[str] = binding.__version__

_ATTRIBUTE_UNKNOWN = 1
_ATTRIBUTE_CONTROL = 8
_LOG_CONTINUED = 5
_LOG_WARNING = 3
_N_LOG_LINES = 400


class NativeError(Exception):
    """llama.cpp could not do what it was asked; the text is what it logged."""


class NativeLog:
    """What llama.cpp says, instead of on a standard stream."""

    def __init__(self) -> None:
        self._lines: deque[tuple[int, str]] = deque(maxlen=_N_LOG_LINES)
        self._callback = binding.llama_log_callback(self._take)
        binding.llama_log_set(self._callback, ctypes.c_void_p())

    def clear(self) -> None:
        """Forget the lines so far."""
        self._lines.clear()

    def layers_by_device(self) -> dict[str, int]:
        """How many layers, the output layer included, the last load put on each device."""
        found = (re.search(r"layer\s+\d+ assigned to device (\S+?),", line) for _, line in self._lines)
        devices = [match.group(1) for match in found if match]
        return {device: devices.count(device) for device in devices}

    def problems(self) -> str:
        """The last warnings and errors."""
        return "\n".join(line.strip() for level, line in self._lines if level >= _LOG_WARNING)[-2000:]

    def _take(self, level: int, text: bytes, _user_data: int | None) -> None:
        line = text.decode("utf-8", errors="replace")
        if level == _LOG_CONTINUED and self._lines:
            level, begun = self._lines.pop()
            line = begun + line
        self._lines.append((level, line[-1000:]))


LOG: Final = NativeLog()
"""llama.cpp has one log for the whole process."""

_GGML: Final = Ggml(Path(str(binding.llama_cpp._base_path)))


def start() -> Ggml:
    """Make llama.cpp ready; may be called again."""
    _GGML.load_backends()
    binding.llama_backend_init()
    return _GGML


def supports_offload() -> bool:
    """Whether this build can use an accelerator that is there."""
    return bool(binding.llama_supports_gpu_offload())


def build() -> tuple[tuple[str, str], ...]:
    """Version of llama.cpp and the processor features it uses, which can change the last digits of results."""
    features = binding.llama_print_system_info().decode("utf-8", errors="replace")
    return (
        ("llama.cpp", binding.llama_version().decode("utf-8", errors="replace")),
        ("llama.cpp features", features.strip()),
    )


class NativeVocabulary:
    """The tokens of a model file."""

    def __init__(self, vocabulary: ctypes.c_void_p) -> None:
        self._vocabulary = vocabulary
        self.n_tokens = int(binding.llama_vocab_n_tokens(vocabulary))
        self.control_tokens = {
            self.token_text(token): token
            for token in range(self.n_tokens)
            if binding.llama_vocab_get_attr(vocabulary, token) & (_ATTRIBUTE_CONTROL | _ATTRIBUTE_UNKNOWN)
        }
        self._piece_buffer = ctypes.create_string_buffer(64)

    @property
    def bos_token(self) -> int | None:
        """The beginning-of-sequence token, if there is one."""
        token = int(binding.llama_vocab_bos(self._vocabulary))
        return token if token >= 0 else None

    @property
    def eos_token(self) -> int | None:
        """The end-of-sequence token, if there is one."""
        token = int(binding.llama_vocab_eos(self._vocabulary))
        return token if token >= 0 else None

    @property
    def wants_bos(self) -> bool:
        """Whether the model file was trained with a beginning-of-sequence token before every text."""
        return bool(binding.llama_vocab_get_add_bos(self._vocabulary))

    def token_text(self, token: int) -> str:
        """A token as the vocabulary lists it."""
        text: bytes | None = binding.llama_vocab_get_text(self._vocabulary, token)
        return (text or b"").decode("utf-8", errors="replace")

    def tokenize(self, text: str, *, parse_control: bool) -> list[int]:
        """The tokens of a text; control tokens in it are recognised only with ``parse_control``."""
        data = text.encode("utf-8")
        capacity = len(data) + 8
        while True:
            buffer = (binding.llama_token * capacity)()
            n_tokens = int(
                binding.llama_tokenize(self._vocabulary, data, len(data), buffer, capacity, False, parse_control)
            )
            if n_tokens >= 0:
                return list(buffer[:n_tokens])
            capacity = -n_tokens

    def piece(self, token: int, *, render_control: bool = False) -> bytes:
        """The bytes a token writes; a control token writes none unless ``render_control``."""
        while True:
            buffer = self._piece_buffer
            n_bytes = int(binding.llama_token_to_piece(self._vocabulary, token, buffer, len(buffer), 0, render_control))
            if n_bytes >= 0:
                return buffer.raw[:n_bytes]
            self._piece_buffer = ctypes.create_string_buffer(-n_bytes)

    def ends_answer(self, token: int) -> bool:
        """Whether a token ends the assistant's turn."""
        return bool(binding.llama_vocab_is_eog(self._vocabulary, token))


class NativeModel:
    """A model file in memory.

    Raises:
        NativeError: If llama.cpp cannot load it.
    """

    def __init__(self, path: Path, *, n_gpu_layers: int) -> None:
        LOG.clear()
        parameters = binding.llama_model_default_params()
        parameters.n_gpu_layers = n_gpu_layers
        self._model = binding.llama_model_load_from_file(os.fsencode(path), parameters)
        if not self._model:
            raise NativeError(LOG.problems())
        self.layers_by_device = LOG.layers_by_device()
        self.vocabulary = NativeVocabulary(binding.llama_model_get_vocab(self._model))

    @property
    def handle(self) -> ctypes.c_void_p:
        """For llama.cpp itself."""
        return self._model  # type: ignore[no-any-return]  # the binding is not typed

    @property
    def n_layers(self) -> int:
        """Transformer blocks, the output layer not counted."""
        return int(binding.llama_model_n_layer(self._model))

    @property
    def n_parameters(self) -> int:
        """Weights."""
        return int(binding.llama_model_n_params(self._model))

    @property
    def trained_context_tokens(self) -> int:
        """Longest text of the training."""
        return int(binding.llama_model_n_ctx_train(self._model))

    @property
    def writes_text(self) -> bool:
        """Whether it continues a text token by token, which encoders and diffusion models do not."""
        model = self._model
        only_encodes = binding.llama_model_has_encoder(model) or not binding.llama_model_has_decoder(model)
        return not only_encodes and not binding.llama_model_is_diffusion(model)

    @property
    def partial_sequences(self) -> bool:
        """Whether a part of what was decoded can be copied or cut off."""
        model = self._model
        return not (binding.llama_model_is_recurrent(model) or binding.llama_model_is_hybrid(model))

    @property
    def quantisation(self) -> str:
        """The main type of the weights, for example ``Q4_K_M``; ``unknown`` if the file does not say."""
        file_type = self.metadata("general.file_type") or ""
        name: bytes | None = binding.llama_ftype_name(int(file_type)) if file_type.isdigit() else None
        if name is None:
            return "unknown"
        words = name.decode("utf-8", errors="replace").removeprefix("all ").removesuffix(" (guessed)")
        return re.sub(r" - (\w)\w*$", lambda match: f"_{match.group(1).upper()}", words)

    def metadata(self, key: str) -> str | None:
        """An entry of the file's metadata as text."""
        name = key.encode("utf-8")
        n_bytes = int(binding.llama_model_meta_val_str(self._model, name, ctypes.create_string_buffer(1), 1))
        if n_bytes < 0:
            return None
        buffer = ctypes.create_string_buffer(n_bytes + 1)
        binding.llama_model_meta_val_str(self._model, name, buffer, n_bytes + 1)
        return buffer.raw[:n_bytes].decode("utf-8", errors="replace")

    def close(self) -> None:
        """Free the weights."""
        binding.llama_model_free(self._model)


class NativeAdapter:
    """A LoRA adapter in memory; freed with its model.

    Raises:
        NativeError: If llama.cpp cannot load it or it does not fit the model.
    """

    def __init__(self, model: NativeModel, path: Path, scale: float) -> None:
        LOG.clear()
        adapter = binding.llama_adapter_lora_init(model.handle, os.fsencode(path))
        if not adapter:
            raise NativeError(LOG.problems())
        self.handles = (binding.llama_adapter_lora_p_ctypes * 1)(adapter)
        self.scales = (ctypes.c_float * 1)(scale)


class NativeContext:
    """Sequences of decoded tokens in one memory; fulfils the scheduler's ``Decoder``.

    Args:
        model: Must stay open until this is closed.
        n_sequences: Sequences.
        n_cells: Tokens in all of them together; a token that several share counts once.
        n_batch: Tokens in one step at most.
        n_threads: Compute threads.

    Raises:
        NativeError: If there is not enough memory.
    """

    def __init__(self, model: NativeModel, *, n_sequences: int, n_cells: int, n_batch: int, n_threads: int) -> None:
        LOG.clear()
        parameters = binding.llama_context_default_params()
        parameters.n_ctx = n_cells
        parameters.n_batch = n_batch
        parameters.n_ubatch = n_batch
        parameters.n_seq_max = n_sequences
        parameters.n_outputs_max = n_sequences
        parameters.n_threads = n_threads
        parameters.n_threads_batch = n_threads
        parameters.kv_unified = True  # sequences can share cells
        parameters.swa_full = True  # sliding windows keep everything, so that sequences can be copied and cut
        self._context = binding.llama_init_from_model(model.handle, parameters)
        if not self._context:
            raise NativeError(LOG.problems())
        self._memory = binding.llama_get_memory(self._context)
        self._n_vocabulary = model.vocabulary.n_tokens
        self._batch = _NativeBatch(n_batch)

    def use(self, adapter: NativeAdapter) -> None:
        """Apply an adapter to everything decoded from now on.

        Raises:
            NativeError: If it cannot be applied.
        """
        if binding.llama_set_adapters_lora(self._context, adapter.handles, 1, adapter.scales) != 0:
            raise NativeError(LOG.problems())

    def decode(self, batch: Sequence[BatchToken]) -> list[Logits]:
        """See ``Decoder``; the rows are views that the next decode overwrites."""
        code = int(binding.llama_decode(self._context, self._batch.filled(batch)))
        if code != 0:
            raise DecodeError(f"llama_decode returned {code}. {LOG.problems()}")
        return [self._logits(index) for index, entry in enumerate(batch) if entry.wants_logits]

    def copy(self, source: int, target: int, n_tokens: int) -> None:
        """See ``Decoder``."""
        binding.llama_memory_seq_cp(self._memory, source, target, 0, n_tokens)

    def truncate(self, sequence: int, n_tokens: int) -> None:
        """See ``Decoder``."""
        if not binding.llama_memory_seq_rm(self._memory, sequence, n_tokens, -1):
            raise DecodeError("llama.cpp cannot cut off a part of a sequence of this model file.")

    def clear(self) -> None:
        """See ``Decoder``."""
        binding.llama_memory_clear(self._memory, True)

    def close(self) -> None:
        """Free the memory."""
        binding.llama_free(self._context)

    def _logits(self, index: int) -> Logits:
        row = binding.llama_get_logits_ith(self._context, index)
        if not row:
            raise DecodeError(f"llama.cpp gave no logits. {LOG.problems()}")
        return np.ctypeslib.as_array(row, shape=(self._n_vocabulary,))


class _NativeBatch:
    """The arrays of a ``llama_batch``, made once and filled for every step."""

    def __init__(self, capacity: int) -> None:
        self._tokens = np.zeros(capacity, dtype=np.int32)
        self._positions = np.zeros(capacity, dtype=np.int32)
        self._sequences = np.zeros(capacity, dtype=np.int32)
        self._wants_logits = np.zeros(capacity, dtype=np.int8)
        self._n_sequences = np.ones(capacity, dtype=np.int32)
        # llama.cpp wants a list of sequences for each token; here each list is one entry of ``_sequences``.
        stride = self._sequences.itemsize
        self._lists = np.arange(capacity, dtype=np.uintp) * stride + np.uintp(self._sequences.ctypes.data)
        self._batch = binding.llama_batch(
            token=_int32_pointer(self._tokens),
            pos=_int32_pointer(self._positions),
            n_seq_id=_int32_pointer(self._n_sequences),
            seq_id=self._lists.ctypes.data_as(ctypes.POINTER(ctypes.POINTER(ctypes.c_int32))),
            logits=self._wants_logits.ctypes.data_as(ctypes.POINTER(ctypes.c_int8)),
        )

    def filled(self, batch: Sequence[BatchToken]) -> ctypes.Structure:
        """The structure for ``llama_decode``."""
        n_tokens = len(batch)
        tokens, positions, sequences, wants_logits = zip(*batch, strict=True)
        self._tokens[:n_tokens] = tokens
        self._positions[:n_tokens] = positions
        self._sequences[:n_tokens] = sequences
        self._wants_logits[:n_tokens] = wants_logits
        self._batch.n_tokens = n_tokens
        return self._batch  # type: ignore[no-any-return]  # the binding is not typed


def _int32_pointer(array: npt.NDArray[np.int32]) -> "ctypes._Pointer[ctypes.c_int32]":
    return array.ctypes.data_as(ctypes.POINTER(ctypes.c_int32))
