"""A real Prometheus scrapes real exporters, and promtool reads their pages."""

import json
import math
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from processes import (
    FAST,
    LONG_AGO,
    Daemon,
    daemon,
    eventually,
    iso,
    tool,
    wire_event,
    wire_job,
)
from servers import Prometheus, prometheus_with

from exporter.simulator import ScriptedJob, SimulatorServer, World, job_arn

OPENMETRICS = {"Accept": "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"}
NAMES = ['quote" back\\slash\nnewline', "} 1.0\n# EOF\nup 0", "ψ 量子 \u2028\r\t", "", "\\", "plain"]


@contextmanager
def hostile_exporter() -> Iterator[Daemon]:
    """Run an exporter with jobs of hostile names, one of which ends under its eyes."""
    arns = [job_arn(f"job-{number}") for number in range(len(NAMES))]
    answers = {arn: wire_job(arn, "RUNNING", jobName=name) for arn, name in zip(arns, NAMES, strict=True)}
    for arn, name in zip(arns, NAMES, strict=True):
        started = iso(LONG_AGO + 60)
        answers[arn] |= {"startedAt": started, "failureReason": f"{name}: {name}", "deviceConfig": {"device": name}}
    scripts = [ScriptedJob(arn, LONG_AGO, [(LONG_AGO, answers[arn])]) for arn in arns]
    with SimulatorServer(World(scripts), clock=time.time) as server:
        env = {"AWS_ENDPOINT_URL_BRAKET": server.url}
        with daemon("--jobs", ",".join(arns), *FAST, env=env) as running:
            eventually(lambda: running.get("/-/ready").status == 200)
            end = {"endedAt": iso(LONG_AGO + 200), "billableDuration": 140000}
            last = arns[0]
            answers[last] |= {"status": "FAILED", **end, "events": [wire_event("FAILED", LONG_AGO + 200)]}
            eventually(lambda: running.value("braket_job_status", last, 'status="FAILED"') == 1)
            yield running


