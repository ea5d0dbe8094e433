"""What a scrape sees of what is known."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from builders import ACCOUNT, ARN, CREATED, REGION, SV1, arn, finished, record, snapshot, text_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledgers import Book, Past
from profiles import examples

from exporter.core import Increment, JobRecord, observe
from exporter.metrics import (
    AGGREGATE_FAMILIES,
    Histogram,
    JobFamily,
    Row,
    SegmentChain,
    Series,
    Totals,
    job_families,
    render,
)
from exporter.storage.batches import BATCH_JOBS
from exporter.storage.block import BLOCK_JOBS, Block, seal
from exporter.storage.job_index import status_summaries
from exporter.storage.persistence import DirtySet, Entry, Tombstone, mark_of
from exporter.storage.rendered_lines import RenderedLines, View
from exporter.storage.series_limit import Rank, Standing, rank_of
from exporter.storage.store import Store

OUTCOMES = "braket_job_outcomes_total"
COMPLETED = Increment(OUTCOMES, (ACCOUNT, REGION, SV1, "COMPLETED"), 1.0)


def page(view: View) -> dict[str, str]:
    return {family.name: text_of(lines).decode() for family, lines in view.families()}


def store_with(*records: JobRecord) -> Store:
    store = Store(job_families())
    for known in records:
        store.put(known)
    return store


def whole(store: Store) -> Entry:
    """Return the whole state with its records in memory."""
    everything = store.everything()
    return replace(everything, records=[*everything.records])


def test_a_record_comes_back_as_it_was_put() -> None:
    known = record(snapshot())
    store = store_with(known)
    assert store.record(ARN) == known
    assert [*store.scan()] == [known]


def test_a_later_record_takes_the_place_of_an_earlier_one() -> None:
    store = store_with(JobRecord(ARN), record(snapshot()), record(finished()))
    assert [*store.scan()] == [record(finished())]
    assert 'status="COMPLETED"} 1.0' in page(store.view())["braket_job_status"]
    assert 'status="RUNNING"} 0.0' in page(store.view())["braket_job_status"]


def test_a_job_that_is_not_watched_is_no_record() -> None:
    with pytest.raises(KeyError):
        Store(job_families()).record(ARN)
    with pytest.raises(KeyError):
        Store(job_families()).forget({ARN: {}})


def test_a_job_that_may_not_be_watched_can_be_looked_for() -> None:
    store = store_with(record(snapshot()))
    assert store.find(ARN) == record(snapshot())
    assert store.find(arn(2)) is None
    store.forget({ARN: {}})
    assert store.find(ARN) is None


def test_a_job_that_is_not_watched_yet_is_taken_in_by_the_first_who_adds_it() -> None:
    store = Store(job_families())
    assert store.add(JobRecord(ARN, configured=False))
    assert not store.add(JobRecord(ARN, configured=True))
    assert [*store.scan()] == [JobRecord(ARN, configured=False)]


def test_a_job_that_is_watched_already_stays_as_it_is() -> None:
    store = store_with(record(finished()))
    before = page(store.view())
    assert not store.add(JobRecord(ARN, failing="ResourceNotFoundException"))
    assert store.find(ARN) == record(finished())
    assert page(store.view()) == before


def test_a_job_that_was_added_is_there_to_be_put_seen_and_forgotten() -> None:
    store = Store(job_families())
    store.add(JobRecord(ARN, failing="ResourceNotFoundException"))
    assert ARN in page(store.view())["braket_job_poll_failing"]
    store.put(record(snapshot()))
    assert 'status="RUNNING"} 1.0' in page(store.view())["braket_jobs"]
    store.forget({ARN: {}})
    assert 'status="RUNNING"} 0.0' in page(store.view())["braket_jobs"]
    assert store.add(JobRecord(ARN))


def test_a_job_that_comes_back_with_what_was_known_of_it_counts_in_the_fleet() -> None:
    store = Store(job_families())
    store.add(record(snapshot()))
    assert 'status="RUNNING"} 1.0' in page(store.view())["braket_jobs"]
    store.put(record(finished()))
    assert 'status="RUNNING"} 0.0' in page(store.view())["braket_jobs"]
    assert 'status="COMPLETED"} 1.0' in page(store.view())["braket_jobs"]


def test_of_many_who_add_a_job_at_the_same_time_one_has_it() -> None:
    for _ in range(50):
        store = Store(job_families())
        barrier = threading.Barrier(4)
        taken: list[bool] = []

        def add(store: Store = store, barrier: threading.Barrier = barrier, taken: list[bool] = taken) -> None:
            barrier.wait()
            taken.append(store.add(JobRecord(ARN)))

        threads = [threading.Thread(target=add) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(taken) == [False, False, False, True]


def test_a_job_that_never_answered_has_no_samples() -> None:
    assert "".join(page(store_with(JobRecord(ARN)).view()).values()) == ""


def test_a_job_that_never_answered_and_fails_shows_that_alone_with_an_empty_name() -> None:
    lines = page(store_with(JobRecord(ARN, failing="ResourceNotFoundException")).view())
    assert "".join(lines.values()) == (
        f'braket_job_poll_failing{{code="ResourceNotFoundException",job_arn="{ARN}",job_name=""}} 1.0\n'
    )


def test_the_samples_of_one_family_stand_together_in_the_order_of_the_table() -> None:
    store = store_with(record(snapshot(arn=arn(1), name="one")), record(snapshot(arn=arn(2), name="two")))
    lines = page(store.view())
    assert list(lines) == [
        *(family.name for family in job_families()),
        "braket_jobs",
        "braket_job_transitions_total",
        "braket_job_outcomes_total",
        "braket_billable_seconds_total",
        "braket_job_queue_duration_seconds",
        "braket_job_run_duration_seconds",
        "braket_job_phase_seconds_total",
        "braket_job_phases_total",
    ]
    assert lines["braket_job_instances"] == (
        f'braket_job_instances{{job_arn="{arn(1)}",job_name="one"}} 1.0\n'
        f'braket_job_instances{{job_arn="{arn(2)}",job_name="two"}} 1.0\n'
    )


def test_the_aggregates_have_the_tags_of_a_job_and_values_beyond_the_first_hundred_are_counted() -> None:
    counted: list[str] = []
    store = Store((), tag_keys=("team",), count_other=counted.append)
    for number in range(102):
        job = snapshot(arn=arn(number), tags=(("team", f"t{number}"),))
        seen = observe(JobRecord(job.arn), job, since=0.0, now=CREATED + 130.0)
        store.put(seen.record, seen.increments)
        store.put(seen.record)
    lines = page(store.view())["braket_jobs"]
    assert 'status="RUNNING",tag_team="t99"} 1.0\n' in lines
    assert 'status="RUNNING",tag_team="other"} 2.0\n' in lines
    assert 'tag_team="t100"' not in lines
    assert counted == ["team", "team"]


def test_after_a_restart_the_tags_of_saved_jobs_are_those_of_their_series() -> None:
    series: dict[Series, float] = {
        (OUTCOMES, (ACCOUNT, REGION, SV1, f"t{number}", "COMPLETED")): 1.0 for number in range(100)
    }
    store = Store((), tag_keys=("team",))
    job = snapshot(tags=(("team", "late"),))
    Past(CREATED, [record(job)], totals=Totals(series)).give(store)
    assert 'status="RUNNING",tag_team="other"} 1.0\n' in page(store.view())["braket_jobs"]


def test_what_a_job_adds_to_the_fleet_shows_at_once_and_once() -> None:
    store = Store(job_families())
    store.put(record(finished()), [COMPLETED])
    store.put(record(finished()))
    assert page(store.view())[OUTCOMES] == (
        f'braket_job_outcomes_total{{aws_account_id="{ACCOUNT}",aws_region="{REGION}",device="{SV1}",'
        'outcome="COMPLETED"} 1.0\n'
    )


def test_the_fleet_counts_each_job_once_however_often_it_is_put() -> None:
    store = store_with(JobRecord(ARN), record(snapshot()), record(snapshot()), record(finished()))
    assert 'status="COMPLETED"} 1.0' in page(store.view())["braket_jobs"]
    assert 'status="RUNNING"} 0.0' in page(store.view())["braket_jobs"]


def test_a_forgotten_job_loses_its_series_and_keeps_what_it_added_to_the_fleet() -> None:
    store = Store(job_families())
    store.put(record(finished()), [COMPLETED])
    store.forget({ARN: {}})
    lines = page(store.view())
    assert [*store.scan()] == []
    assert not any(ARN in text for text in lines.values())
    assert 'outcome="COMPLETED"} 1.0' in lines[OUTCOMES]
    assert 'status="COMPLETED"} 0.0' in lines["braket_jobs"]


def test_a_job_that_never_answered_can_be_forgotten() -> None:
    store = store_with(JobRecord(ARN))
    store.forget({ARN: {}})
    assert [*store.scan()] == []


def test_without_job_families_only_the_fleet_shows() -> None:
    store = Store(())
    store.put(record(finished()), [COMPLETED])
    lines = page(store.view())
    assert list(lines)[0] == "braket_jobs"  # noqa: RUF015 -- a list reads better
    assert not any(ARN in text for text in lines.values())
    assert 'status="COMPLETED"} 1.0' in lines["braket_jobs"]


def test_a_view_does_not_change_after_it_was_taken() -> None:
    store = store_with(record(snapshot()))
    view = store.view()
    before = page(view)
    store.put(record(finished()), [COMPLETED])
    store.put(record(snapshot(arn=arn(2))))
    store.forget({ARN: {}})
    assert page(view) == before


def test_the_list_of_records_is_a_copy() -> None:
    store = store_with(record(snapshot()))
    records = [*store.scan()]
    store.forget({ARN: {}})
    records.clear()
    assert [*store.scan()] == []


def test_a_label_that_is_too_many_is_a_bug_and_changes_nothing() -> None:
    family = job_families()[0]
    broken = type(family)(family.name, "", "gauge", ("one",), own_samples=lambda _: [(("1", "2"), 1.0)])
    store = Store([broken])
    with pytest.raises(ValueError, match="has 1 labels, got 2 values"):
        store.put(record(snapshot()), [COMPLETED])
    assert [*store.scan()] == []
    assert page(store.view())[OUTCOMES] == ""


def test_every_view_is_of_one_moment_while_a_writer_writes() -> None:
    store = store_with(record(snapshot()))
    done = threading.Event()

    def write() -> None:
        for _ in range(150):
            store.put(record(finished()), [COMPLETED])
            store.put(record(snapshot()))
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    views = []
    while not done.is_set():
        views.append(page(store.view()))
    writer.join()
    assert views
    for lines in [*views, page(store.view())]:
        ended = 'status="COMPLETED"} 1.0' in lines["braket_job_status"]
        assert ('status="COMPLETED"} 1.0' in lines["braket_jobs"]) == ended
    assert 'outcome="COMPLETED"} 150.0' in page(store.view())[OUTCOMES]


# Sealing.

MANY = 2 * BLOCK_JOBS


def filled(count: int, **members: Any) -> Store:
    """Return a store with so many finished jobs, of which those with higher numbers ended later."""
    return store_with(
        *(record(finished(arn=arn(number), ended=CREATED + 500.0 + number, **members)) for number in range(count))
    )


def is_sealed(view: View) -> dict[str, int]:
    return {"open": len(view.job_rows), "chunks": len(view.sealed[0].segments)}


def test_finished_jobs_are_sealed_a_chunk_at_a_time_and_the_earliest_stay_open() -> None:
    assert is_sealed(filled(MANY - 1).view()) == {"open": MANY - 1, "chunks": 0}
    store = filled(MANY)
    assert is_sealed(store.view()) == {"open": BLOCK_JOBS, "chunks": 1}
    left = b"".join(row[0] for row in store.view().job_rows).decode()
    assert all(f'"{arn(number)}"' in left for number in range(BLOCK_JOBS))


def test_active_jobs_are_never_sealed() -> None:
    store = store_with(*(record(snapshot(arn=arn(number))) for number in range(MANY + 1)))
    assert is_sealed(store.view()) == {"open": MANY + 1, "chunks": 0}


def test_sealing_changes_no_line() -> None:
    store = filled(MANY)
    lines = page(store.view())
    for family, text in page(View(job_families(), *_rendered(store), store.view().aggregates)).items():
        assert sorted(lines[family].splitlines()) == sorted(text.splitlines()), family


def _rendered(store: Store) -> tuple[list[Row], list[SegmentChain]]:
    families = job_families()
    return [render(families, known) for known in [*store.scan()]], [SegmentChain()] * len(families)


def test_a_sealed_job_that_changes_melts_its_chunk_and_shows_the_change() -> None:
    store = filled(MANY)
    last = arn(MANY - 1)
    store.put(record(finished(arn=last, ended=CREATED + 501.0, billable_seconds=7.0)))
    assert is_sealed(store.view()) == {"open": BLOCK_JOBS, "chunks": 1}
    billed = page(store.view())["braket_job_billable_duration_seconds"]
    assert re.findall(rf'job_arn="{re.escape(last)}".*', billed) == [f'job_arn="{last}",job_name="vqe-h2"}} 7.0']


def test_a_sealed_job_that_is_forgotten_leaves_and_the_others_stay() -> None:
    store = filled(MANY)
    store.forget({arn(MANY - 1): {}})
    text = page(store.view())["braket_job_info"]
    assert arn(MANY - 1) not in text
    assert len(text.splitlines()) == MANY - 1
    assert is_sealed(store.view()) == {"open": MANY - 1, "chunks": 0}


def test_a_store_without_job_families_seals_nothing_that_could_be_seen() -> None:
    store = Store(())
    for number in range(MANY):
        store.put(record(finished(arn=arn(number))))
    store.forget({arn(3): {}})
    assert list(page(store.view())) == [family.name for family in AGGREGATE_FAMILIES]


@pytest.mark.parametrize("families", [job_families(), ()])
def test_a_change_while_its_block_is_compressed_is_kept(
    monkeypatch: pytest.MonkeyPatch, families: tuple[JobFamily, ...]
) -> None:
    store, last = Store(families), arn(MANY - 1)

    def sealed_during_a_change(records: list[JobRecord], rows: list[Row]) -> Block:
        monkeypatch.undo()
        writer = threading.Thread(target=store.amend, args=(replace(store.record(last), failing="X"),))
        writer.start()
        writer.join()
        return seal(records, rows)

    monkeypatch.setattr("exporter.storage.sealed_jobs.seal", sealed_during_a_change)
    for number in range(MANY):
        store.put(record(finished(arn=arn(number), ended=CREATED + 500.0 + number)))
    assert store.record(last).failing == "X"
    assert len(store) == MANY


@settings(max_examples=examples(20), suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.integers(0, 2 * MANY), st.sampled_from(["put", "change", "forget"])), max_size=30))
def test_whatever_is_put_changed_and_forgotten_each_job_is_exposed_once_as_it_is(steps: list[tuple[int, str]]) -> None:
    store = filled(MANY + 5)
    for number, step in steps:
        known = store.find(arn(number))
        if step == "forget" and known is not None:
            store.forget({arn(number): {}})
        elif step != "forget":
            store.put(record(finished(arn=arn(number), ended=CREATED + 500.0 + number, billable_seconds=float(number))))
    lines = page(store.view())
    for family, text in page(View(job_families(), *_rendered(store), store.view().aggregates)).items():
        assert sorted(lines[family].splitlines()) == sorted(text.splitlines()), family


def test_readers_and_writers_of_sealed_jobs_never_see_half_a_change() -> None:
    store = filled(MANY)
    seen: list[int] = []
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            seen.append(len(page(store.view())["braket_job_info"].splitlines()))

    reader = threading.Thread(target=look)
    reader.start()
    with ThreadPoolExecutor(4) as writers:
        for number in range(MANY - 40, MANY):
            writers.submit(store.put, record(finished(arn=arn(number), ended=CREATED + number, billable_seconds=1.0)))
    done.set()
    reader.join()
    assert set(seen) == {MANY}
    assert len(page(store.view())["braket_job_info"].splitlines()) == MANY


def test_what_is_known_of_a_sealed_job_can_be_looked_up() -> None:
    store = filled(MANY)
    last = arn(MANY - 1)
    assert store.record(last) == record(finished(arn=last, ended=CREATED + 500.0 + MANY - 1))
    assert store.find(last) == store.record(last)
    assert last in store
    assert arn(MANY) not in store
    assert not store.add(JobRecord(last))
    assert len([*store.scan()]) == MANY
    assert {known.arn for known in [*store.scan()]} == {arn(number) for number in range(MANY)}


def test_every_job_is_open_or_in_a_pile_that_tells_of_it_at_a_glance() -> None:
    store = filled(MANY)
    records, summaries = store.summaries()
    assert len(summaries) > 0
    assert len(records) + sum(summary.total for summary in summaries) == MANY
    assert {known.arn for known in records}.isdisjoint(
        known.arn for summary in summaries for known in summary.records()
    )
    for summary in summaries:
        assert summary.statuses == status_summaries(summary.records())
        assert summary.statuses["COMPLETED"].jobs == summary.total == len([*summary.records()])


def test_counters_of_a_job_that_was_sealed_go_on_from_where_they_were() -> None:
    store = filled(MANY)
    store.put(record(finished(arn=arn(MANY - 1), status="FAILED")))
    lines = page(store.view())["braket_jobs"]
    assert f'status="COMPLETED"}} {MANY - 1}.0' in lines
    assert 'status="FAILED"} 1.0' in lines


# The limit.


def limited(most: int, *records: JobRecord) -> Store:
    store = Store(job_families(), most=most)
    for known in records:
        store.add(known)
    return store


def shown(store: Store) -> list[str]:
    """List the numbers of the jobs that have lines."""
    return sorted({str(int(found)) for found in re.findall(r"-(\d{12})\"", page(store.view())["braket_job_info"])})


def over(number: int, status: str = "COMPLETED", **members: Any) -> JobRecord:
    return record(finished(status, arn=arn(number), **{"ended": CREATED + 500.0 + number, **members}))


def active(number: int) -> JobRecord:
    return record(snapshot(arn=arn(number), created=CREATED + number))


def test_a_job_beyond_the_limit_has_no_lines_and_is_known_and_counted() -> None:
    store = limited(2, active(1), active(2), active(3))
    assert (shown(store), store.hidden) == (["1", "2"], 1)
    assert store.record(arn(3)) == active(3)
    assert 'status="RUNNING"} 3.0' in page(store.view())["braket_jobs"]


def test_the_lowest_lose_their_lines_to_those_that_came_later() -> None:
    store = limited(2, over(1), active(2), active(3), over(4, "FAILED"))
    beyond, dropped = store.enforce_limit()
    assert [job.arn for job in beyond] == [arn(1), arn(4)]
    assert (shown(store), store.hidden, dropped) == (["2", "3"], 2, 2)


def test_each_job_beyond_the_limit_is_counted_once() -> None:
    store = limited(2, active(1), active(2), active(3))
    assert [store.enforce_limit()[1], store.enforce_limit()[1]] == [1, 0]
    store.put(active(1))
    store.put(over(3))
    beyond, dropped = store.enforce_limit()
    assert ([job.arn for job in beyond], dropped) == ([arn(3)], 1)
    assert shown(store) == ["1", "2"]
    store.put(active(3))
    assert [job.arn for job in store.enforce_limit()[0]] == [arn(1)]
    assert (shown(store), store.enforce_limit()[1]) == (["2", "3"], 0)


def test_a_job_that_came_when_there_was_no_room_and_has_it_now_is_not_counted() -> None:
    store = limited(1, active(1), active(2))
    store.forget({arn(1): {}})
    assert store.enforce_limit() == ([], 0)
    assert (shown(store), store.hidden) == (["2"], 0)


def test_a_hidden_job_shows_what_is_known_of_it_by_then() -> None:
    store = limited(1, active(2), active(1))
    store.enforce_limit()
    store.put(over(1, "FAILED"))
    store.put(over(2))
    assert (store.enforce_limit()[1], shown(store)) == (1, ["1"])
    assert 'status="FAILED"} 1.0' in page(store.view())["braket_job_status"]


def test_a_hidden_job_that_is_forgotten_leaves_nothing_behind() -> None:
    store = limited(1, active(1), active(2))
    store.enforce_limit()
    store.forget({arn(1): {}})
    assert (shown(store), store.hidden, store.find(arn(1))) == (["2"], 0, None)
    assert store.enforce_limit() == ((), 0)
    assert store.add(active(1))
    assert (shown(store), store.enforce_limit()[1]) == (["2"], 1)


def test_what_a_list_told_ranks_a_job_until_it_answers() -> None:
    store = limited(1, active(1))
    store.add(JobRecord(arn(2), configured=False), Rank(Standing.FINISHED, CREATED))
    assert [job.arn for job in store.enforce_limit()[0]] == [arn(2)]
    store.put(record(snapshot(arn=arn(2), created=CREATED + 9.0)))
    assert [job.arn for job in store.enforce_limit()[0]] == [arn(1)]


def test_a_lower_limit_holds_from_the_next_fit_on_and_a_higher_one_brings_lines_back() -> None:
    store = limited(3, active(1), active(2), active(3))
    store.set_limit(1)
    assert store.enforce_limit()[1] == 2
    assert shown(store) == ["3"]
    store.set_limit(2)
    assert (store.enforce_limit()[1], shown(store)) == (0, ["2", "3"])
    store.set_limit(3)
    assert (store.enforce_limit(), shown(store)) == (([], 0), ["1", "2", "3"])


def test_sealed_jobs_lose_their_lines_like_others_and_the_rest_of_their_chunks_keep_them() -> None:
    store = filled(MANY)
    store.set_limit(10)
    beyond, dropped = store.enforce_limit()
    assert dropped == len(beyond) == store.hidden == MANY - 10
    assert shown(store) == sorted(str(number) for number in range(MANY - 10, MANY))
    assert is_sealed(store.view()) == {"open": 10, "chunks": 0}
    store.set_limit(MANY)
    store.enforce_limit()
    assert len(shown(store)) == MANY
    assert page(store.view()).keys() == page(filled(MANY).view()).keys()


def test_a_few_jobs_that_are_too_many_leave_chunks_as_they_are() -> None:
    store = filled(MANY)
    store.set_limit(MANY)
    store.add(active(9999))
    before = store.view().sealed[0].segments
    assert [job.arn for job in store.enforce_limit()[0]] == [arn(0)]
    assert store.view().sealed[0].segments == before
    assert len(shown(store)) == MANY


def test_hidden_jobs_stay_open() -> None:
    store = limited(10, *(over(number) for number in range(MANY + 10)))
    store.enforce_limit()
    assert is_sealed(store.view()) == {"open": 10, "chunks": 0}
    assert store.hidden == MANY


def test_while_all_have_room_nothing_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    store = limited(MANY, *(over(number) for number in range(MANY)))
    monkeypatch.setattr("exporter.storage.series_limit.rank_of", None)
    monkeypatch.setattr("exporter.storage.codec.PackedRecords.__iter__", None)
    assert store.enforce_limit() == ((), 0)


def test_where_nothing_changed_nothing_is_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    store = limited(1, active(1), active(2))
    beyond, _ = store.enforce_limit()
    monkeypatch.setattr("exporter.storage.series_limit.lowest", None)
    store.put(record(snapshot(arn=arn(1), created=CREATED + 1.0, queue_position=3)))
    assert store.enforce_limit() == (beyond, 0)


def test_without_job_families_there_is_nothing_to_limit() -> None:
    store = Store((), most=1)
    store.add(over(1))
    store.add(over(2))
    assert (store.enforce_limit(), store.hidden) == (((), 0), 0)


@settings(max_examples=examples(30), suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(st.integers(0, MANY + 40), st.sampled_from(["end", "fail", "run", "forget", "fit", "limit"])),
        max_size=40,
    )
)
def test_whatever_happens_no_more_have_lines_than_may_and_they_are_the_highest(steps: list[tuple[int, str]]) -> None:
    most = MANY + 5
    store = filled(MANY)
    store.set_limit(most)
    for number, step in steps:
        if step == "limit":
            most = number + 1
            store.set_limit(most)
            store.enforce_limit()
        elif step == "fit":
            store.enforce_limit()
        elif step == "forget" and arn(number) in store:
            store.forget({arn(number): {}})
        elif step in ("end", "fail", "run"):
            store.put({"end": over(number), "fail": over(number, "FAILED"), "run": active(number)}[step])
        assert len(shown(store)) <= most
    store.enforce_limit()
    records = {str(int(known.arn[-12:])): rank_of(known) for known in [*store.scan()]}
    assert set(shown(store)) == set(sorted(records, key=lambda number: (records[number], arn(int(number))))[-most:])
    lines = page(store.view())
    text = b"".join(row[0] for row in _rendered(store)[0] if row[0]).decode()
    assert set(lines["braket_job_info"].splitlines()) <= set(text.splitlines())
    assert store.hidden == len(records) - len(shown(store))


def test_no_view_ever_shows_more_than_may_have_lines_whoever_writes() -> None:
    most = MANY - 20
    store = filled(most)
    store.set_limit(most)
    seen: list[int] = []
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            seen.append(len(page(store.view())["braket_job_info"].splitlines()))

    def fit() -> None:
        while not done.is_set():
            store.enforce_limit()

    def live(number: int) -> None:
        store.add(active(number))
        store.put(over(number))
        store.forget({arn(number - MANY): {}})

    others = [threading.Thread(target=act) for act in (look, fit)]
    for thread in others:
        thread.start()
    with ThreadPoolExecutor(4) as writers:
        lives = [writers.submit(live, number) for number in range(MANY, MANY + 150)]
    done.set()
    for thread in others:
        thread.join()
    assert [each.exception() for each in lives] == [None] * 150
    assert max(seen, default=0) <= most
    store.enforce_limit()
    assert (len(shown(store)), store.hidden) == (most, 0)
    assert 'status="COMPLETED"} 492.0' in page(store.view())["braket_jobs"]


# What is written down.


def written_down() -> tuple[Store, Book]:
    book = Book()
    return Store(job_families(), book), book


SERIES = (OUTCOMES, (ACCOUNT, REGION, SV1, "COMPLETED"))
QUEUED = Increment("braket_job_queue_duration_seconds", (ACCOUNT, REGION, SV1), 40.0)
TOMBSTONE = Tombstone(CREATED, None, "lane")


def test_an_answer_is_written_before_it_is_shown_and_with_all_that_it_adds() -> None:
    store, book = written_down()
    seen: list[dict[str, str]] = []
    book.meanwhile = lambda: seen.append(page(store.view()))
    store.put(record(finished()), [COMPLETED])
    assert [(lines["braket_job_info"], lines[OUTCOMES]) for lines in seen] == [("", "")]
    assert book.entries == [Entry((record(finished()),), totals=Totals({SERIES: 1.0}))]
    assert 'outcome="COMPLETED"} 1.0' in page(store.view())[OUTCOMES]
    store.flush()
    assert len(book.entries) == 1


def test_no_counter_that_was_seen_is_lower_in_the_ledger() -> None:
    store, book = written_down()
    store.put(record(snapshot()), [Increment(*SERIES, None)])
    done = threading.Event()
    seen: list[tuple[float, float]] = []

    def look() -> None:
        while not done.is_set():
            shown = float(page(store.view())[OUTCOMES].rpartition(" ")[2])
            seen.append((shown, book.counters[SERIES]))

    reader = threading.Thread(target=look)
    reader.start()
    with ThreadPoolExecutor(4) as writers:
        for number in range(200):
            writers.submit(store.put, record(finished(arn=arn(number % 4))), [COMPLETED])
    done.set()
    reader.join()
    assert all(shown <= written for shown, written in seen)
    assert book.counters[SERIES] == 200.0
    assert 'outcome="COMPLETED"} 200.0' in page(store.view())[OUTCOMES]


def test_what_can_wait_is_written_with_the_next_answer() -> None:
    store, book = written_down()
    store.add(JobRecord(arn(1)))
    store.amend(JobRecord(arn(2), failing="AccessDeniedException"))
    assert book.entries == []
    store.put(record(snapshot(arn=arn(3))))
    assert book.jobs == {
        arn(1): JobRecord(arn(1)),
        arn(2): JobRecord(arn(2), failing="AccessDeniedException"),
        arn(3): record(snapshot(arn=arn(3))),
    }


def test_what_can_wait_is_written_by_a_flush_as_it_is_then_and_once() -> None:
    store, book = written_down()
    store.add(JobRecord(ARN))
    store.amend(JobRecord(ARN, failing="AccessDeniedException"))
    store.amend(JobRecord(ARN, failing="ValidationException"))
    store.flush()
    assert book.entries == [Entry((JobRecord(ARN, failing="ValidationException"),))]
    store.flush()
    assert len(book.entries) == 1


def test_a_job_that_is_forgotten_leaves_the_ledger_and_what_is_remembered_of_it_goes_there() -> None:
    store, book = written_down()
    store.put(record(finished()), [COMPLETED])
    store.forget({ARN: {mark_of(ARN): TOMBSTONE}})
    assert book.jobs.keys() == {ARN}
    store.flush()
    assert book.entries[1:] == [Entry(gone=(ARN,), tombstones={mark_of(ARN): TOMBSTONE})]
    assert (book.jobs, book.tombstones, book.counters) == ({}, {mark_of(ARN): TOMBSTONE}, {SERIES: 1.0})
    store.drop_tombstones([mark_of(ARN), 5])
    store.flush()
    assert book.entries[2:] == [Entry(tombstones={mark_of(ARN): None, 5: None})]
    assert book.tombstones == {}


def test_what_is_remembered_of_forgotten_jobs_can_change() -> None:
    store, book = written_down()
    store.put(record(finished()))
    store.forget({ARN: {7: TOMBSTONE}})
    store.save_tombstones({7: TOMBSTONE._replace(owner="other"), 8: TOMBSTONE})
    store.flush()
    store.drop_tombstones([8])
    store.flush()
    assert book.tombstones == {7: TOMBSTONE._replace(owner="other")}
    Store(job_families()).save_tombstones({7: TOMBSTONE})


def test_a_job_that_is_forgotten_and_comes_back_is_written() -> None:
    store, book = written_down()
    store.put(record(finished()))
    store.forget({ARN: {7: TOMBSTONE}})
    store.add(record(snapshot()))
    store.drop_tombstones([7])
    store.flush()
    assert (book.jobs, book.tombstones) == ({ARN: record(snapshot())}, {})


def test_a_job_that_had_ended_and_was_never_asked_for_is_not_written_until_it_answered() -> None:
    store, book = written_down()
    store.add(JobRecord(ARN, configured=False, owner="lane"))
    store.flush()
    assert book.entries == []
    assert whole(store) == Entry([])
    store.add(JobRecord(arn(2), configured=False, first_listed_status="RUNNING"))
    store.put(record(finished(), configured=False))
    assert book.jobs.keys() == {ARN, arn(2)}


@pytest.mark.parametrize("hindrance", ["closed", "refuses"])
def test_what_a_ledger_does_not_take_is_shown_and_written_once_it_does(hindrance: str) -> None:
    store, book = written_down()
    store.put(record(finished(arn=arn(9))), [COMPLETED, QUEUED])
    book.open, book.takes = hindrance != "closed", hindrance != "refuses"
    store.put(record(finished()), [COMPLETED, QUEUED])
    store.put(record(snapshot(arn=arn(2))))
    store.forget({arn(9): {9: TOMBSTONE}})
    store.flush()
    assert len(book.entries) == {"closed": 1, "refuses": 4}[hindrance]
    assert 'outcome="COMPLETED"} 2.0' in page(store.view())[OUTCOMES]
    assert book.counters == {SERIES: 1.0}
    book.open = book.takes = True
    store.flush()
    last = book.entries[-1]
    assert {each.arn for each in last.records} == {ARN, arn(2)}
    assert (last.gone, last.tombstones) == ((arn(9),), {9: TOMBSTONE})
    assert last.totals == Totals({SERIES: 2.0}, {QUEUED[:2]: Histogram((0, 0, 2, *[0] * 19), 80.0)})
    store.flush()
    assert book.entries[-1] is last


def test_what_changes_while_a_ledger_fails_is_not_overwritten_by_what_it_did_not_take() -> None:
    store, book = written_down()
    store.add(JobRecord(ARN))
    store.forget({ARN: {7: TOMBSTONE}})
    book.takes = False

    def change() -> None:
        store.drop_tombstones([7])
        store.add(JobRecord(ARN, failing="AccessDeniedException"))

    book.meanwhile = change
    store.flush()
    book.takes, book.meanwhile = True, lambda: None
    store.flush()
    assert book.entries[-1] == Entry((JobRecord(ARN, failing="AccessDeniedException"),), tombstones={7: None})


def test_a_ledger_may_ask_for_everything_while_it_writes_and_hears_what_is_shown() -> None:
    store, book = written_down()
    logged: list[Entry] = []
    store.put(record(snapshot()), [Increment(*SERIES, None)])
    book.meanwhile = lambda: logged.append(whole(store))
    store.put(record(finished()), [COMPLETED])
    assert logged == [Entry([record(snapshot())], totals=Totals({SERIES: 0.0}))]
    assert whole(store) == Entry([record(finished())], totals=Totals({SERIES: 1.0}))


def test_the_whole_state_is_read_one_block_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(job_families())
    for number in range(4 * BLOCK_JOBS):
        store.add(record(finished(arn=arn(number), ended=CREATED + 500.0 + number)))
    unpacked: list[Block] = []
    records_of = Block.records

    def counted(block: Block) -> list[JobRecord]:
        unpacked.append(block)
        return records_of(block)

    monkeypatch.setattr(Block, "records", counted)
    records = iter(store.everything().records)
    next(records)
    assert len(unpacked) == 1
    assert len([*records]) == 4 * BLOCK_JOBS - 1
    assert len(unpacked) == 3


def test_jobs_of_many_blocks_are_sealed_again_once_others_of_their_blocks_are_forgotten() -> None:
    store = Store(job_families())
    for number in range(8 * BLOCK_JOBS):
        store.add(record(finished(arn=arn(number), ended=CREATED + 500.0 + number)))
    store.forget({arn(number): {} for number in range(0, 8 * BLOCK_JOBS, 64)})
    left = [number for number in range(8 * BLOCK_JOBS) if number % 64]
    assert len(store.view().job_rows) < 2 * BLOCK_JOBS
    expected = Store(job_families())
    for number in left:
        expected.add(record(finished(arn=arn(number), ended=CREATED + 500.0 + number)))
    shown, wanted = page(store.view()), page(expected.view())
    assert {name: sorted(text.splitlines()) for name, text in shown.items()} == {
        name: sorted(text.splitlines()) for name, text in wanted.items()
    }


def test_sealed_jobs_are_written_when_they_change_or_go_and_belong_to_everything() -> None:
    store, book = written_down()
    for number in range(MANY):
        store.put(record(finished(arn=arn(number), ended=CREATED + 500.0 + number)))
    changed = replace(store.record(arn(MANY - 1)), failing="X")
    store.amend(changed)
    store.forget({arn(MANY - 2): {}})
    store.flush()
    assert book.entries[-1] == Entry((changed,), (arn(MANY - 2),))
    assert {each.arn: each for each in store.everything().records} == book.jobs
    assert len(book.jobs) == MANY - 1


def test_changes_of_an_outage_are_written_in_batches_and_counted_jobs_with_their_counters() -> None:
    store, book = written_down()
    book.open = False
    for number in range(3 * BATCH_JOBS):
        store.add(record(snapshot(arn=arn(number))))
    for number in range(BATCH_JOBS + 9):
        store.put(record(finished(arn=arn(number), ended=CREATED + number)), [COMPLETED])
    store.forget({arn(number): {mark_of(arn(number)): TOMBSTONE} for number in range(5)})
    book.open = True
    store.flush()
    counted, *others = book.entries
    assert len([*counted.records]) == BATCH_JOBS + 4 + BATCH_JOBS
    assert (len(counted.gone), len(counted.tombstones)) == (5, 5)
    assert counted.totals == Totals({SERIES: BATCH_JOBS + 9.0})
    assert [len([*entry.records]) for entry in others] == [BATCH_JOBS - 9]
    assert {each.arn: each for each in store.everything().records} == book.jobs


def test_a_failed_write_of_a_batch_loses_nothing() -> None:
    store, book = written_down()
    book.open = False
    for number in range(2 * BATCH_JOBS):
        store.add(record(snapshot(arn=arn(number))))
    book.open, book.takes = True, False
    store.flush()
    assert [len([*entry.records]) for entry in book.entries] == [BATCH_JOBS]
    book.takes = True
    store.flush()
    assert [len([*entry.records]) for entry in book.entries] == [BATCH_JOBS] * 3
    assert len(book.jobs) == 2 * BATCH_JOBS


def test_the_floor_is_written_with_the_dropped_tombstones() -> None:
    store, book = written_down()
    book.open = False
    store.drop_tombstones(range(BATCH_JOBS + 1), CREATED)
    for number in range(BATCH_JOBS):
        store.add(JobRecord(arn(number), configured=False))  # it ended before its first poll, so it is not saved
    book.open = True
    store.flush()
    assert [(len(entry.tombstones), entry.floor) for entry in book.entries] == [(BATCH_JOBS, CREATED), (1, CREATED)]


def test_a_stopped_exporter_enforces_no_further_batch_and_the_next_call_does() -> None:
    store = limited(10, *(over(number) for number in range(4 * MANY)))
    store.set_limit(1)
    beyond, dropped = store.enforce_limit(stopped=lambda: True)
    assert (len(beyond), dropped < len(beyond)) == (4 * MANY - 1, True)
    beyond, rest = store.enforce_limit()
    assert (len(beyond), len(shown(store))) == (4 * MANY - 1, 1)
    assert dropped + rest == 9 + 4 * MANY - 10


def test_without_a_ledger_nothing_is_kept_for_one() -> None:
    store = Store(job_families())
    store.put(record(finished()), [COMPLETED])
    store.amend(record(snapshot(arn=arn(2))))
    store.forget({ARN: {7: TOMBSTONE}})
    store.drop_tombstones([7])
    store.flush()
    assert store._write_behind.dirty == DirtySet()


# After a restart.


def test_what_was_known_before_a_restart_is_shown_and_not_written_again() -> None:
    store, book = written_down()
    queue = Histogram((0, 0, 2, *[0] * 19), 80.0)
    known = [record(finished(arn=arn(number), ended=CREATED + 500.0 + number)) for number in range(MANY)]
    Past(CREATED, [*known, JobRecord(ARN)], {}, {}, Totals({SERIES: 7.0}, {QUEUED[:2]: queue})).give(store)
    assert {each.arn for each in [*store.scan()]} == {ARN, *(each.arn for each in known)}
    assert is_sealed(store.view()) == {"open": 1, "chunks": 2}
    lines = page(store.view())
    assert 'outcome="COMPLETED"} 7.0' in lines[OUTCOMES]
    assert f'status="COMPLETED"}} {MANY}.0' in lines["braket_jobs"]
    store.flush()
    assert book.entries == []
    store.put(record(finished()), [COMPLETED, QUEUED])
    expected = Totals({SERIES: 8.0}, {QUEUED[:2]: Histogram((0, 0, 3, *[0] * 19), 120.0)})
    assert book.entries == [Entry((record(finished()),), totals=expected)]


def finished_records(count: int) -> list[JobRecord]:
    return [record(finished(arn=arn(number), ended=CREATED + 500.0 + number)) for number in range(count)]


def counted_renders(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note each job whose lines are rendered."""
    rendered: list[str] = []
    render = RenderedLines.render

    def noted(lines: RenderedLines, one: JobRecord) -> Row:
        rendered.append(one.arn)
        return render(lines, one)

    monkeypatch.setattr(RenderedLines, "render", noted)
    return rendered


