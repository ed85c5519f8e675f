"""llama.cpp as four small classes; the only module that knows its Python binding."""

import ctypes
import os
import re
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import llama_cpp as binding
import numpy as np
import numpy.typing as npt

from workbench.domain.llm import KvType
from workbench.inference.backends.ggml import Ggml
from workbench.inference.scheduler import BatchToken, DecodeError, Logits

BINDING_VERSION: Final[str] = binding.__version__

LOG_INFO: Final = 2
_LOG_WARNING: Final = 3
LOG_ERROR: Final = 4
_LOG_CONTINUED: Final = 5
_N_LOG_LINES: Final = 400
_STANDARD_ERROR: Final = 2
_ATTRIBUTE_UNKNOWN: Final = 1
_ATTRIBUTE_CONTROL: Final = 8
_KV_TYPES: Final = {KvType.F16: binding.GGML_TYPE_F16, KvType.Q8_0: binding.GGML_TYPE_Q8_0}
_MIB: Final = 1024 * 1024


class NativeError(Exception):
    """llama.cpp could not do what it was asked; the text is what it logged."""


class Buffer(NamedTuple):
    """A piece of memory that llama.cpp took."""

    name: str
    """ggml's name of its kind, for example ``CPU_REPACK`` or ``CUDA0``."""
    use: str
    """``model``, ``LoRA``, ``KV``, ``RS`` (recurrent states), ``compute`` or ``output``."""
    n_bytes: int


class NativeLog:
    """What llama.cpp says, instead of on a standard stream."""

    def __init__(self) -> None:
        self._lines: deque[tuple[int, str]] = deque(maxlen=_N_LOG_LINES)
        self._facts: list[str] = []
        """Lines of the present loading that say where layers and buffers went; other lines may push them out."""
        self._callback = binding.llama_log_callback(
            lambda level, text, _user_data: self.take(level, text.decode("utf-8", errors="replace"))
        )
        binding.llama_log_set(self._callback, ctypes.c_void_p())

    def clear(self, *, facts: bool = False) -> None:
        """Forget the lines so far; with ``facts``, also where layers and buffers went."""
        self._lines.clear()
        if facts:
            self._facts.clear()

    def layers_by_device(self) -> dict[str, int]:
        """How many layers, the output layer included, the last load put on each device."""
        found = (re.search(r"layer\s+\d+ assigned to device (\S+?),", line) for line in self._facts)
        devices = [match.group(1) for match in found if match]
        return {device: devices.count(device) for device in devices}

    def buffers(self) -> list[Buffer]:
        """What the last load took; of scratch memory that was laid out again, the last size."""
        found = (re.search(r":\s+(\S+)\s+(\w+) (?:.* )?buffer size = +([\d.]+) MiB", line) for line in self._facts)
        all_buffers = [Buffer(match[1], match[2], round(float(match[3]) * _MIB)) for match in found if match]
        scratch = {buffer.name: buffer for buffer in all_buffers if buffer.use == "compute"}
        return [*(buffer for buffer in all_buffers if buffer.use != "compute"), *scratch.values()]

    def problems(self) -> str:
        """The last warnings and errors."""
        return "\n".join(line.strip() for level, line in self._lines if level >= _LOG_WARNING)[-2000:]

    def take(self, level: int, line: str) -> None:
        """Note a line, or the rest of one."""
        if level == LOG_ERROR:  # also where the process may be ended by it, before anybody can ask
            os.write(_STANDARD_ERROR, line.encode("utf-8", errors="replace"))
        if level == _LOG_CONTINUED and self._lines:
            level, begun = self._lines.pop()
            line = begun + line
        self._lines.append((level, line[-1000:]))
        if "assigned to device" in line or "buffer size = " in line:
            self._facts.append(line)


LOG: Final = NativeLog()
"""llama.cpp has one log for the whole process."""

_GGML: Final = Ggml(Path(str(binding.llama_cpp._base_path)))


def start() -> Ggml:
    """Make llama.cpp ready; may be called again."""
    _GGML.load_backends()
    binding.llama_backend_init()
    return _GGML


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

    It is read instead of mapped into memory: what is taken can then be counted, what does not fit fails at once
    instead of being read from the disk again and again, and weights that are rearranged are not there twice.

    Args:
        path: The file; of one in several parts, the first.
        device_layers: How many layers each accelerator takes, the last layers of all together; in this order, and the
            output layer counts as one. What is left stays with the processor.

    Raises:
        NativeError: If llama.cpp cannot load it.
        KeyError: If there is no such accelerator.
    """

    def __init__(self, path: Path, *, device_layers: Sequence[tuple[str, int]] = ()) -> None:
        LOG.clear(facts=True)
        used = [(name, n_layers) for name, n_layers in device_layers if n_layers > 0]
        # llama.cpp gives every device a share in proportion; shares that are the very counts come out exactly.
        split = (ctypes.c_float * max(int(binding.llama_max_devices()), len(used)))(*(n for _, n in used))
        devices = (ctypes.c_void_p * (len(used) + 1))(*(_GGML.handle(name) for name, _ in used), None)
        parameters = binding.llama_model_default_params()
        parameters.n_gpu_layers = sum(n_layers for _, n_layers in used)
        parameters.tensor_split = split
        parameters.devices = ctypes.cast(devices, ctypes.c_void_p)
        parameters.load_mode = binding.LLAMA_LOAD_MODE_NONE
        parameters.lazy_mode = binding.LLAMA_LAZY_MODE_OFF
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
        kv_type: How keys and values are kept.
        flash_attention: Whether attention is computed without writing its whole matrix down; quantised keys and values
            need it.

    Raises:
        NativeError: If there is not enough memory.
    """

    def __init__(
        self,
        model: NativeModel,
        *,
        n_sequences: int,
        n_cells: int,
        n_batch: int,
        n_threads: int,
        kv_type: KvType = KvType.F16,
        flash_attention: bool = False,
    ) -> None:
        LOG.clear()
        parameters = binding.llama_context_default_params()
        parameters.n_ctx = n_cells
        parameters.n_batch = n_batch
        parameters.n_ubatch = n_batch
        parameters.n_seq_max = n_sequences
        parameters.n_outputs_max = n_sequences
        parameters.n_threads = n_threads
        parameters.n_threads_batch = n_threads
        parameters.type_k = parameters.type_v = _KV_TYPES[kv_type]
        parameters.flash_attn_type = (
            binding.LLAMA_FLASH_ATTN_TYPE_ENABLED if flash_attention else binding.LLAMA_FLASH_ATTN_TYPE_DISABLED
        )
        parameters.offload_kqv = True  # keys and values lie where their layer is computed
        parameters.kv_unified = True  # sequences can share cells
        parameters.swa_full = True  # sliding windows keep everything, so that sequences can be copied and cut
        self._context = binding.llama_init_from_model(model.handle, parameters)
        if not self._context:
            raise NativeError(LOG.problems())
        self.flash_attention = flash_attention and "forcing off" not in LOG.problems()
        """Whether it is really used; a few architectures cannot."""
        self.n_step_tokens = 0
        """Tokens in the last step."""
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
        self.n_step_tokens = len(batch)
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
        # Old values stay behind, masked like those of any freed cell: to wipe gigabytes after every run takes a second.
        binding.llama_memory_clear(self._memory, False)

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
