"""The HTTP paths, without a socket: each request is handed in, each answer looked at."""

import gzip
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import NamedTuple

import pytest
from builders import CREATED, GARNET, FakeTime, arn, finished, record, snapshot
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

import exporter
from exporter.app.setting_types import METRICS
from exporter.core import (
    DeviceKey,
    DeviceRecord,
    DeviceSnapshot,
    Health,
    Increment,
    QueueStatus,
    SpendingLimit,
    Target,
    TargetStatus,
)
from exporter.metrics import all_families, job_families
from exporter.storage import Store
from exporter.storage.block import BLOCK_JOBS
from exporter.telemetry import SelfMetrics, expose
from exporter.web.http import Body, Request
from exporter.web.routes import Reloaded, Web
from exporter.web.status_page import SECURITY_POLICY

ARN = "arn:aws:braket:us-west-2:123456789012:job/5d3c7bb0-6f0f-4d3c-9c55-5a2b1f1c0f01"
TARGET = Target("123456789012", "us-west-2")
OPENMETRICS = "application/openmetrics-text"


def target_status() -> TargetStatus:
    return TargetStatus(
        target=TARGET,
        health=Health(up=True, last_success=1_700_000_990.0),
        active=1,
        finished=0,
        waiting=0,
        staleness=10.0,
        poll_duration=0.5,
        budget={"GetJob": 2.5},
    )


def filled_store() -> Store:
    store = Store(job_families())
    run = Increment("braket_job_queue_duration_seconds", (*TARGET, "d"), 40.0)
    store.put(record(snapshot(queue_position=4)), [run])
    store.devices.put(DeviceRecord(DeviceSnapshot(DeviceKey("eu-north-1", GARNET), "ONLINE"), 1.0), 1.0)
    there = Target("123456789012", "eu-north-1")
    store.spending_limits.replace(there, [SpendingLimit("7d1f", there, GARNET)])
    return store


def filled_telemetry() -> SelfMetrics:
    telemetry = SelfMetrics()
    telemetry.state_written(1_700_000_990.0, 4096)
    telemetry.events.watch(lambda: (QueueStatus(up=True, last_receive=1_700_000_990.0),))
    return telemetry


def make_web(
    *,
    disabled: tuple[str, ...] = (),
    healthy: bool = True,
    ready: bool = True,
    reload: Callable[[], Reloaded] = Reloaded,
    store: Store | None = None,
    time: FakeTime | None = None,
    targets: Iterable[TargetStatus] | None = None,
) -> Web:
    return Web(
        store=filled_store() if store is None else store,
        telemetry=filled_telemetry(),
        targets=lambda: [target_status()] if targets is None else targets,
        disabled=lambda: disabled,
        healthy=lambda: healthy,
        ready=lambda: ready,
        reload=reload,
        clock=(time or FakeTime()).clock,
    )


class Got(NamedTuple):
    """An answer with its body in one piece."""

    status: int
    body: bytes
    content_type: str
    headers: Mapping[str, str]


def get(path: str, web: Web | None = None, method: str = "GET", **headers: str) -> Got:
    path, _, query = path.partition("?")
    fields: dict[str, list[str]] = {}
    for pair in filter(None, query.split("&")):
        name, _, value = pair.partition("=")
        fields.setdefault(name, []).append(value)
    lower = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = (web or make_web())(Request(method, path, fields, lower))
    return Got(answer.status, whole(answer.body), answer.content_type, answer.headers)


def whole(body: bytes | Body) -> bytes:
    """Put a body together; its size must be what was said before."""
    if isinstance(body, bytes):
        return body
    text = b"".join(body.parts)
    assert len(text) == body.size
    return text


def families_of(answer: Got) -> set[str]:
    page = answer.body.decode()
    families = parse_openmetrics(page) if answer.content_type.startswith(OPENMETRICS) else parse_text(page)
    return {family.name for family in families}


def restored_store() -> Store:
    store, jobs = Store(job_families()), range(BLOCK_JOBS)
    store.restoration.restore_jobs(
        [record(finished(arn=arn(number), ended=CREATED + 500.0 + number)) for number in jobs]
    )
    return store