def test_restored_jobs_have_the_same_lines_as_jobs_that_were_polled() -> None:
    store, records = Store(job_families()), finished_records(MANY + 5)
    Past(CREATED, records).give(store)
    assert is_sealed(store.view()) == {"open": 5, "chunks": 2}
    assert {name: sorted(text.splitlines()) for name, text in page(store.view()).items()} == {
        name: sorted(text.splitlines()) for name, text in page(store_with(*records).view()).items()
    }


def test_the_lines_of_restored_jobs_are_rendered_once_and_not_before_they_are_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rendered = counted_renders(monkeypatch)
    store = Store(job_families())
    Past(CREATED, finished_records(MANY)).give(store)
    assert rendered == []
    assert not store.restoration.wait_for_lines(0.0)
    store.restoration.render()
    assert store.restoration.wait_for_lines(0.0)
    assert sorted(rendered) == sorted(arn(number) for number in range(MANY))
    chains = store._lines.chains
    assert chains is not None
    assert store.view().sealed is chains
    assert len(rendered) == MANY


def test_the_rendering_of_restored_jobs_ends_with_a_stop_between_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    rendered = counted_renders(monkeypatch)
    store, stops = Store(job_families()), iter((False, True))
    Past(CREATED, finished_records(MANY)).give(store)
    store.restoration.render(lambda: next(stops))
    assert len(rendered) == BLOCK_JOBS
    assert not store.restoration.wait_for_lines(60.0)
    assert is_sealed(store.view()) == {"open": 0, "chunks": 2}
    assert len(rendered) == MANY


