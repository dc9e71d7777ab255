"""The W3C trace context of a header: what it says, or nothing."""

import pytest

from emporion.chassis.calls.context import Trace

TRACE_ID, SPAN_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize(
    ("header", "is_sampled"),
    [
        (f"00-{TRACE_ID}-{SPAN_ID}-01", True),
        (f"00-{TRACE_ID}-{SPAN_ID}-00", False),
        (f"00-{TRACE_ID}-{SPAN_ID}-03", True),
        (f"cc-{TRACE_ID}-{SPAN_ID}-01-what-a-later-version-adds", True),
    ],
)
def test_a_header_says_which_trace_goes_on(header, is_sampled):
    assert Trace.parse(header) == Trace(TRACE_ID, SPAN_ID, is_sampled)


def test_what_is_written_is_read_again():
    for is_sampled in (True, False):
        trace = Trace(TRACE_ID, SPAN_ID, is_sampled)
        assert Trace.parse(trace.header()) == trace


@pytest.mark.parametrize(
    "header",
    [
        "",
        "nonsense",
        f"00-{TRACE_ID}-{SPAN_ID}",
        f"00-{TRACE_ID}-{SPAN_ID}-1",
        f"00-{TRACE_ID}-{SPAN_ID}-001",
        f"00-{TRACE_ID}-{SPAN_ID}-0g",
        f"00-{TRACE_ID}-{SPAN_ID}-01\n",
        f"ff-{TRACE_ID}-{SPAN_ID}-01",
        f"0-{TRACE_ID}-{SPAN_ID}-01",
        f"00-{'0' * 32}-{SPAN_ID}-01",
        f"00-{TRACE_ID}-{'0' * 16}-01",
        f"00-{TRACE_ID.upper()}-{SPAN_ID}-01",
        f"00-{TRACE_ID[:-1]}-{SPAN_ID}-01",
        f"00-{TRACE_ID}-{SPAN_ID[:-1]}\u0660-01",
        f" 00-{TRACE_ID}-{SPAN_ID}-01",
    ],
)
def test_a_header_that_keeps_not_to_the_form_says_nothing(header):
    assert Trace.parse(header) is None
