"""The URL of a queue: which are valid, and what it says about the queue."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.core import parse_queue_url
from exporter.core.queue_url import QueueAddress

QUEUE = "/123456789012/braket-events"


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("sqs.us-west-2.amazonaws.com", "us-west-2"),
        ("sqs-fips.us-east-1.amazonaws.com", "us-east-1"),
        ("us-west-1.queue.amazonaws.com", "us-west-1"),
        ("queue.amazonaws.com", "us-east-1"),
        ("vpce-0a1b2c-3d4e.sqs.eu-west-2.vpce.amazonaws.com", "eu-west-2"),
        ("vpce-0a1b2c-3d4e-eu-west-2a.sqs.eu-west-2.vpce.amazonaws.com", "eu-west-2"),
        ("sqs.eu-north-1.api.aws", "eu-north-1"),
        ("sqs.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("sqs.cn-north-1.api.amazonwebservices.com.cn", "cn-north-1"),
        ("sqs.example.com", ""),
    ],
)
def test_the_region_of_a_queue_is_part_of_its_host(host: str, region: str) -> None:
    assert parse_queue_url(f"https://{host}{QUEUE}") == QueueAddress("123456789012", "braket-events", region)


@pytest.mark.parametrize("origin", ["http://127.0.0.1:4566", "http://[::1]:9324", "http://sqs.local", "https://sqs"])
def test_a_server_outside_aws_may_use_http_and_a_port(origin: str) -> None:
    assert parse_queue_url(f"{origin}{QUEUE}").label == "123456789012/braket-events"


def test_the_name_of_a_fifo_queue_ends_in_fifo() -> None:
    assert parse_queue_url("https://sqs.us-west-2.amazonaws.com/123456789012/events.fifo").name == "events.fifo"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "braket-events",
        "arn:aws:sqs:us-west-2:123456789012:braket-events",
        "ftp://sqs.us-west-2.amazonaws.com/123456789012/braket-events",
        "https:///123456789012/braket-events",
        "https://sqs.us-west-2.amazonaws.com",
        "https://sqs.us-west-2.amazonaws.com/braket-events",
        "https://sqs.us-west-2.amazonaws.com/12345678901/braket-events",
        "https://sqs.us-west-2.amazonaws.com/123456789012/",
        "https://sqs.us-west-2.amazonaws.com/123456789012/braket-events/",
        "https://sqs.us-west-2.amazonaws.com/123456789012/braket events",
        "https://sqs.us-west-2.amazonaws.com/123456789012/braket.events",
        "https://sqs.us-west-2.amazonaws.com/123456789012/" + "a" * 81,
        "https://sqs.us-west-2.amazonaws.com/123456789012/" + "a" * 76 + ".fifo",
        "https://sqs.us-west-2.amazonaws.com/123456789012/events?a=b",
        "https://sqs.us-west-2.amazonaws.com/123456789012/events?",
        "https://sqs.us-west-2.amazonaws.com/123456789012/events#a",
        "https://sqs.us-west-2.amazonaws.com:port/123456789012/events",
        "https://[sqs/123456789012/events",
        "\nhttps://sqs.us-west-2.amazonaws.com/123456789012/events",
    ],
)
def test_what_is_not_the_url_of_a_queue_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(ValueError, match="not the URL of an SQS queue; expected https://sqs"):
        parse_queue_url(url)


def test_http_to_aws_is_refused() -> None:
    with pytest.raises(ValueError, match="http is valid only for a server outside AWS; use https"):
        parse_queue_url(f"http://sqs.us-west-2.amazonaws.com{QUEUE}")


@example("https://exporter:hunter2@sqs.us-west-2.amazonaws.com/123456789012/events")
@given(st.text())
def test_no_error_has_a_part_of_the_text_which_may_be_a_password(url: str) -> None:
    assert refusal(url) in {
        "",
        "not the URL of an SQS queue; expected https://sqs.<region>.amazonaws.com/<account>/<queue name>",
        (
            "the URL of a queue cannot contain a user, a password or @; "
            "expected https://sqs.<region>.amazonaws.com/<account>/<queue name>"
        ),
        "http is valid only for a server outside AWS; use https",
    }


def refusal(url: str) -> str:
    try:
        parse_queue_url(url)
    except ValueError as error:
        return str(error)
    return ""