def test_a_block_that_is_unsealed_meanwhile_is_not_rendered(monkeypatch: pytest.MonkeyPatch) -> None:
    rendered = counted_renders(monkeypatch)
    store, records = Store(job_families()), finished_records(MANY)
    Past(CREATED, records).give(store)
    calls = iter((lambda: None, lambda: store.open([records[-1].arn])))
    store.restoration.render(lambda: bool(next(calls)()))
    assert sorted(rendered) == sorted(one.arn for one in records)


def test_an_active_job_among_restored_ones_keeps_its_batch_open() -> None:
    store = Store(job_families())
    running = record(snapshot(arn=arn(BLOCK_JOBS)))
    Past(CREATED, [*finished_records(BLOCK_JOBS - 1), running]).give(store)
    assert is_sealed(store.view()) == {"open": BLOCK_JOBS, "chunks": 0}
    assert store.restoration.wait_for_lines(0.0)
    store.put(replace(running, snapshot=finished(arn=arn(BLOCK_JOBS))))
    assert f'status="COMPLETED"}} {BLOCK_JOBS}.0' in page(store.view())["braket_jobs"]


def test_jobs_change_and_are_forgotten_while_restored_ones_are_rendered() -> None:
    records, expected = finished_records(6 * BLOCK_JOBS), Store(job_families())
    store = Store(job_families())
    Past(CREATED, records).give(store)
    with ThreadPoolExecutor(1) as executor:
        rendering = executor.submit(store.restoration.render)
        for number in range(0, len(records), 100):
            store.amend(replace(records[number], failing="AccessDeniedException"))
            store.forget({records[number + 1].arn: {}})
        rendering.result(60.0)
    for number, one in enumerate(records):
        if number % 100 != 1:
            expected.put(replace(one, failing=None if number % 100 else "AccessDeniedException"))
    assert store.restoration.wait_for_lines(0.0)
    assert {name: sorted(text.splitlines()) for name, text in page(store.view()).items()} == {
        name: sorted(text.splitlines()) for name, text in page(expected.view()).items()
    }


