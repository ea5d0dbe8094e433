"""Our renderer against prometheus_client's: the same families must come out the same, byte for byte."""

import math
from collections.abc import Iterable, Iterator, Sequence

import pytest
from builders import record, snapshot
from hypothesis import given, settings
from hypothesis import strategies as st
from profiles import examples
from prometheus_client import Histogram
from prometheus_client.exposition import generate_latest as text_of
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics_of
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from prometheus_client.registry import Collector

from exporter.core import EVENT_TYPES, STATUSES, EventKey, Increment, JobRecord, JobSnapshot
from exporter.metrics.aggregate_metrics import AGGREGATE_FAMILIES, AggregateFamily
from exporter.metrics.aggregates import Aggregates
from exporter.metrics.exposition import (
    CONTENT_TYPES,
    Format,
    Lines,
    plain_page,
    render,
    render_header,
    render_sample,
    sample_names,
)
from exporter.metrics.family import Family, tag_label
from exporter.metrics.gzip_stream import PIECE_BYTES, chain, compress
from exporter.metrics.job_metrics import JobFamily, job_families

FORMATS: tuple[Format, Format] = ("text", "openmetrics")
END = b"# EOF\n"

hostile = st.sampled_from(
    ['"', "\\", "\n", "\\n", '\\"', "{", "}", ",", "=", "#", " ", "\r", "\t", "\u2028", "é", "\x00"]
)
texts = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=12),
    st.lists(hostile, max_size=6).map("".join),
)
numbers = st.floats()
times = st.none() | numbers
events = st.frozensets(
    st.builds(EventKey, st.none() | st.sampled_from(EVENT_TYPES) | texts, times),
    max_size=6,
)
snapshots = st.builds(
    JobSnapshot,
    arn=texts,
    name=texts,
    status=st.sampled_from(STATUSES) | texts,
    account=texts,
    region=texts,
    device=texts | st.sampled_from(["local:a/b", "arn:aws:braket:::device/quantum-simulator/amazon/sv1"]),
    instance_type=texts,
    instance_count=st.none() | st.integers(0, 2**53),
    max_runtime_seconds=st.none() | st.integers(0, 2**53),
    created=times,
    started=times,
    ended=times,
    billable_seconds=times,
    queue_position=st.none() | st.integers(0, 10**9),
    queue_position_is_floor=st.booleans(),
    failure_reason=st.none() | texts,
    tags=st.lists(st.tuples(st.sampled_from(["team", "cost-centre"]), texts), max_size=2).map(tuple),
)
records = st.builds(
    JobRecord,
    arn=texts,
    snapshot=st.none() | snapshots,
    events=events,
    polled_at=times,
    failing=st.none() | texts,
)
fleets = st.lists(records, max_size=3, unique_by=lambda record: record.arn)
tag_lists = st.lists(st.sampled_from(["team", "cost-centre", "Größe"]) | texts, max_size=3, unique_by=tag_label)


