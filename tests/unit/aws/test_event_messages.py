"""The body of a message becomes an event, or is malformed; nothing that anyone can send raises."""

import json
from typing import Any

import pytest
from builders import ACCOUNT, ARN, GARNET, REGION, SV1
from hypothesis import example, given
from hypothesis import strategies as st
from strategies import ANY_TEXT, JSON, NOT_OBJECTS

from exporter.aws.event_messages import MAX_BODY, parse_event
from exporter.core import DETAIL_TYPES, BraketEvent

JOB_EVENT: dict[str, Any] = {
    "version": "0",
    "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
    "detail-type": "Braket Job State Change",
    "source": "aws.braket",
    "account": ACCOUNT,
    "time": "2023-11-14T22:15:22Z",
    "region": REGION,
    "resources": [ARN],
    "detail": {"jobArn": ARN, "status": "COMPLETED", "startedAt": "2023-11-14T22:14:02.800Z"},
}
DEVICE_EVENT: dict[str, Any] = {
    **JOB_EVENT,
    "detail-type": "Braket Device Status Change",
    "region": "eu-north-1",
    "resources": [GARNET],
    "detail": {"deviceArn": GARNET, "status": "OFFLINE"},
}
COMPLETED = 1_700_000_122.0


def event(**members: Any) -> BraketEvent | None:
    return parse_event(json.dumps({**JOB_EVENT, **members}))


def job_event(**detail: Any) -> BraketEvent | None:
    return event(detail={**JOB_EVENT["detail"], **detail})


def device_event(**members: Any) -> BraketEvent | None:
    return parse_event(json.dumps({**DEVICE_EVENT, **members}))


def test_the_event_of_a_job_has_its_arn_status_and_time() -> None:
    assert event() == BraketEvent(
        detail_type="Braket Job State Change",
        account=ACCOUNT,
        region=REGION,
        time=COMPLETED,
        job_arn=ARN,
        status="COMPLETED",
    )


@pytest.mark.parametrize("kind", ["Braket Device Status Change", "Braket QPU Status Change"])
@pytest.mark.parametrize(
    "members",
    [{}, {"resources": []}, {"detail": {"status": "OFFLINE"}}, {"detail": {**DEVICE_EVENT["detail"], "x": 1}}],
)
def test_the_event_of_a_device_has_its_arn_in_the_detail_or_in_the_resources(
    kind: str, members: dict[str, Any]
) -> None:
    assert device_event(**{"detail-type": kind}, **members) == BraketEvent(
        detail_type=kind,
        account="",
        region="eu-north-1",
        time=COMPLETED,
        status="OFFLINE",
        device_arn=GARNET,
    )


@pytest.mark.parametrize(
    "members",
    [
        {"detail": {}, "resources": []},
        {"detail": None, "resources": None},
        {"detail": {"deviceArn": 1}},
        {"detail": {"deviceArn": "local:braket/default"}},
        {"detail": {"deviceArn": ARN}},
        {"detail": {"deviceArn": f"{GARNET}\ud800"}},
        {"detail": {"deviceArn": f"{GARNET}{'x' * 256}"}},
        {"detail": {}, "resources": [{"arn": GARNET}]},
    ],
)
def test_an_event_without_its_device_is_malformed(members: dict[str, Any]) -> None:
    found = device_event(**members)
    assert found is not None
    assert (found.detail_type, found.malformed) == ("Braket Device Status Change", True)


def test_an_event_of_a_task_has_no_job() -> None:
    task = f"arn:aws:braket:{REGION}:{ACCOUNT}:quantum-task/1"
    found = event(**{"detail-type": "Braket Task State Change"}, detail={"quantumTaskArn": task, "deviceArn": SV1})
    assert found == BraketEvent("Braket Task State Change", ACCOUNT, REGION, COMPLETED)


@pytest.mark.parametrize(
    "members",
    [
        {"source": "aws.ec2"},
        {"source": "me", "detail": None},
        {"detail-type": "Braket Job Renamed"},
        {"detail-type": ""},
    ],
)
def test_an_event_of_another_source_or_kind_is_another_event(members: dict[str, Any]) -> None:
    assert event(**members) == BraketEvent("other", ACCOUNT, REGION, COMPLETED)