def test_restored_jobs_of_a_block_change_and_are_forgotten_before_their_lines_are_rendered() -> None:
    store, records = Store(job_families()), finished_records(MANY)
    Past(CREATED, records).give(store)
    store.amend(replace(records[3], failing="AccessDeniedException"))
    store.forget({records[4].arn: {}})
    expected = store_with(*(one for one in records if one.arn != records[4].arn))
    expected.amend(replace(records[3], failing="AccessDeniedException"))
    assert {name: sorted(text.splitlines()) for name, text in page(store.view()).items()} == {
        name: sorted(text.splitlines()) for name, text in page(expected.view()).items()
    }


@pytest.mark.parametrize(
    ("most", "hidden", "earliest_shown"),
    [(MANY, 0, 0), (MANY - 1, 1, 1), (BLOCK_JOBS + 1, BLOCK_JOBS - 1, BLOCK_JOBS - 1), (1, MANY - 1, MANY - 1)],
)
def test_restored_jobs_beyond_the_limit_have_no_lines(most: int, hidden: int, earliest_shown: int) -> None:
    store = Store(job_families(), most=most)
    Past(CREATED, finished_records(MANY)).give(store)
    assert store.hidden == hidden
    store.enforce_limit()
    shown = page(store.view())["braket_job_info"]
    assert shown.count("\n") == most
    assert f'"{arn(earliest_shown)}"' in shown
    assert f'"{arn(MANY - 1)}"' in shown