def test_a_scrape_waits_until_the_lines_of_restored_jobs_are_rendered() -> None:
    store = restored_store()
    with ThreadPoolExecutor(1) as executor:
        scrape = executor.submit(get, "/metrics", make_web(store=store))
        assert not scrape.done()
        store.restoration.render()
        answer = scrape.result(60.0)
    assert (answer.status, answer.body.count(b"\nbraket_job_info{")) == (200, BLOCK_JOBS)


def test_a_scrape_before_that_gets_503_and_the_other_paths_do_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exporter.web.routes.RENDER_WAIT", 0.01)
    web = make_web(store=restored_store())
    answer = get("/metrics", web)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    assert b"not rendered yet" in answer.body
    assert {path: get(path, web).status for path in ("/", "/-/healthy", "/-/ready")} == {
        "/": 200,
        "/-/healthy": 200,
        "/-/ready": 200,
    }


def test_a_scrape_gets_503_at_once_when_the_exporter_ends_before_the_lines_are_rendered() -> None:
    store = restored_store()
    store.restoration.render(lambda: True)
    assert get("/metrics", make_web(store=store)).status == 503


def test_metrics_are_prometheus_text_by_default() -> None:
    answer = get("/metrics")
    assert (answer.status, answer.content_type) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert f'\nbraket_job_queue_position{{job_arn="{ARN}",job_name="vqe-h2"}} 4.0\n'.encode() in answer.body
    assert b"# EOF" not in answer.body
    assert "Content-Encoding" not in answer.headers


def test_metrics_are_openmetrics_for_those_who_ask() -> None:
    answer = get("/metrics", accept=OPENMETRICS)
    assert answer.content_type == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert b"\n# TYPE braket_job_events counter\n" in answer.body
    assert answer.body.endswith(b"\n# EOF\n")
    assert answer.body.count(b"# EOF") == 1


@pytest.mark.parametrize("accept", ["", OPENMETRICS])
def test_every_family_of_the_exporter_is_on_the_page_once_in_either_format(accept: str) -> None:
    answer = get("/metrics", accept=accept)
    everything = all_families()
    text = answer.body.decode()
    for family in everything:
        name = family.name.removesuffix("_total") if accept and family.type == "counter" else family.name
        assert text.count(f"# TYPE {name} {family.type}\n") == 1, name
    assert {family.name.removesuffix("_total") for family in everything} <= families_of(answer)


def test_with_every_metric_disabled_the_page_is_empty() -> None:
    assert get("/metrics", make_web(disabled=METRICS)).body == b""


def test_caches_are_told_that_the_answer_depends_on_the_request() -> None:
    assert get("/metrics").headers["Vary"] == "Accept, Accept-Encoding"


@pytest.mark.parametrize("accept", ["", OPENMETRICS])
def test_a_compressed_page_is_the_same_page(accept: str) -> None:
    name = "name[]=braket_job_status"
    plain = get(f"/metrics?{name}", accept=accept)
    packed = get(f"/metrics?{name}", accept=accept, accept_encoding="gzip")
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.content_type == plain.content_type
    assert gzip.decompress(packed.body) == plain.body
    assert packed.body != plain.body


def test_nobody_gets_a_compressed_page_who_refuses_it() -> None:
    answer = get("/metrics", accept_encoding="gzip;q=0, identity")
    assert "Content-Encoding" not in answer.headers
    assert answer.body.startswith(b"# HELP braket_job_info ")


@pytest.mark.parametrize(
    ("asked", "families"),
    [
        (["braket_job_status"], {"braket_job_status"}),
        (["braket_job_events_total"], {"braket_job_events"}),
        (["braket_job_events"], {"braket_job_events"}),
        (["braket_job_queue_duration_seconds"], {"braket_job_queue_duration_seconds"}),
        (["braket_job_queue_duration_seconds_bucket"], {"braket_job_queue_duration_seconds"}),
        (["braket_job_queue_duration_seconds_count"], {"braket_job_queue_duration_seconds"}),
        (["braket_job_queue_duration_seconds_sum"], {"braket_job_queue_duration_seconds"}),
        (["braket_exporter_target_up"], {"braket_exporter_target_up"}),
        (["braket_exporter_parse_errors"], {"braket_exporter_parse_errors"}),
        (["braket_exporter_parse_errors_total"], {"braket_exporter_parse_errors"}),
        (
            ["braket_exporter_api_request_duration_seconds_sum"],
            {"braket_exporter_api_request_duration_seconds"},
        ),
        (["python_info"], {"python_info"}),
        (["braket_jobs", "braket_job_info", "nonsense"], {"braket_jobs", "braket_job_info"}),
        (["nonsense"], set()),
        (["braket_job"], set()),
        (["BRAKET_JOBS"], set()),
    ],
)
@pytest.mark.parametrize("accept", ["", OPENMETRICS])
def test_a_scraper_can_ask_for_families_by_their_names_and_by_their_samples_names(
    asked: list[str], families: set[str], accept: str
) -> None:
    answer = get("/metrics?" + "&".join(f"name[]={name}" for name in asked), accept=accept)
    assert answer.status == 200
    assert families_of(answer) == families


