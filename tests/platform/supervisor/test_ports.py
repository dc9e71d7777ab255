"""Ports that are given to servers which bind them a moment later."""

import socket

import pytest

from emporion.platform.supervisor import ports
from emporion.platform.supervisor.ports import FIRST_PORT, NoFreePort, free_port, is_free


def test_no_outgoing_connection_takes_a_port_that_waits_for_its_server():
    with socket.socket() as outgoing:
        outgoing.bind(("127.0.0.1", 0))  # the system chooses, as for any connection
        first_of_the_system = ports._first_ephemeral()
        assert outgoing.getsockname()[1] >= first_of_the_system
    assert all(FIRST_PORT <= free_port() < first_of_the_system for _ in range(50))


@pytest.mark.parametrize("text", ["", "no number", "1024\t60999"])
def test_where_the_system_does_not_say_its_range_the_usual_one_is_left_alone(
    monkeypatch, tmp_path, text
):
    told = tmp_path / "range"
    told.write_text(text, encoding="ascii")
    monkeypatch.setattr(ports, "EPHEMERAL_RANGE", told)
    assert is_free(free_port())


def test_a_machine_without_a_free_port_is_said(monkeypatch):
    monkeypatch.setattr(ports, "is_free", lambda *_: False)
    with pytest.raises(NoFreePort, match="none of 100 ports"):
        free_port()