# Whatever happens.

NUMBERS = st.integers(0, 5)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), NUMBERS, st.sampled_from(["RUNNING", "COMPLETED", "FAILED"])),
        st.tuples(st.just("amend"), NUMBERS, st.sampled_from(["AccessDeniedException", "X"])),
        st.tuples(st.just("add"), NUMBERS, st.sampled_from(["named", "found", "ended", "known"])),
        st.tuples(st.just("forget"), NUMBERS, st.sampled_from(["remembered", "not"])),
        st.tuples(st.just("unremember"), NUMBERS, st.just("")),
        st.tuples(st.just("flush"), NUMBERS, st.just("")),
        st.tuples(st.just("ledger"), NUMBERS, st.sampled_from(["takes", "refuses", "closed"])),
    ),
    max_size=40,
)


@dataclass
class World:
    """A store, its ledger, and what is remembered of forgotten jobs."""

    store: Store
    book: Book
    tombstones: dict[int, Tombstone] = field(default_factory=dict)

    def act(self, act: str, number: int, how: str) -> None:
        name = arn(number)
        known = self.store.find(name)
        if act == "put":
            after = record(snapshot(arn=name) if how == "RUNNING" else finished(how, arn=name))
            outcome = Increment(OUTCOMES, (ACCOUNT, REGION, SV1, how), None if how == "RUNNING" else 1.0)
            self.store.put(after, [outcome, QUEUED._replace(amount=10.0 * number)])
        elif act == "amend" and known is not None:
            self.store.amend(replace(known, failing=how))
        elif act == "add":
            begun = JobRecord(
                name, first_listed_status="RUNNING" if how == "found" else None, configured=how == "named"
            )
            self.store.add(record(snapshot(arn=name)) if how == "known" else begun)
        elif act == "forget" and known is not None:
            tombstone = {number: TOMBSTONE} if how == "remembered" else {}
            self.store.forget({name: tombstone})
            self.tombstones |= tombstone
        elif act == "unremember":
            self.store.drop_tombstones([number])
            self.tombstones.pop(number, None)
        elif act == "flush":
            self.store.flush()
        elif act == "ledger":
            self.book.open, self.book.takes = how != "closed", how == "takes"
        if act in ("put", "flush") and self.book.open and self.book.takes:
            self.check()

    def check(self) -> None:
        everything = self.store.everything()
        assert self.book.jobs == {each.arn: each for each in everything.records}
        assert self.book.totals == everything.totals
        assert self.book.tombstones == self.tombstones


