"""What all credentials share: clients, connections, threads; and what they do not share: signatures."""

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from odd import Odd, odd_endpoint
from processes import eventually, wire_job

import exporter.aws.deadline
import exporter.aws.sdk
import exporter.aws.transport
from exporter.aws.client import BraketClient
from exporter.aws.deadline import CallThreads, Deadline, DeadlineError
from exporter.aws.sdk import Sdk
from exporter.aws.sessions import CredentialsSession
from exporter.core import CredentialsRef, Span, Target

REGION = "us-west-2"
ACCOUNTS = [f"{100000000000 + number}" for number in range(6)]


def arn(account: str, region: str = REGION) -> str:
    return f"arn:aws:braket:{region}:{account}:job/0a1b2c3d-0000-4000-8000-000000000001"


def role(account: str) -> CredentialsRef:
    return CredentialsRef(role_arn=f"arn:aws:iam::{account}:role/exporter")


def granted(key: str) -> bytes:
    end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
    members = f"<AccessKeyId>{key}</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>"
    return (
        f"<a><AssumeRoleResult><Credentials>{members}<Expiration>{end}</Expiration></Credentials></AssumeRoleResult></a>"
    ).encode()


@pytest.fixture
def odd(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Odd]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDBASE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    with odd_endpoint() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_BRAKET", server.url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.url)
        yield server


def keys(odd: Odd) -> list[str]:
    return [each["Authorization"].partition("Credential=")[2].partition("/")[0] for each in odd.asked]


def client(sdk: Sdk, ref: CredentialsRef, account: str, region: str = REGION) -> BraketClient:
    return BraketClient(CredentialsSession(ref, REGION, sdk), Target(account, region), lambda *_: None)


def get_job(source: BraketClient, odd: Odd) -> str:
    """Get a job; return the key that signed the request."""
    account, region = source.target
    odd.says(json.dumps(wire_job(arn(account, region), "RUNNING")).encode(), operation="GetJob")
    assert source.get_job(arn(account, region)).status == "RUNNING"
    return keys(odd)[-1]


def test_accounts_share_the_client_of_a_region_and_sign_with_their_own_credentials(odd: Odd) -> None:
    sdk = Sdk()
    clients = {account: client(sdk, role(account), account) for account in ACCOUNTS}
    for account, source in clients.items():
        odd.says(granted(f"AKID{account}"), operation="AssumeRole")
        assert get_job(source, odd) == f"AKID{account}"
    for account, source in clients.items():
        assert get_job(source, odd) == f"AKID{account}"
    assert get_job(client(sdk, CredentialsRef(), ACCOUNTS[0]), odd) == "AKIDBASE"
    sessions = [CredentialsSession(role(account), REGION, sdk) for account in ACCOUNTS]
    assert len({id(session.access("braket", REGION).client) for session in sessions}) == 1
    assert sessions[0].access("braket", "us-east-1").client is not sessions[0].access("braket", REGION).client


def test_calls_at_the_same_time_are_signed_with_the_credentials_of_their_accounts(odd: Odd) -> None:
    sdk = Sdk()
    clients = {account: client(sdk, role(account), account) for account in ACCOUNTS}
    for account, source in clients.items():
        odd.says(granted(f"AKID{account}"), operation="AssumeRole")
        get_job(source, odd)
    odd.says(json.dumps({"jobs": []}).encode(), operation="SearchJobs")
    odd.asked.clear()

    def search(source: BraketClient) -> None:
        for _ in range(10):
            source.search_jobs(Span(0.0, None))

    threads = [threading.Thread(target=search, args=(source,)) for source in clients.values()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(keys(odd)) == sorted(f"AKID{account}" for account in ACCOUNTS for _ in range(10))


def test_profiles_with_the_same_client_settings_share_clients_and_others_do_not(odd: Odd, tmp_path: Path) -> None:
    files = ["a", "b", "c"]
    (tmp_path / "config").write_text(
        "".join(f"[profile {each}]\naws_access_key_id = AKID{each}\naws_secret_access_key = s\n" for each in files[:2])
        + f"[profile c]\naws_access_key_id = AKIDc\naws_secret_access_key = s\nendpoint_url = {odd.url}/c\n"
    )
    sdk = Sdk()
    refs = [CredentialsRef(profile=each) for each in files]
    assert [get_job(client(sdk, ref, ACCOUNTS[0]), odd) for ref in refs] == ["AKIDa", "AKIDb", "AKIDc"]
    one, two, other = (CredentialsSession(ref, REGION, sdk).access("braket", REGION).client for ref in refs)
    assert one is two
    assert one is not other


def test_a_renewal_of_one_account_leaves_the_credentials_of_the_others(odd: Odd) -> None:
    sdk = Sdk()
    one, other = (CredentialsSession(role(account), REGION, sdk) for account in ACCOUNTS[:2])
    sources = [
        BraketClient(each, Target(account, REGION), lambda *_: None)
        for each, account in zip((one, other), ACCOUNTS, strict=False)
    ]
    odd.says(granted("AKIDROLE"), operation="AssumeRole")
    for source in sources:
        get_job(source, odd)
    assert odd.heard.count("AssumeRole") == 2
    one.renew()
    for source in sources:
        get_job(source, odd)
    assert odd.heard.count("AssumeRole") == 3


def test_connections_that_are_idle_after_a_burst_are_closed(odd: Odd, monkeypatch: pytest.MonkeyPatch) -> None:
    source = client(Sdk(), CredentialsRef(), ACCOUNTS[0])
    get_job(source, odd)
    session = source._calls.clients["braket"]._endpoint.http_session
    (pool,) = session._manager.pools._container.values()
    connections = [pool._get_conn() for _ in range(8)]
    for each in connections:
        if each.sock is None:
            each.connect()
        pool._put_conn(each)
    assert sum(each is not None for each in pool.pool.queue) == 8
    for module in (exporter.aws.transport, exporter.aws.sdk):
        monkeypatch.setattr(module, "IDLE_AFTER", 0.05)
    time.sleep(0.1)
    get_job(source, odd)
    assert sum(each.sock is not None for each in connections) == 0
    assert sum(each is not None for each in pool.pool.queue) == 1


def test_clients_share_the_threads_of_their_calls() -> None:
    threads = CallThreads()
    deadlines = [Deadline(5, threads=threads) for _ in range(50)]
    idents = {each.run(lambda _: threading.get_ident(), None).value for each in deadlines}
    assert len(idents) == 1


def test_when_many_calls_hang_a_client_without_one_can_still_start_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporter.aws.deadline, "MANY_HANGING", 4)
    threads, gate = CallThreads(), threading.Event()
    hanging, other = (Deadline(0.05, threads=threads) for _ in range(2))

    def started(deadline: Deadline) -> bool:
        with pytest.raises(DeadlineError) as caught:
            deadline.run(lambda _: gate.wait(30), None)
        return caught.value.started

    assert [started(hanging) for _ in range(5)] == [True, True, True, True, False]
    assert [started(other) for _ in range(2)] == [True, False]
    gate.set()
    eventually(lambda: threads.hanging == 0)
    assert hanging.run(lambda value: value, 7).value == 7
