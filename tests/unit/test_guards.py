"""The guards around every test catch what they are meant to catch."""

import logging
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.helpers.guards import (
    NetworkBlockedError,
    NetworkGuard,
    no_processes_left,
    no_threads_left,
    no_warnings_logged,
)

FOREIGN_HOST = "192.0.2.1"  # reserved for documentation
WAIT_FOR_INPUT = [sys.executable, "-c", "input()"]


@pytest.fixture(scope="module")
def network() -> NetworkGuard:
    return NetworkGuard()


@pytest.fixture
def _no_network() -> None:
    """In the place of the guard of the same name, which would count what these tests provoke."""


@pytest.mark.parametrize("host", [FOREIGN_HOST, "2001:db8::1", "hospital.example", b"hospital.example", ""])
def test_foreign_hosts_are_refused_before_they_are_looked_up(network: NetworkGuard, host: str) -> None:
    with pytest.raises(NetworkBlockedError, match="may not reach"), network.blocking():
        socket.getaddrinfo(host, 80)


def test_a_connection_to_a_foreign_address_is_refused(network: NetworkGuard) -> None:
    with pytest.raises(NetworkBlockedError), network.blocking(), socket.socket() as client:
        client.connect((FOREIGN_HOST, 80))


def test_a_swallowed_refusal_fails_the_test_all_the_same(network: NetworkGuard) -> None:
    def swallow() -> None:
        with pytest.raises(NetworkBlockedError):
            socket.getaddrinfo(FOREIGN_HOST, 80)

    with pytest.raises(NetworkBlockedError, match="reached for the network"), network.blocking():
        swallow()


def test_this_computer_may_be_reached(network: NetworkGuard) -> None:
    with network.blocking(), socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()


if hasattr(socket, "AF_UNIX"):

    def test_unix_sockets_may_be_used(network: NetworkGuard, tmp_path: Path) -> None:
        with network.blocking(), socket.socket(socket.AF_UNIX) as server:
            server.bind(str(tmp_path / "socket"))


def test_a_thread_left_running_is_named() -> None:
    done = threading.Event()
    thread = threading.Thread(target=done.wait, name="left behind", daemon=True)
    with pytest.raises(AssertionError, match="left behind"), no_threads_left(grace_s=0):
        thread.start()
    done.set()
    thread.join()


def test_a_thread_that_ends_is_fine() -> None:
    with no_threads_left():
        threading.Thread(target=str).start()


def test_a_process_left_running_is_named_and_ended() -> None:
    with subprocess.Popen(WAIT_FOR_INPUT, stdin=subprocess.PIPE) as earlier:
        with pytest.raises(AssertionError, match=r"input\(\)"), no_processes_left(grace_s=0):
            later = subprocess.Popen(WAIT_FOR_INPUT, stdin=subprocess.PIPE)
        later.communicate()
        assert earlier.poll() is None, "what ran before is not touched"


def test_a_process_that_ends_is_fine() -> None:
    with no_processes_left():
        subprocess.run([sys.executable, "-c", ""], check=True)


def test_a_logged_warning_fails_and_a_lesser_line_does_not(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with no_warnings_logged():
        logging.getLogger("workbench.test").info("all well")
    with pytest.raises(AssertionError, match="disk is nearly full"), no_warnings_logged():
        logging.getLogger("workbench.test").warning("disk is nearly full")