@settings(max_examples=examples(300))
@given(STEPS)
def test_whatever_happens_and_whenever_the_ledger_fails_it_has_all_in_the_end(
    steps: list[tuple[str, int, str]],
) -> None:
    world = World(*written_down())
    for step in [*steps, ("ledger", 0, "takes"), ("flush", 0, "")]:
        world.act(*step)
    world.check()
    entries = len(world.book.entries)
    world.store.flush()
    assert len(world.book.entries) == entries


# Locks.


class RankedLock:
    """A lock that a thread takes only while it holds none of the same or a later rank."""

    held = threading.local()

    def __init__(self, rank: int) -> None:
        self.rank, self.lock = rank, threading.Lock()

    def acquire(self, *, blocking: bool = True) -> bool:
        ranks: list[int] = vars(self.held).setdefault("ranks", [])
        assert not ranks or ranks[-1] < self.rank
        if not self.lock.acquire(blocking=blocking):
            return False
        ranks.append(self.rank)
        return True

    def release(self) -> None:
        assert self.held.ranks.pop() == self.rank
        self.lock.release()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


def test_locks_are_taken_in_their_order_and_the_last_one_is_not_held_while_a_ledger_writes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for rank, module in enumerate(("write_behind", "sealed_jobs", "store")):
        monkeypatch.setattr(f"exporter.storage.{module}.Lock", lambda rank=rank: RankedLock(rank))
    book = Book()
    store = Store(job_families(), book, MANY)
    held: list[list[int]] = []
    book.meanwhile = lambda: held.append([*RankedLock.held.ranks])
    for number in range(MANY + 5):
        store.put(record(finished(arn=arn(number), ended=CREATED + number)))
    store.enforce_limit()
    store.amend(replace(store.record(arn(MANY)), failing="X"))
    store.forget({arn(MANY - 1): {7: TOMBSTONE}})
    store.drop_tombstones([7], CREATED)
    store.add(record(snapshot()))
    store.set_limit(3)
    store.enforce_limit()
    store.flush()
    store.view()
    assert [*store.everything().records]
    assert {*map(tuple, held)} == {(0,)}
    assert RankedLock.held.ranks == []
