"""What is known of finished jobs, packed and unpacked."""

from dataclasses import fields, replace

from builders import CREATED, arn, event, finished, record
from hypothesis import given
from hypothesis import strategies as st
from strategies import RECORDS

from exporter.core import JobRecord
from exporter.storage.codec import pack


def of_one_job(known: JobRecord) -> JobRecord:
    """Give the response the ARN of the record, as every response has."""
    return replace(known, snapshot=known.snapshot and replace(known.snapshot, arn=known.arn))


@given(st.lists(RECORDS.map(of_one_job), max_size=4))
def test_what_is_packed_comes_back_as_it_was(records: list[JobRecord]) -> None:
    packed = pack(records)
    assert [*packed] == records
    assert [packed[index] for index in range(len(packed))] == records


def test_keys_of_events_come_back_with_their_names() -> None:
    (back,) = pack([record(finished(events=(event("RUNNING", CREATED),)))])
    assert [(key.type, key.time) for key in back.events] == [("RUNNING", CREATED)]


def test_a_packed_job_takes_a_fraction_of_the_memory() -> None:
    records = [record(finished(arn=arn(number), ended=CREATED + number)) for number in range(256)]
    packed = pack(records)
    assert (len(packed.data) + len(packed.dictionary)) / len(records) < 96


def test_one_record_is_read_without_the_others() -> None:
    packed = pack([record(finished(arn=arn(number), ended=CREATED + number)) for number in range(256)])
    start, end = packed.bounds[100:102]
    alone = replace(packed, data=bytes(start) + packed.data[start:end])
    assert alone[100] == record(finished(arn=arn(100), ended=CREATED + 100))


def test_decoded_records_share_the_string_of_their_arn() -> None:
    packed = pack([record(finished(arn=arn(1)))])
    (one,), again = packed, packed[0]
    assert one.snapshot is not None
    assert one.arn is again.arn is one.snapshot.arn is packed.arns[0]


def test_every_field_goes_along() -> None:
    # A field that is added later must be one that marshal takes; hypothesis fills those of today.
    assert {field.name for field in fields(JobRecord)} == {
        *("arn", "snapshot", "events", "counted", "polled_at", "failing", "unknown", "first_listed_status"),
        *("configured", "baseline_at", "owner"),
    }
