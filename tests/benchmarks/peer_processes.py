"""Runs the programs of llama.cpp itself, computing as the engine's worker does, and asks its server for answers."""

import http.client
import json
import os
import queue
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.peers import program
from tests.benchmarks.workload import Job
from workbench.domain.llm import LlmDescription

_HOST = "127.0.0.1"
_START_LIMIT_S = 120.0
_REQUEST_LIMIT_S = 600.0
_CELLS_STEP = 256
"""llama.cpp rounds the room of a sequence up to a multiple of this."""

Messages = list[dict[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchedBench:
    """What ``llama-batched-bench`` measured."""

    prompt_tokens_per_second: float
    new_tokens_per_second: float
    """Of all sequences together."""


def compute_options(description: LlmDescription) -> list[str]:
    """Threads, batch, flash attention, keys and values, and layers on accelerators as a session of ours has them."""
    return [
        *("--threads", str(description.n_threads)),
        *("--threads-batch", str(description.n_threads)),
        *("--batch-size", str(description.n_batch)),
        *("--ubatch-size", str(description.n_batch)),
        *("--flash-attn", "on" if description.flash_attention else "off"),
        *("--cache-type-k", description.kv_type.value),
        *("--cache-type-v", description.kv_type.value),
        *("--n-gpu-layers", str(description.n_layers_offloaded)),
    ]


def batched_bench(path: Path, description: LlmDescription, *, prompt_tokens: int, new_tokens: int) -> BatchedBench:
    """Measure as many sequences as our session has slots, each with a whole prompt and an answer."""
    n_sequences = description.n_slots
    command = [
        *(str(program("llama-batched-bench")), "--model", str(path)),
        *("--ctx-size", str(n_sequences * _rounded_up(prompt_tokens + new_tokens))),
        *("-npp", str(prompt_tokens), "-ntg", str(new_tokens), "-npl", str(n_sequences), "--output-format", "jsonl"),
        *compute_options(description),
    ]
    finished = subprocess.run(
        command, check=True, env=peer_environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="utf-8"
    )
    (line,) = [line for line in finished.stdout.splitlines() if line.startswith("{")]
    measured = json.loads(line)
    return BatchedBench(prompt_tokens_per_second=measured["speed_pp"], new_tokens_per_second=measured["speed_tg"])


def peer_environment() -> dict[str, str]:
    """Compute threads spin only briefly, as in our worker, so that a busy moment of the computer hits all alike."""
    return {**os.environ, "GOMP_SPINCOUNT": "1000"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A ``llama-server`` that is ready."""

    port: int
    n_slots: int
    start_s: float
    """Until it was ready."""

    @property
    def url(self) -> str:
        """Of its OpenAI-like interface."""
        return f"http://{_HOST}:{self.port}/v1"

    def work_off(self, conversations: Sequence[Messages], max_tokens: int) -> Job:
        """Ask with as many clients as slots; greedy, the prompt cache on.

        Raises:
            RuntimeError: If an answer is missing.
        """
        waiting: queue.SimpleQueue[Messages] = queue.SimpleQueue()
        for messages in conversations:
            waiting.put(messages)
        usages: list[dict[str, int]] = []
        clients = [
            threading.Thread(target=self._ask_all, args=(waiting, max_tokens, usages), name=f"client-{number}")
            for number in range(self.n_slots)
        ]
        started = time.perf_counter()
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        duration_s = time.perf_counter() - started
        if len(usages) < len(conversations):
            raise RuntimeError(f"llama-server gave {len(usages)} answers to {len(conversations)} questions.")
        return Job(
            n_requests=len(usages),
            n_tokens=sum(usage["completion_tokens"] for usage in usages),
            n_prompt_tokens=sum(usage["prompt_tokens"] for usage in usages),
            duration_s=duration_s,
        )

    def _ask_all(self, waiting: "queue.SimpleQueue[Messages]", max_tokens: int, usages: list[dict[str, int]]) -> None:
        """One client: keeps its connection and takes the next conversation until none is left."""
        connection = http.client.HTTPConnection(_HOST, self.port, timeout=_REQUEST_LIMIT_S)
        try:
            while True:
                messages = waiting.get_nowait()
                body = {"messages": messages, "max_tokens": max_tokens, "temperature": 0.0, "cache_prompt": True}
                connection.request(
                    "POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json"}
                )
                usages.append(json.loads(connection.getresponse().read())["usage"])
        except queue.Empty:
            pass
        finally:
            connection.close()


@contextmanager
def running_server(path: Path, description: LlmDescription, *, slot_tokens: int) -> Iterator[Server]:
    """Start ``llama-server`` with as many slots as our session has, and end it.

    Args:
        path: The model file.
        description: Of our session.
        slot_tokens: Room for one conversation.
    """
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        port = int(probe.getsockname()[1])
    command = [
        *(str(program("llama-server")), "--model", str(path), "--host", _HOST, "--port", str(port)),
        *("--parallel", str(description.n_slots)),
        *("--ctx-size", str(description.n_slots * _rounded_up(slot_tokens))),
        *compute_options(description),
    ]
    with tempfile.TemporaryFile() as log:
        started = time.perf_counter()
        process = subprocess.Popen(command, env=peer_environment(), stdout=log, stderr=subprocess.STDOUT)
        try:
            _wait_until_ready(process, port)
            yield Server(port=port, n_slots=description.n_slots, start_s=time.perf_counter() - started)
        finally:
            process.terminate()
            process.wait()


def _wait_until_ready(process: "subprocess.Popen[bytes]", port: int) -> None:
    deadline = time.monotonic() + _START_LIMIT_S
    while process.poll() is None and time.monotonic() < deadline:
        connection = http.client.HTTPConnection(_HOST, port, timeout=1.0)
        try:
            connection.request("GET", "/health")
            if connection.getresponse().status == http.client.OK:
                return
        except OSError:
            pass  # it does not listen yet
        finally:
            connection.close()
        time.sleep(0.02)
    raise RuntimeError(f"llama-server did not become ready (exit code {process.poll()}).")


def _rounded_up(n_tokens: int) -> int:
    return -(-n_tokens // _CELLS_STEP) * _CELLS_STEP
