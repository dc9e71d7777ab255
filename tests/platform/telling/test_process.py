"""A process tells what its settings want, and refuses settings that cannot be meant."""

import pytest

from emporion.platform.process import serving
from emporion.platform.settings import Settings, UnknownSetting
from emporion.platform.telling.process import header_of
from emporion.platform.telling.records import FILE
from tests.platform.telling.collector import collecting

COLLECTOR = "http://127.0.0.1:4318"


@pytest.mark.parametrize(
    ("header", "read"),
    [("", {}), ("x-api-key: k:1", {"x-api-key": "k:1"}), (" x-key :v ", {"x-key": "v"})],
)
def test_the_collectors_header_is_read(header, read):
    assert header_of(Settings(otlp_url=COLLECTOR, otlp_header=header)) == read


@pytest.mark.parametrize(
    ("url", "header"),
    [
        ("127.0.0.1:4318", ""),
        ("ftp://127.0.0.1", ""),
        (COLLECTOR, "no colon"),
        (COLLECTOR, ": v"),
        (COLLECTOR, "a: b\r\nc: d"),
    ],
)
def test_what_cannot_be_meant_is_refused(url, header):
    with pytest.raises(UnknownSetting, match="otlp_"):
        header_of(Settings(otlp_url=url, otlp_header=header))


@pytest.mark.system
async def test_a_real_process_keeps_and_exports_what_it_tells(tmp_path, capsys):
    async with collecting() as collector:
        settings = Settings(port=0, data=str(tmp_path / "shop"), otlp_url=collector.url, emf=True)
        async with serving(settings) as running:
            with running.shop.telemetry.span("order", "work"):
                assert running.url
        spans = [span.name for _, span in collector.spans()]

    assert "work" in spans
    assert (tmp_path / "shop" / FILE).stat().st_size > 0
    assert '"Namespace":"Emporion"' in capsys.readouterr().out