class Families(Collector):
    """Families as prometheus_client's renderers take them."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self.families = [*families]

    def collect(self) -> Iterator[Metric]:
        yield from self.families


def page_of(families: Sequence[JobFamily], jobs: Sequence[JobRecord], form: Format) -> bytes:
    rows = [render(families, job) for job in jobs]
    columns = [(family, [row[index] for row in rows]) for index, family in enumerate(families)]
    return joined(columns, b"" if form == "text" else END, form)


def joined(families: Iterable[tuple[Family, Sequence[bytes]]], own: bytes, form: Format) -> bytes:
    return b"".join(plain_page(((family, Lines(lines)) for family, lines in families), own, form).parts)


def test_a_slow_reader_of_a_page_holds_a_small_piece_of_it() -> None:
    family = job_families()[0]
    open_lines, sealed_lines = [b"braket_job_info %d\n" % number for number in range(50_000)], b"braket 1\n" * 100_000
    page = plain_page([(family, Lines(open_lines, chain([compress(sealed_lines, 1)])))], END, "text")
    pieces = [*page.parts]
    assert max(map(len, pieces)) <= PIECE_BYTES
    assert len(pieces) < 3 * page.size / PIECE_BYTES
    assert b"".join(pieces) == b"".join((render_header(family, "text"), *open_lines, sealed_lines, END))
    assert page.size == sum(map(len, pieces))


def lines_of(family: AggregateFamily, aggregates: Aggregates) -> bytes:
    (lines,) = render([family], aggregates.values())
    return lines


def oracle_of(families: Sequence[JobFamily], jobs: Sequence[JobRecord]) -> Families:
    return Families(metric_of(family, jobs) for family in families)


def metric_of(family: JobFamily, jobs: Sequence[JobRecord]) -> Metric:
    kind = CounterMetricFamily if family.type == "counter" else GaugeMetricFamily
    metric = kind(family.name, family.help, labels=family.labels)
    for job in jobs:
        for values, value in family.samples(job):
            assert isinstance(value, float)
            metric.add_metric(values, value)
    return metric


def generated(collector: Collector, form: Format) -> bytes:
    page: bytes = text_of(collector) if form == "text" else openmetrics_of(collector)
    return page


def parsed(page: bytes, form: Format) -> Families:
    return Families(parse_text(page.decode()) if form == "text" else parse_openmetrics(page.decode()))


def samples_of(families: Families) -> list[tuple[str, tuple[tuple[str, str], ...], str]]:
    """List samples in an order and with values that compare, NaN too."""
    return sorted(
        (sample.name, tuple(sorted(sample.labels.items())), repr(float(sample.value)))
        for family in families.families
        for sample in family.samples
    )


@pytest.mark.parametrize("form", FORMATS)
@given(jobs=fleets, tags=tag_lists)
def test_a_page_of_jobs_equals_what_prometheus_client_renders(
    form: Format, jobs: list[JobRecord], tags: list[str]
) -> None:
    families = job_families(tags)
    assert page_of(families, jobs, form) == generated(oracle_of(families, jobs), form)


@pytest.mark.parametrize("form", FORMATS)
@settings(max_examples=examples(50))
@given(jobs=fleets)
def test_a_page_of_jobs_parses_back_to_the_same_samples(form: Format, jobs: list[JobRecord]) -> None:
    families = job_families(["team"])
    page = page_of(families, jobs, form)
    assert samples_of(parsed(page, form)) == samples_of(oracle_of(families, jobs))


@pytest.mark.parametrize("form", FORMATS)
def test_a_parser_of_each_format_sees_the_types_of_the_families(form: Format) -> None:
    families = job_families()
    page = page_of(families, [record(snapshot(queue_position=1))], form)
    found = {family.name: family.type for family in parsed(page, form).families}
    assert found == {family.name.removesuffix("_total"): family.type for family in families}


observations = st.lists(
    st.tuples(
        st.sampled_from(["COMPLETED", "FAILED"]),
        st.floats(0, 1e9) | st.sampled_from([10.0, 30.0, 60.0, 432000.0, 1209600.0, 0.0]),
    ),
    max_size=20,
)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", ["braket_job_queue_duration_seconds", "braket_job_run_duration_seconds"])
@settings(max_examples=examples(60))
@given(observed=observations, device=texts)
def test_a_histogram_of_the_fleet_equals_prometheus_clients_with_the_same_observations(
    form: Format, name: str, observed: list[tuple[str, float]], device: str
) -> None:
    row = next(family for family in AGGREGATE_FAMILIES if family.name == name)
    steps = [(("1", "r", device, outcome)[: len(row.labels)], value) for outcome, value in observed]
    aggregates = Aggregates()
    aggregates.apply(Increment(row.name, labels, value) for labels, value in steps)
    real = Histogram(row.name, row.help, row.labels, buckets=row.buckets, registry=None)
    for labels in sorted({labels for labels, _ in steps}):
        real.labels(*labels)
    for labels, value in steps:
        real.labels(*labels).observe(value)
    ours = joined([(row, [lines_of(row, aggregates)])], b"" if form == "text" else END, form)
    assert ours == generated(Families(without_created(real)), form)
    assert samples_of(parsed(ours, form)) == samples_of(Families(without_created(real)))


def without_created(metric: Histogram) -> Iterator[Metric]:
    for family in metric.collect():
        family.samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
        yield family


@pytest.mark.parametrize("form", FORMATS)
@settings(max_examples=examples(60))
@given(steps=st.lists(st.tuples(texts, st.floats(0, 1e15)), max_size=8))
def test_a_counter_of_the_fleet_equals_prometheus_clients(form: Format, steps: list[tuple[str, float]]) -> None:
    row = next(family for family in AGGREGATE_FAMILIES if family.name == "braket_billable_seconds_total")
    aggregates = Aggregates()
    aggregates.apply(Increment(row.name, ("1", "r", "d", instance), step) for instance, step in steps)
    sums: dict[str, float] = {}
    for instance, step in steps:
        sums[instance] = sums.get(instance, 0.0) + step
    oracle = CounterMetricFamily(row.name, row.help, labels=row.labels)
    for instance in sorted(sums):
        oracle.add_metric(("1", "r", "d", instance), sums[instance])
    ours = joined([(row, [lines_of(row, aggregates)])], b"" if form == "text" else END, form)
    assert ours == generated(Families([oracle]), form)


def test_jobs_by_status_are_rendered_literally() -> None:
    aggregates = Aggregates()
    aggregates.move(None, snapshot(device="d", status="RUNNING"))
    aggregates.move(None, snapshot(device="d", status="NEW"))
    assert lines_of(AGGREGATE_FAMILIES[0], aggregates) == (
        b'braket_jobs{aws_account_id="123456789012",aws_region="us-west-2",device="d",status="CANCELLED"} 0.0\n'
        b'braket_jobs{aws_account_id="123456789012",aws_region="us-west-2",device="d",status="CANCELLING"} 0.0\n'
        b'braket_jobs{aws_account_id="123456789012",aws_region="us-west-2",device="d",status="COMPLETED"} 0.0\n'
        b'braket_jobs{aws_account_id="123456789012",aws_region="us-west-2",device="d",status="FAILED"} 0.0\n'
        b'braket_jobs{aws_account_id="123456789012",aws_region="us-west-2",device="d",status="NEW"} 1.0\n'
        b'braket_jobs{aws_account_id="123456789012",aws_region="us-west-2",device="d",status="QUEUED"} 0.0\n'
        b'braket_jobs{aws_account_id="123456789012",aws_region="us-west-2",device="d",status="RUNNING"} 1.0\n'
    )


def test_one_histogram_is_rendered_literally() -> None:
    row = next(family for family in AGGREGATE_FAMILIES if family.name == "braket_job_queue_duration_seconds")
    aggregates = Aggregates()
    aggregates.apply([Increment(row.name, ("1", "r", "d"), 30.0), Increment(row.name, ("1", "r", "d"), 1300000.5)])
    head = 'braket_job_queue_duration_seconds_bucket{aws_account_id="1",aws_region="r",device="d",le='
    assert lines_of(row, aggregates).decode() == (
        f'{head}"10.0"}} 0.0\n'
        f'{head}"30.0"}} 1.0\n'
        f'{head}"60.0"}} 1.0\n'
        f'{head}"120.0"}} 1.0\n'
        f'{head}"300.0"}} 1.0\n'
        f'{head}"600.0"}} 1.0\n'
        f'{head}"1800.0"}} 1.0\n'
        f'{head}"3600.0"}} 1.0\n'
        f'{head}"7200.0"}} 1.0\n'
        f'{head}"14400.0"}} 1.0\n'
        f'{head}"28800.0"}} 1.0\n'
        f'{head}"43200.0"}} 1.0\n'
        f'{head}"57600.0"}} 1.0\n'
        f'{head}"72000.0"}} 1.0\n'
        f'{head}"86400.0"}} 1.0\n'
        f'{head}"172800.0"}} 1.0\n'
        f'{head}"259200.0"}} 1.0\n'
        f'{head}"432000.0"}} 1.0\n'
        f'{head}"604800.0"}} 1.0\n'
        f'{head}"864000.0"}} 1.0\n'
        f'{head}"1.2096e+06"}} 1.0\n'
        f'{head}"+Inf"}} 2.0\n'
        'braket_job_queue_duration_seconds_count{aws_account_id="1",aws_region="r",device="d"} 2.0\n'
        'braket_job_queue_duration_seconds_sum{aws_account_id="1",aws_region="r",device="d"} 1.3000305e+06\n'
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1.0"),
        (0.1, "0.1"),
        (-2.5, "-2.5"),
        (1700000000.0, "1.7e+09"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
        (math.nan, "NaN"),
    ],
)
def test_a_value_is_written_as_go_writes_it(value: float, text: str) -> None:
    assert render_sample("m", ("l",), ("x",), value) == f'm{{l="x"}} {text}\n'


def test_labels_are_sorted_and_their_values_escaped() -> None:
    assert render_sample("m", ("b", "a"), ('say "hi"', "back\\slash\nline"), 1.0) == (
        'm{a="back\\\\slash\\nline",b="say \\"hi\\""} 1.0\n'
    )


@pytest.mark.parametrize(("names", "values"), [(("a", "b"), ("x",)), (("a",), ("x", "y")), ((), ("x",))])
def test_names_and_values_that_do_not_match_raise_rather_than_being_cut(
    names: tuple[str, ...], values: tuple[str, ...]
) -> None:
    with pytest.raises(ValueError, match=r"m has [0-2] labels, got [12] values"):
        render_sample("m", names, values, 1.0)


def test_a_family_whose_labels_and_values_do_not_match_raises_at_the_first_job() -> None:
    crooked = JobFamily("m", "Crooked.", "gauge", ("one", "two"), own_samples=lambda _: [(("only one",), 1.0)])
    with pytest.raises(ValueError, match="m has 2 labels, got 1 values"):
        render([crooked], record(snapshot()))


def test_a_header_differs_by_format_in_a_counters_name_and_in_quotes() -> None:
    family = Family("things_total", 'A "thing"\nwith a \\.', "counter", ())
    assert render_header(family, "text") == (
        b'# HELP things_total A "thing"\\nwith a \\\\.\n# TYPE things_total counter\n'
    )
    assert render_header(family, "openmetrics") == (
        b'# HELP things A \\"thing\\"\\nwith a \\\\.\n# TYPE things counter\n'
    )


@pytest.mark.parametrize("form", FORMATS)
def test_a_gauge_whose_name_ends_like_a_counters_keeps_it(form: Format) -> None:
    assert render_header(Family("x_total", "X.", "gauge", ()), form) == b"# HELP x_total X.\n# TYPE x_total gauge\n"


def test_a_page_joins_families_in_order_and_ends_with_the_exporters_own() -> None:
    one, two = Family("one", "1.", "gauge", ()), Family("two_total", "2.", "counter", ())
    assert joined([(one, [b"one 1.0\n", b""]), (two, [])], b"own\n", "openmetrics") == (
        b"# HELP one 1.\n# TYPE one gauge\none 1.0\n# HELP two 2.\n# TYPE two counter\nown\n"
    )


def test_each_format_has_its_content_type() -> None:
    assert CONTENT_TYPES == {
        "text": "text/plain; version=0.0.4; charset=utf-8",
        "openmetrics": "application/openmetrics-text; version=1.0.0; charset=utf-8",
    }


@pytest.mark.parametrize(
    ("name", "kind", "names"),
    [
        ("braket_jobs", "gauge", {"braket_jobs"}),
        ("x_total", "counter", {"x_total", "x"}),
        ("x_seconds", "histogram", {"x_seconds", "x_seconds_bucket", "x_seconds_count", "x_seconds_sum"}),
    ],
)
def test_a_family_can_be_asked_for_by_its_name_and_by_its_samples_names(name: str, kind: str, names: set[str]) -> None:
    assert sample_names(name, kind) == names


@settings(max_examples=examples(30))
@given(jobs=fleets)
def test_the_names_a_family_can_be_asked_for_are_those_that_parsers_find(jobs: list[JobRecord]) -> None:
    for family in parse_openmetrics(page_of(job_families(), jobs, "openmetrics").decode()):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        requested = sample_names(name, family.type)
        assert {family.name, *(sample.name for sample in family.samples)} <= requested
