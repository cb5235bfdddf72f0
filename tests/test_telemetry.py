"""What a scraper and a log shipper get."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from prometheus_client.parser import text_string_to_metric_families

from gateway.telemetry import FLUSH_BYTES, Telemetry, configure_logging


def samples(telemetry: Telemetry) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(telemetry.exposition().decode())
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


def test_calls_are_counted_by_operation_and_status() -> None:
    telemetry = Telemetry()
    telemetry.count("a.b", "v1", 200, 0.004)
    telemetry.count("a.b", "v1", 200, 0.3)
    telemetry.count("a.b", "v2", 404, 99.0)
    found = samples(telemetry)
    assert found["gateway_calls_total", (("operation", "a.b"), ("status", "200"), ("version", "v1"))] == 2
    assert found["gateway_calls_total", (("operation", "a.b"), ("status", "404"), ("version", "v2"))] == 1
    assert found["gateway_call_seconds_count", (("operation", "a.b"),)] == 3
    assert found["gateway_call_seconds_sum", (("operation", "a.b"),)] == pytest.approx(99.304)
    assert found["gateway_call_seconds_bucket", (("le", "0.005"), ("operation", "a.b"))] == 1
    assert found["gateway_call_seconds_bucket", (("le", "0.5"), ("operation", "a.b"))] == 2
    assert found["gateway_call_seconds_bucket", (("le", "30.0"), ("operation", "a.b"))] == 2
    assert found["gateway_call_seconds_bucket", (("le", "+Inf"), ("operation", "a.b"))] == 3


def test_a_bucket_holds_its_own_edge() -> None:
    telemetry = Telemetry()
    telemetry.count("a.b", "v1", 200, 0.005)
    assert samples(telemetry)["gateway_call_seconds_bucket", (("le", "0.005"), ("operation", "a.b"))] == 1


def test_an_empty_exposition_parses() -> None:
    assert samples(Telemetry()) == {("gateway_access_lines_lost", ()): 0}


def test_gauges_are_read_when_scraped() -> None:
    telemetry = Telemetry()
    values = iter([1.0, 2.0])
    telemetry.gauges.add("gateway_open", "Open things.", lambda: next(values))
    assert [samples(telemetry)["gateway_open", ()] for _ in range(2)] == [1, 2]


def test_access_lines_wait_for_company() -> None:
    out = io.BytesIO()
    telemetry = Telemetry(out)
    telemetry.access({"status": 200, "rows": ("policy.csv:3",)})
    assert out.getvalue() == b""
    telemetry.log.flush()
    assert json.loads(out.getvalue()) == {"status": 200, "rows": ["policy.csv:3"]}
    telemetry.log.flush()
    assert out.getvalue().count(b"\n") == 1


def test_a_full_buffer_is_written() -> None:
    out = io.BytesIO()
    telemetry = Telemetry(out)
    line = {"path": "x" * 1000}
    while not out.getvalue():
        telemetry.access(line)
    assert len(out.getvalue()) >= FLUSH_BYTES
    assert all(json.loads(text) == line for text in out.getvalue().splitlines())


def test_without_an_output_nothing_is_kept() -> None:
    telemetry = Telemetry()
    telemetry.access({"status": 200})
    telemetry.log.flush()
    assert telemetry.log.lost == 0


def test_an_entry_that_is_no_utf_8_is_still_a_line() -> None:
    out = io.BytesIO()
    telemetry = Telemetry(out)
    telemetry.access({"subject": "a\ud800", "other": {1}})
    telemetry.log.flush()
    assert json.loads(out.getvalue()) == {"subject": "a\ud800", "other": "{1}"}


class Broken(io.BytesIO):
    def write(self, data: Any) -> int:
        raise BrokenPipeError


def test_a_log_that_cannot_be_written_breaks_no_call_and_is_counted() -> None:
    telemetry = Telemetry(Broken())
    telemetry.access({"status": 200})
    telemetry.access({"status": 200})
    telemetry.log.flush()
    assert samples(telemetry)["gateway_access_lines_lost", ()] == 2


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    before = structlog.get_config()
    yield
    structlog.configure(**before)


def test_events_are_json_lines_with_the_cause(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", colours=False)
    log = structlog.get_logger()
    log.debug("not.shown")
    log.error("call.broke", request_id="1", exc_info=ValueError("why"), odd={1})
    (line,) = capsys.readouterr().err.splitlines()
    event = json.loads(line)
    assert (event["event"], event["level"], event["request_id"], event["odd"]) == ("call.broke", "error", "1", "{1}")
    assert "ValueError: why" in event["exception"]


def test_events_for_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", colours=True)
    structlog.get_logger().error("call.broke", exc_info=ValueError("why"))
    shown = capsys.readouterr().err
    assert "call.broke" in shown
    assert "why" in shown


def test_a_traceback_for_a_terminal_shows_no_values(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(colours=True)
    secret = "".join(["9", "13", "7"])  # so that the source line does not hold it
    try:
        raise OSError("it broke")
    except OSError as error:
        structlog.get_logger().error("it.broke", exc_info=error)
    told = capsys.readouterr().err
    assert "OSError: it broke" in told
    assert secret not in told


def test_a_stream_that_is_no_terminal_gets_json(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging()
    structlog.get_logger().info("gateway.stopped")
    assert json.loads(capsys.readouterr().err)["event"] == "gateway.stopped"


def test_an_event_with_a_lone_surrogate_is_logged_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", colours=False)
    structlog.get_logger().info("token.rejected", kid="\ud800")
    assert json.loads(capsys.readouterr().err)["event"] == "token.rejected"
