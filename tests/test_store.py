"""What a scrape sees of what is known."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from builders import ACCOUNT, ARN, CREATED, REGION, SV1, arn, finished, record, snapshot
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.compressed import Chain
from exporter.exposition import JobRow, render_job
from exporter.families import FLEET_FAMILIES, JOBS, job_families
from exporter.model import Increment, JobRecord
from exporter.store import CHUNK_JOBS, Store, View

OUTCOMES = "braket_job_outcomes_total"
COMPLETED = Increment(OUTCOMES, (ACCOUNT, REGION, SV1, "COMPLETED"), 1.0)


def page(view: View) -> dict[str, str]:
    return {family.name: b"".join(lines).decode() for family, lines in view.families()}


def store_with(*records: JobRecord) -> Store:
    store = Store(job_families())
    for known in records:
        store.put(known)
    return store


def test_a_record_comes_back_as_it_was_put() -> None:
    known = record(snapshot())
    store = store_with(known)
    assert store.record(ARN) == known
    assert store.records() == [known]


def test_a_later_record_takes_the_place_of_an_earlier_one() -> None:
    store = store_with(JobRecord(ARN), record(snapshot()), record(finished()))
    assert store.records() == [record(finished())]
    assert 'status="COMPLETED"} 1.0' in page(store.view())["braket_job_status"]
    assert 'status="RUNNING"} 0.0' in page(store.view())["braket_job_status"]


def test_a_job_that_is_not_watched_is_no_record() -> None:
    with pytest.raises(KeyError):
        Store(job_families()).record(ARN)
    with pytest.raises(KeyError):
        Store(job_families()).forget(ARN)


def test_a_job_that_may_not_be_watched_can_be_looked_for() -> None:
    store = store_with(record(snapshot()))
    assert store.find(ARN) == record(snapshot())
    assert store.find(arn(2)) is None
    store.forget(ARN)
    assert store.find(ARN) is None


def test_a_job_that_is_not_watched_yet_is_taken_in_by_the_first_who_adds_it() -> None:
    store = Store(job_families())
    assert store.add(JobRecord(ARN, named=False))
    assert not store.add(JobRecord(ARN, named=True))
    assert store.records() == [JobRecord(ARN, named=False)]


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
    store.forget(ARN)
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
    ]
    assert lines["braket_job_instance_count"] == (
        f'braket_job_instance_count{{job_arn="{arn(1)}",job_name="one"}} 1.0\n'
        f'braket_job_instance_count{{job_arn="{arn(2)}",job_name="two"}} 1.0\n'
    )


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
    store.forget(ARN)
    lines = page(store.view())
    assert store.records() == []
    assert not any(ARN in text for text in lines.values())
    assert 'outcome="COMPLETED"} 1.0' in lines[OUTCOMES]
    assert 'status="COMPLETED"} 0.0' in lines[JOBS.name]


def test_a_job_that_never_answered_can_be_forgotten() -> None:
    store = store_with(JobRecord(ARN))
    store.forget(ARN)
    assert store.records() == []


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
    store.forget(ARN)
    assert page(view) == before


def test_the_list_of_records_is_a_copy() -> None:
    store = store_with(record(snapshot()))
    records = store.records()
    store.forget(ARN)
    records.clear()
    assert store.records() == []


def test_a_label_that_is_too_many_is_a_bug_and_changes_nothing() -> None:
    family = job_families()[0]
    broken = type(family)(family.name, "", "gauge", ("one",), samples=lambda _: [(("1", "2"), 1.0)])
    store = Store([broken])
    with pytest.raises(ValueError, match="zip"):
        store.put(record(snapshot()), [COMPLETED])
    assert store.records() == []
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

MANY = 2 * CHUNK_JOBS


def filled(count: int, **members: Any) -> Store:
    """Return a store with so many finished jobs, of which those with higher numbers ended later."""
    return store_with(
        *(record(finished(arn=arn(number), ended=CREATED + 500.0 + number, **members)) for number in range(count))
    )


def is_sealed(view: View) -> dict[str, int]:
    return {"open": len(view.job_rows), "chunks": len(view.sealed[0].pieces)}


def test_finished_jobs_are_sealed_a_chunk_at_a_time_and_the_earliest_stay_open() -> None:
    assert is_sealed(filled(MANY - 1).view()) == {"open": MANY - 1, "chunks": 0}
    store = filled(MANY)
    assert is_sealed(store.view()) == {"open": CHUNK_JOBS, "chunks": 1}
    left = b"".join(row[0] for row in store.view().job_rows).decode()
    assert all(f'"{arn(number)}"' in left for number in range(CHUNK_JOBS))


def test_active_jobs_are_never_sealed() -> None:
    store = store_with(*(record(snapshot(arn=arn(number))) for number in range(MANY + 1)))
    assert is_sealed(store.view()) == {"open": MANY + 1, "chunks": 0}


def test_sealing_changes_no_line() -> None:
    store = filled(MANY)
    lines = page(store.view())
    for family, text in page(View(job_families(), *_rendered(store), store.view().fleet)).items():
        assert sorted(lines[family].splitlines()) == sorted(text.splitlines()), family


def _rendered(store: Store) -> tuple[list[JobRow], list[Chain]]:
    families = job_families()
    return [render_job(families, known) for known in store.records()], [Chain()] * len(families)


def test_a_sealed_job_that_changes_melts_its_chunk_and_shows_the_change() -> None:
    store = filled(MANY)
    last = arn(MANY - 1)
    store.put(record(finished(arn=last, ended=CREATED + 501.0, billable_seconds=7.0)))
    assert is_sealed(store.view()) == {"open": CHUNK_JOBS, "chunks": 1}
    billed = page(store.view())["braket_job_billable_duration_seconds"]
    assert re.findall(rf'job_arn="{re.escape(last)}".*', billed) == [f'job_arn="{last}",job_name="vqe-h2"}} 7.0']


def test_a_sealed_job_that_is_forgotten_leaves_and_the_others_stay() -> None:
    store = filled(MANY)
    store.forget(arn(MANY - 1))
    text = page(store.view())["braket_job_info"]
    assert arn(MANY - 1) not in text
    assert len(text.splitlines()) == MANY - 1
    assert is_sealed(store.view()) == {"open": MANY - 1, "chunks": 0}


def test_a_store_without_job_families_seals_nothing_that_could_be_seen() -> None:
    store = Store(())
    for number in range(MANY):
        store.put(record(finished(arn=arn(number))))
    store.forget(arn(3))
    assert list(page(store.view())) == [family.name for family in FLEET_FAMILIES]


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.integers(0, 2 * MANY), st.sampled_from(["put", "change", "forget"])), max_size=30))
def test_whatever_is_put_changed_and_forgotten_each_job_is_exposed_once_as_it_is(steps: list[tuple[int, str]]) -> None:
    store = filled(MANY + 5)
    for number, step in steps:
        known = store.find(arn(number))
        if step == "forget" and known is not None:
            store.forget(arn(number))
        elif step != "forget":
            store.put(record(finished(arn=arn(number), ended=CREATED + 500.0 + number, billable_seconds=float(number))))
    lines = page(store.view())
    for family, text in page(View(job_families(), *_rendered(store), store.view().fleet)).items():
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
    assert len(store.records()) == MANY
    assert {known.arn for known in store.records()} == {arn(number) for number in range(MANY)}


def test_counters_of_a_job_that_was_sealed_go_on_from_where_they_were() -> None:
    store = filled(MANY)
    store.put(record(finished(arn=arn(MANY - 1), status="FAILED")))
    lines = page(store.view())["braket_jobs"]
    assert f'status="COMPLETED"}} {MANY - 1}.0' in lines
    assert 'status="FAILED"} 1.0' in lines