def test_asking_for_nothing_that_exists_gives_an_empty_page_that_still_ends_well() -> None:
    assert get("/metrics?name[]=nonsense").body == b""
    assert get("/metrics?name[]=nonsense", accept=OPENMETRICS).body == b"# EOF\n"


def test_other_parameters_do_not_filter() -> None:
    assert b"braket_job_info{" in get("/metrics?names=braket_jobs").body


def test_one_family_is_exposed_literally() -> None:
    assert get("/metrics?name[]=braket_job_queue_position").body.decode() == (
        "# HELP braket_job_queue_position Position of the job in the queue of its device; "
        "N where Braket reports >N, no sample without a position.\n"
        "# TYPE braket_job_queue_position gauge\n"
        f'braket_job_queue_position{{job_arn="{ARN}",job_name="vqe-h2"}} 4.0\n'
    )


@pytest.mark.parametrize(
    "name",
    [
        "braket_job_info",
        "braket_job_events_total",
        "braket_jobs",
        "braket_job_run_duration_seconds",
        "braket_exporter_build_info",
        "braket_exporter_api_requests_total",
        "braket_exporter_target_up",
    ],
)
def test_a_disabled_metric_is_left_out_even_when_it_is_asked_for(name: str) -> None:
    web = make_web(disabled=(name,))
    assert name.encode() not in get("/metrics", web).body
    assert get(f"/metrics?name[]={name}", web).body == b""
    assert b"braket_job_status{" in get("/metrics", web).body


def test_the_samples_of_one_family_stand_together_whatever_the_number_of_jobs() -> None:
    store = Store(job_families())
    for number in range(3):
        store.put(record(finished(arn=f"arn{number}", name=f"job{number}")))
    body = get("/metrics?name[]=braket_job_instances", make_web(store=store)).body.decode()
    assert body.splitlines()[2:] == [
        f'braket_job_instances{{job_arn="arn{number}",job_name="job{number}"}} 1.0' for number in range(3)
    ]


def test_without_families_of_jobs_there_is_still_the_fleet() -> None:
    store = Store(())
    store.put(record(snapshot()))
    body = get("/metrics", make_web(store=store)).body
    assert b"braket_job_info" not in body
    assert b'status="RUNNING"} 1.0\n' in body


def test_the_whole_exposition_can_be_had_without_http() -> None:
    page = expose(
        filled_store().view().families(),
        SelfMetrics(),
        [],
        "openmetrics",
        disabled=frozenset({"braket_job_info"}),
        names=frozenset({"braket_job_info", "braket_exporter_parse_errors_total"}),
    )
    assert b"".join(page.parts) == (
        b"# HELP braket_exporter_parse_errors Number of API responses that the exporter cannot parse.\n"
        b"# TYPE braket_exporter_parse_errors counter\n"
        b"braket_exporter_parse_errors_total 0.0\n"
        b"# EOF\n"
    )


@pytest.mark.parametrize(
    ("path", "web", "status"),
    [
        ("/-/healthy", make_web(healthy=True), 200),
        ("/-/healthy", make_web(healthy=False), 503),
        ("/-/healthy", make_web(healthy=True, ready=False), 200),
        ("/-/ready", make_web(ready=True), 200),
        ("/-/ready", make_web(ready=False), 503),
        ("/-/ready", make_web(ready=True, healthy=False), 200),
    ],
)
def test_probes_are_answered_by_their_own_question_alone(path: str, web: Web, status: int) -> None:
    answer = get(path, web)
    assert answer.status == status
    assert answer.body.endswith(b".\n")