@contextmanager
def plain_text_of(exporter: Daemon) -> Iterator[str]:
    """Relay an exporter's page in the classic format, whatever the scraper would rather have."""

    class Relay(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = exporter.get("/metrics", {"Accept": "text/plain"})
            self.send_response(page.status)
            self.send_header("Content-Type", page.headers["Content-Type"])
            self.send_header("Content-Length", str(len(page.body)))
            self.end_headers()
            self.wfile.write(page.body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Relay) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def prometheus_of(targets: dict[str, str], folder: Path) -> Iterator[Prometheus]:
    jobs = [
        {"job_name": name, "scrape_interval": "2s", "scrape_timeout": "2s", "static_configs": [{"targets": [address]}]}
        for name, address in targets.items()
    ]
    config = folder / "prometheus.yml"
    config.write_text(json.dumps({"scrape_configs": jobs}))
    with prometheus_with(config, folder) as prometheus:
        yield prometheus


@pytest.fixture(scope="module")
def exporters() -> Iterator[dict[str, Daemon]]:
    with daemon("demo", "--log-level", "info") as demo, hostile_exporter() as hostile:
        eventually(lambda: demo.get("/-/ready").status == 200)
        yield {"demo": demo, "hostile": hostile}


@pytest.fixture(scope="module")
def prometheus(exporters: dict[str, Daemon], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    with ExitStack() as stack:
        targets = {name: exporter.address for name, exporter in exporters.items()}
        for name, exporter in exporters.items():
            targets[f"{name}-text"] = stack.enter_context(plain_text_of(exporter))
        running = stack.enter_context(prometheus_of(targets, tmp_path_factory.mktemp("prometheus")))
        eventually(lambda: len(running.query("up == 1")) == 4 or _failed(running))
        yield running


def _failed(prometheus: Prometheus) -> bool:
    errors = [target["lastError"] for target in prometheus.ask("targets")["activeTargets"]]
    assert {*errors} <= {"", "context deadline exceeded"}, errors  # the latter on a slow machine
    return False


def test_every_target_is_up_in_both_formats(prometheus: Prometheus) -> None:
    assert sorted((metric["job"], value) for metric, value in prometheus.query("up")) == [
        ("demo", 1.0),
        ("demo-text", 1.0),
        ("hostile", 1.0),
        ("hostile-text", 1.0),
    ]
    # In OpenMetrics, which Prometheus asks for, a counter's metadata stand under its name without _total.
    known = prometheus.ask("metadata", limit="1000")
    assert known["braket_job_events"][0]["type"] == "counter"
    assert known["braket_job_events_total"][0]["type"] == "counter"
    assert known["braket_job_run_duration_seconds"][0]["type"] == "histogram"
    assert known["braket_job_status"][0]["type"] == "gauge"


@pytest.mark.parametrize("job", ["demo", "demo-text"])
def test_each_job_has_one_status(job: str, prometheus: Prometheus) -> None:
    found = prometheus.query(f'braket_job_status{{job="{job}"}} == 1')
    assert len(found) == 40
    assert len({metric["job_arn"] for metric, _ in found}) == 40
    fleet = prometheus.query(f'sum(braket_jobs{{job="{job}"}})')
    assert [value for _, value in fleet] == [40.0]


@pytest.mark.parametrize("job", ["hostile", "hostile-text"])
def test_hostile_names_arrive_as_they_are(job: str, prometheus: Prometheus) -> None:
    found = prometheus.query(f'braket_job_info{{job="{job}"}}')
    # Prometheus takes an empty label for none.
    assert sorted(metric.get("job_name", "") for metric, _ in found) == sorted(NAMES)
    assert sorted(metric.get("device", "") for metric, _ in found) == sorted(NAMES)


@pytest.mark.parametrize("name", ["demo", "hostile"])
def test_prometheus_takes_in_every_sample_of_the_page(
    name: str, prometheus: Prometheus, exporters: dict[str, Daemon]
) -> None:
    def agree() -> bool:
        """Both change while jobs live, so they are compared until they meet."""
        scraped = prometheus.query(f'scrape_samples_scraped{{job=~"{name}.*"}}')
        lines = float(len(exporters[name].samples))
        return [value for _, value in scraped] == [lines, lines]

    eventually(agree)


def test_the_histograms_are_well_formed(prometheus: Prometheus) -> None:
    for histogram in (
        "braket_job_run_duration_seconds",
        "braket_job_queue_duration_seconds",
        "braket_exporter_api_request_duration_seconds",
    ):
        count = f"{histogram}_count"
        if histogram != "braket_job_queue_duration_seconds":
            assert prometheus.query(f'{count}{{job="hostile"}} > 0')
        # The jobs go on ending between two queries, so each comparison is one query.
        whole = f'{histogram}_bucket{{le="+Inf"}}'
        assert prometheus.query(count)
        assert prometheus.query(f"{count} != ignoring(le) {whole}") == []
        assert prometheus.query(f"{count} unless ignoring(le) {whole}") == []
        assert prometheus.query(f"{whole} unless ignoring(le) {count}") == []
        assert prometheus.query(f"{count} unless {histogram}_sum >= 0") == []
    median = 'histogram_quantile(0.5, braket_job_run_duration_seconds_bucket{job="hostile"})'
    # An outcome that no job had has no median; it is exposed all the same.
    assert [120 <= value <= 300 for _, value in prometheus.query(f"{median} >= 0")] == [True]


@pytest.mark.parametrize("name", ["demo", "hostile"])
@pytest.mark.parametrize("accept", [{}, OPENMETRICS], ids=["text", "openmetrics"])
def test_buckets_of_a_page_never_fall(accept: dict[str, str], name: str, exporters: dict[str, Daemon]) -> None:
    buckets: dict[str, list[tuple[float, float]]] = {}
    for line in exporters[name].get("/metrics", accept).samples:
        if match := re.fullmatch(r'(\w+_bucket\{.*?),?le="([^"]+)"(.*\}) (.+)', line):
            buckets.setdefault(match[1] + match[3], []).append((float(match[2]), float(match[4])))
    assert buckets
    for series in buckets.values():
        assert [bound for bound, _ in series] == sorted(bound for bound, _ in series)
        assert [count for _, count in series] == sorted(count for _, count in series)
        assert series[-1][0] == math.inf


@pytest.mark.parametrize("name", ["demo", "hostile"])
def test_promtool_finds_nothing_to_criticise(name: str, exporters: dict[str, Daemon]) -> None:
    page = exporters[name].get("/metrics")
    assert page.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert problems(page.body) == []


def problems(page: bytes) -> list[str]:
    checked = subprocess.run([tool("promtool"), "check", "metrics"], input=page, capture_output=True, check=False)
    return (checked.stdout + checked.stderr).decode().splitlines()


TARGETS = f"""\
targets:
  - name: chemistry
    jobs: ["{job_arn("one")}"]
  - name: physics
    jobs: ["{job_arn("other")}"]
"""


def test_targets_of_one_account_and_region_have_series_of_their_own_and_one_rate_limit(tmp_path: Path) -> None:
    config = tmp_path / "exporter.yaml"
    config.write_text(TARGETS)
    scripts = [
        ScriptedJob(arn, LONG_AGO, [(LONG_AGO, wire_job(arn, "RUNNING"))]) for arn in (job_arn("one"), job_arn("other"))
    ]
    with SimulatorServer(World(scripts), clock=time.time) as server:
        env = {"AWS_ENDPOINT_URL_BRAKET": server.url}
        with daemon("--config", str(config), "--poll-interval", "1h", env=env) as running:
            eventually(lambda: running.get("/-/ready").status == 200)
            page = running.get("/metrics")
    assert problems(page.body) == []
    series = [line.rpartition(" ")[0] for line in page.samples]
    assert len(series) == len(set(series))
    where = 'aws_account_id="123456789012",aws_region="us-east-1"'
    told = ("braket_exporter_target_up", "braket_exporter_api_budget", "braket_exporter_api_requests_total")
    assert [line for line in page.samples if line.startswith(told)] == [
        f'braket_exporter_target_up{{{where},target="chemistry"}} 1.0',
        f'braket_exporter_target_up{{{where},target="physics"}} 1.0',
        f'braket_exporter_api_budget_requests_per_second{{{where},operation="GetJob"}} 2.5',
        f'braket_exporter_api_requests_total{{{where},code="ok",operation="GetJob"}} 2.0',
    ]
