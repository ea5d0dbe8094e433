"""What scrapers that exist send, and what some would."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.metrics import Format
from exporter.web.negotiate import accepts_gzip, choose_format

PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
PROMETHEUS_2_WITH_PROTOBUF = (
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,"
    "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
PROMETHEUS_2_BEFORE_OPENMETRICS = "text/plain;version=0.0.4;q=1,*/*;q=0.1"
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
PROMETHEUS_3_TEXT_ONLY = "text/plain;version=0.0.4;escaping=allow-utf-8;q=0.6,*/*;q=0.5"
VICTORIAMETRICS = "text/plain;version=0.0.4;q=1,*/*;q=0.1"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        pytest.param(PROMETHEUS_2, "openmetrics", id="prometheus-2"),
        pytest.param(PROMETHEUS_2_WITH_PROTOBUF, "openmetrics", id="prometheus-2-protobuf"),
        pytest.param(PROMETHEUS_2_BEFORE_OPENMETRICS, "text", id="prometheus-2.0"),
        pytest.param(PROMETHEUS_3, "openmetrics", id="prometheus-3"),
        pytest.param(PROMETHEUS_3_TEXT_ONLY, "text", id="prometheus-3-text"),
        pytest.param(VICTORIAMETRICS, "text", id="victoriametrics"),
        pytest.param(BROWSER, "text", id="browser"),
        pytest.param("*/*", "text", id="curl"),
        pytest.param("", "text", id="none"),
        pytest.param("application/openmetrics-text", "openmetrics", id="openmetrics-alone"),
        pytest.param("application/openmetrics-text; version=1.0.0", "openmetrics", id="openmetrics-version"),
        pytest.param("Application/OpenMetrics-Text; Q=0.5", "openmetrics", id="case"),
        pytest.param("application/openmetrics-text,text/plain", "openmetrics", id="equal"),
        pytest.param("text/plain, application/openmetrics-text", "openmetrics", id="equal-other-order"),
        pytest.param("text/plain;q=0.9, application/openmetrics-text;q=0.8", "text", id="text-preferred"),
        pytest.param("text/*;q=0.9, application/openmetrics-text;q=0.8", "text", id="any-text-preferred"),
        pytest.param("text/plain;q=0, application/openmetrics-text;q=0.001", "openmetrics", id="text-refused"),
        pytest.param("application/openmetrics-text;q=0", "text", id="openmetrics-refused"),
        pytest.param("application/openmetrics-text;q=0.0, */*", "text", id="openmetrics-refused-long"),
        pytest.param("application/openmetrics-text;q=nonsense", "text", id="q-nonsense"),
        pytest.param("application/openmetrics-text;q=", "text", id="q-empty"),
        pytest.param("application/openmetrics-text;q=nan", "text", id="q-nan"),
        pytest.param(
            "application/openmetrics-text ; version=1.0.0 ; q=0.3 , text/plain ; q=0.2", "openmetrics", id="blanks"
        ),
        pytest.param("application/openmetrics-textual", "text", id="longer-name"),
        pytest.param(";;;,,,q=1", "text", id="rubbish"),
        pytest.param("\x00\xff", "text", id="binary"),
    ],
)
def test_a_scraper_gets_the_format_that_it_asks_for(accept: str, form: Format) -> None:
    assert choose_format(accept) == form


@pytest.mark.parametrize(
    ("header", "welcome"),
    [
        ("gzip", True),
        ("GZIP", True),
        ("gzip, deflate, br, zstd", True),
        ("deflate, gzip;q=1.0", True),
        ("br;q=1, gzip;q=0.1", True),
        ("gzip ; q=0.5", True),
        ("", False),
        ("identity", False),
        ("deflate, br", False),
        ("gzip;q=0", False),
        ("gzip; q=0.0", False),
        ("gzip;q=0.000, identity", False),
        ("gzipped", False),
        ("x-gzip-not", False),
        ("gzip;q=nonsense", False),
    ],
)
def test_an_answer_is_compressed_only_for_those_who_welcome_it(header: str, *, welcome: bool) -> None:
    assert accepts_gzip(header) is welcome


@given(st.text())
def test_no_header_whatsoever_breaks_the_choice(header: str) -> None:
    assert choose_format(header) in ("text", "openmetrics")
    assert accepts_gzip(header) in (True, False)


@given(st.sampled_from(["text/plain", "text/*"]), st.integers(0, 1000), st.integers(1, 1000))
def test_the_heavier_format_wins_and_openmetrics_wins_a_draw(text: str, text_weight: int, weight: int) -> None:
    accept = f"{text};q={text_weight / 1000},application/openmetrics-text;q={weight / 1000}"
    assert choose_format(accept) == ("openmetrics" if weight >= text_weight else "text")