@pytest.mark.parametrize(
    "detail",
    [
        {"jobArn": None},
        {"jobArn": 1},
        {"jobArn": ""},
        {"jobArn": "job"},
        {"jobArn": GARNET},
        {"jobArn": f"{ARN}\n"},
        {"jobArn": f"{ARN}{'x' * 256}"},
        {"jobArn": ["a"]},
    ],
)
def test_the_event_of_a_job_without_its_arn_is_malformed(detail: dict[str, Any]) -> None:
    found = job_event(**detail)
    assert found is not None
    assert (found.detail_type, found.malformed) == ("Braket Job State Change", True)


@pytest.mark.parametrize("detail", NOT_OBJECTS)
def test_the_event_of_a_job_without_a_detail_is_malformed(detail: object) -> None:
    found = event(detail=detail)
    assert found is not None
    assert (found.detail_type, found.malformed) == ("Braket Job State Change", True)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "COMPLETED",
        "{",
        "null",
        "[]",
        "{}",
        json.dumps([JOB_EVENT]),
        json.dumps({"Type": "Notification", "Message": json.dumps(JOB_EVENT)}),
        json.dumps({**JOB_EVENT, "source": None}),
        json.dumps({**JOB_EVENT, "detail-type": 1}),
        "[" * 100_000,
        '{"detail": ' * 20_000,
    ],
)
def test_what_is_not_an_event_is_none(body: str) -> None:
    assert parse_event(body) is None


def test_an_event_of_up_to_256_kilobytes_is_read() -> None:
    padding = MAX_BODY - len(json.dumps({**JOB_EVENT, "padding": ""}))
    assert parse_event(json.dumps({**JOB_EVENT, "padding": "x" * padding})) == event()
    assert parse_event(json.dumps({**JOB_EVENT, "padding": "x" * (padding + 1)})) is None
    wide = json.dumps({**JOB_EVENT, "padding": "\u00e9" * (padding // 2)}, ensure_ascii=False)
    assert parse_event(wide) == event()
    assert parse_event(wide.replace("\u00e9", "\u00e9\u00e9", 1)) is None


@pytest.mark.parametrize(
    "time",
    [
        None,
        "",
        "yesterday",
        1_700_000_122,
        "2023-11-14",
        "2023-11-14T22:15:22",
        "2023-13-14T22:15:22Z",
        "0000-01-01T00:00:00Z",
    ],
)
def test_a_time_that_is_not_one_is_no_time(time: object) -> None:
    found = event(time=time)
    assert found is not None
    assert (found.time, found.job_arn) == (None, ARN)


@pytest.mark.parametrize(
    ("time", "seconds"),
    [
        ("2023-11-14T22:15:22Z", COMPLETED),
        ("2023-11-14T23:15:22.250+01:00", COMPLETED + 0.25),
        ("2023-11-14t22:15:22z", COMPLETED),
    ],
)
def test_a_time_is_read_in_every_form_of_rfc_3339(time: str, seconds: float) -> None:
    found = event(time=time)
    assert found is not None
    assert found.time == seconds


@pytest.mark.parametrize(
    ("status", "read"), [(None, None), ("", None), (1, None), ("NEW", "NEW"), ("x" * 5000, "x" * 100), ("\ud800", "?")]
)
def test_a_status_is_a_text_of_limited_length_or_none(status: object, read: str | None) -> None:
    found = job_event(status=status)
    assert found is not None
    assert found.status == read


@pytest.mark.parametrize("account", [None, 123456789012, "12345678901", "x" * 1000])
def test_an_account_that_is_not_one_is_empty(account: object) -> None:
    found = event(account=account)
    assert found is not None
    assert found.account == ""


@example("\ud800")
@example('{"a": ' + "9" * 5000 + "}")
@given(ANY_TEXT | JSON.map(json.dumps))
def test_no_text_raises(body: str) -> None:
    assert parse_event(body) is None or '"source"' in body


@given(
    members=st.dictionaries(st.sampled_from([*JOB_EVENT]), JSON, max_size=4),
    detail=JSON | st.dictionaries(st.sampled_from(["jobArn", "deviceArn", "status"]), JSON | st.just(ARN)),
    kind=st.sampled_from(DETAIL_TYPES),
)
def test_an_event_with_any_members_is_malformed_or_names_its_job_or_device(
    members: dict[str, Any], detail: object, kind: str
) -> None:
    found = event(**{"detail": detail, "detail-type": kind, **members})
    if found is None or found.malformed:
        return
    assert (found.job_arn is not None) == (found.detail_type == "Braket Job State Change")
    is_of_device = found.detail_type in {"Braket Device Status Change", "Braket QPU Status Change"}
    assert (found.device_arn is not None) == is_of_device
    assert len(found.region) <= 256
    repr(found).encode()