def test_metrics_are_served_before_the_exporter_is_ready() -> None:
    assert get("/metrics", make_web(ready=False, healthy=False)).status == 200


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/metrics/", "/METRICS", "//metrics", "", "*", "/-/", "/favicon.ico", "/../metrics", "/<script>"],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_any_other_path_is_404_and_says_what_there_is(path: str, method: str) -> None:
    answer = get(path, method=method)
    assert answer.status == 404
    assert answer.body == b"Not found. Paths: /, /metrics, /api/v1/jobs, /-/healthy, /-/ready, /-/reload.\n"


@pytest.mark.parametrize("path", ["/", "/metrics", "/-/healthy", "/-/ready"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "get", "head"])
def test_any_other_method_is_405_and_says_which_one_is_right(path: str, method: str) -> None:
    answer = get(path, method=method)
    assert answer.status == 405
    assert answer.headers["Allow"] == "GET, HEAD"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "post"])
def test_only_post_reloads(method: str) -> None:
    def reload() -> Reloaded:
        raise AssertionError("nobody asked for it")

    answer = get("/-/reload", make_web(reload=reload), method)
    assert (answer.status, answer.headers["Allow"]) == (405, "POST")
    assert answer.body == b"Method not allowed; use POST.\n"


@pytest.mark.parametrize(
    ("reloaded", "status", "body"),
    [
        (Reloaded(), 200, b"Reloaded.\n"),
        (
            Reloaded(restart_needed=("log_level", "tag_labels")),
            200,
            b"Reloaded. Changes that need a restart: log_level, tag_labels.\n",
        ),
        (
            Reloaded(problems=("config file a.yaml: broken", "retention = \ud800: expected \u00e9")),
            500,
            (
                b"The new settings are invalid; the previous ones stay active:\n"
                b"  config file a.yaml: broken\n"
                b"  retention = ?: expected \xc3\xa9\n"
            ),
        ),
    ],
)
def test_a_reload_says_what_came_of_it(reloaded: Reloaded, status: int, body: bytes) -> None:
    answer = get("/-/reload", make_web(reload=lambda: reloaded), "POST")
    assert (answer.status, answer.body) == (status, body)
    assert answer.content_type == "text/plain; charset=utf-8"


def test_the_status_page_lets_a_browser_load_and_guess_nothing() -> None:
    answer = get("/")
    assert (answer.status, answer.content_type) == (200, "text/html; charset=utf-8")
    assert answer.headers == {
        "Content-Security-Policy": SECURITY_POLICY,
        "Referrer-Policy": "no-referrer",
    }


def test_the_status_page_shows_version_uptime_targets_and_jobs() -> None:
    time = FakeTime()
    web = make_web(time=time)
    time.advance(3725.0)
    page = get("/", web).body.decode()
    assert "Up for 1 h 2 min." in page
    assert f"<span>Version {exporter.__version__}</span>" in page
    assert "123456789012" in page
    assert ">vqe-h2</bdi></td>" in page
    assert ">1 h 2 min ago</time>" in page


def test_the_status_page_applies_the_query_parameters() -> None:
    assert ">vqe-h2</bdi></td>" in get("/?q=VQE&status=RUNNING&sort=created&order=asc").body.decode()
    assert ">vqe-h2</bdi></td>" not in get("/?q=nothing").body.decode()
    assert ">vqe-h2</bdi></td>" not in get("/?status=FAILED").body.decode()
    assert get("/?sort=nonsense&order=nonsense&unknown=1&q=").body == get("/").body


def test_an_error_that_utf8_cannot_carry_does_not_take_the_page() -> None:
    failing = replace(target_status(), health=Health(up=False, last_error="\ud800"))
    assert ">?</bdi></td>" in get("/", make_web(targets=[failing])).body.decode()


def test_uptime_does_not_jump_with_the_wall_clock() -> None:
    time = FakeTime()
    web = make_web(time=time)
    time.wall += 86400.0
    time.monotonic += 5.0
    assert "Up for 5 s." in get("/", web).body.decode()


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_sealed_jobs_are_in_the_page_in_either_encoding_and_its_size_is_told_before(encoding: str) -> None:
    store = Store(job_families())
    count = 2 * BLOCK_JOBS
    for number in range(count):
        store.put(record(finished(arn=f"arn{number}")))
    web = make_web(store=store)
    body = get("/metrics", web, accept_encoding=encoding).body
    text = gzip.decompress(body) if encoding == "gzip" else body
    assert text.count(b"\nbraket_job_info{") == count
    assert len(store.view().sealed[0].segments) == 1
