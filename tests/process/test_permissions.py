"""What AWS allows: real boto3 over real HTTP, to the simulator and to moto's STS."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any, cast

import pytest
import yaml
from odd import Odd, odd_endpoint
from processes import LONG_AGO, closed_port, run, wire_job
from sts import Sts, sts_before

from exporter.app.access_results import Access, CallResult, Permission, Verdict
from exporter.app.permission_check import check_access, check_all
from exporter.app.permission_report import policies, report
from exporter.aws import BraketClient, CredentialsSession
from exporter.core import CredentialsRef, Selector, Target, TargetConfig
from exporter.core.selector import TagRule
from exporter.simulator import Fault, FaultKind, ScriptedJob, SimulatorServer, World
from exporter.telemetry import SelfMetrics

ACCOUNT = "123456789012"  # the one that moto tells of keys it does not know
REGION = "us-west-2"
ARN = f"arn:aws:braket:{REGION}:{ACCOUNT}:job/5d3c7bb0-6f0f-4d3c-9c55-5a2b1f1c0f01"
OTHER = f"arn:aws:braket:{REGION}:{ACCOUNT}:job/5d3c7bb0-6f0f-4d3c-9c55-5a2b1f1c0f02"
MADE_UP = f"arn:aws:braket:{REGION}:{ACCOUNT}:job/00000000-0000-4000-8000-000000000000"
ROLE = "arn:aws:iam::111122223333:role/reader"
ALL = Selector(all_jobs=True)
OK = Verdict.OK
NO_SEARCH = Fault(FaultKind.ACCESS_DENIED, operation="SearchJobs")
NO_READING = Fault(FaultKind.ACCESS_DENIED, operation="GetJob")
NONE_FOUND = "no credentials: the AWS SDK finds none in variables, files, or the metadata of the container or instance"
OWN = "the SDK's own credentials"
READING = {"Effect": "Allow", "Action": "braket:GetJob", "Resource": f"arn:aws:braket:*:{ACCOUNT}:job/*"}
SEARCHING = {"Effect": "Allow", "Action": "braket:SearchJobs", "Resource": "*"}


def job(arn: str, **members: Any) -> ScriptedJob:
    return ScriptedJob(arn, LONG_AGO, lambda _: wire_job(arn, "RUNNING", **members))


@pytest.fixture
def sts(moto: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sts]:
    with sts_before(moto) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.url)
        yield server


@pytest.fixture
def braket(sts: Sts, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatorServer]:  # noqa: ARG001 -- STS is asked first
    with SimulatorServer(World(), clock=time.time) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_BRAKET", server.url)
        yield server


def lane(
    *jobs: str,
    selector: Selector | None = None,
    account: str = ACCOUNT,
    region: str = REGION,
    login: CredentialsRef = CredentialsRef(),  # noqa: B008 -- frozen
) -> TargetConfig:
    return TargetConfig(login, Target(account, region), jobs, selector)


def asked(one: TargetConfig) -> Access:
    client = BraketClient(CredentialsSession(one.credentials, one.target.region), one.target, SelfMetrics().request)
    return check_access(one, client, LONG_AGO - 60)


def told(access: Access) -> list[tuple[str, str]]:
    return [(result.operation, result.verdict.value) for result in access.results]


def asked_for(server: SimulatorServer) -> list[str | None]:
    return [request.arn for request in server.requests if request.operation == "GetJob"]


def format_value(server: SimulatorServer, account: str = ACCOUNT, region: str = REGION) -> list[str]:
    """Write the first lines of a report: whose endpoint and credentials these are."""
    return [
        "# Access check:",
        f"#   {account}/{region} endpoint: {server.url}",
        f"#   {account}/{region} GetCallerIdentity: ok, arn:aws:sts::123456789012:user/moto",
    ]


def statement(action: str, resource: str) -> str:
    allowed = f'{{"Effect": "Allow", "Action": "{action}", "Resource": "{resource}"}}'
    return f'# {{"Version": "2012-10-17", "Statement": [{allowed}]}}'


def test_what_is_allowed_is_told(braket: SimulatorServer) -> None:
    braket.world.put(job(ARN))
    access = asked(lane(ARN, selector=ALL))
    assert told(access) == [("GetCallerIdentity", "ok"), ("SearchJobs", "ok"), ("GetJob", "ok")]
    assert access.is_complete
    assert report([access]).splitlines() == [
        *format_value(braket),
        "#   123456789012/us-west-2 SearchJobs: ok, found 0 active jobs",
        "#   123456789012/us-west-2 GetJob: ok",
    ]


def test_nothing_is_searched_for_where_jobs_are_only_named(braket: SimulatorServer) -> None:
    braket.world.put(job(ARN))
    assert told(asked(lane(ARN))) == [("GetCallerIdentity", "ok"), ("GetJob", "ok")]
    assert [request.operation for request in braket.requests] == ["GetJob"]


def test_the_active_jobs_of_all_pages_are_counted_but_for_those_that_are_named(braket: SimulatorServer) -> None:
    arns = [f"{ARN[:-4]}{number:04}" for number in range(150)]
    braket.world.put(*(job(arn) for arn in arns), ScriptedJob(OTHER, LONG_AGO, lambda _: wire_job(OTHER, "FAILED")))
    access = asked(lane(arns[0], selector=ALL))
    assert access.active == 149
    assert access.results[1] == CallResult("SearchJobs", OK, "found 149 active jobs")
    assert [request.operation for request in braket.requests] == ["SearchJobs", "SearchJobs", "GetJob"]


def test_the_number_of_pages_is_limited(braket: SimulatorServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exporter.app.permission_check.MAX_PAGES", 1)
    braket.world.put(*(job(f"{ARN[:-4]}{number:04}") for number in range(150)))
    assert asked(lane(selector=ALL)).results[1] == CallResult("SearchJobs", OK, "found at least 100 active jobs")


def test_only_jobs_that_are_selected_count(braket: SimulatorServer) -> None:
    braket.world.put(job(ARN), job(OTHER, tags={"team": "chemistry"}))
    access = asked(lane(selector=Selector((TagRule("team", None),))))
    assert (access.active, access.results[1].reason) == (1, "found 1 active job")


def test_a_job_that_is_named_is_asked_for_before_one_that_is_found(braket: SimulatorServer) -> None:
    braket.world.put(job(ARN), job(OTHER))
    asked(lane(OTHER, ARN, selector=ALL))
    assert asked_for(braket) == [OTHER]


def test_of_the_jobs_that_are_found_one_that_would_be_polled_is_asked_for(braket: SimulatorServer) -> None:
    # A policy may allow jobs by their tags, so that others do not tell whether these can be read.
    braket.world.put(job(ARN), job(OTHER, tags={"team": "chemistry"}))
    asked(lane(selector=Selector((TagRule("team", frozenset({"chemistry"})),))))
    assert asked_for(braket) == [OTHER]


def test_any_job_that_is_found_is_better_than_a_made_up_one(braket: SimulatorServer) -> None:
    braket.world.put(job(ARN))
    asked(lane(selector=Selector((TagRule("team", None),))))
    assert asked_for(braket) == [ARN]


@pytest.mark.parametrize("account", [ACCOUNT, ""])
def test_without_any_job_a_made_up_one_tells_of_the_permission(account: str, braket: SimulatorServer) -> None:
    access = asked(lane(selector=ALL, account=account))
    assert asked_for(braket) == [MADE_UP]
    assert access == Access(
        Target(ACCOUNT, REGION),
        (
            CallResult("GetCallerIdentity", OK, "arn:aws:sts::123456789012:user/moto"),
            CallResult("SearchJobs", OK, "found 0 active jobs"),
            CallResult("GetJob", OK),
        ),
        braket.url,
    )


@pytest.fixture
def odd(sts: Sts, monkeypatch: pytest.MonkeyPatch) -> Iterator[Odd]:  # noqa: ARG001 -- STS is asked first
    with odd_endpoint() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_BRAKET", server.url)
        yield server


@pytest.mark.parametrize(
    ("selector", "jobs", "verdict"), [(ALL, (), "ok"), (None, (ARN,), "failed")], ids=["made up", "named"]
)
def test_a_made_up_job_that_is_called_invalid_shows_the_permission_too(
    selector: Selector | None, jobs: tuple[str, ...], verdict: str, odd: Odd
) -> None:
    odd.says(b'{"jobs": []}', operation="SearchJobs")
    odd.says(b'{"message": "no"}', status=400, headers={"x-amzn-errortype": "ValidationException"}, operation="GetJob")
    access = asked(lane(*jobs, selector=selector))
    assert told(access)[-1] == ("GetJob", verdict)
    assert policies([access]) == {}


@pytest.mark.parametrize("status", [302, 400, 403, 404, 407, 421])
def test_a_response_of_something_else_is_never_ok(status: int, odd: Odd) -> None:
    odd.says(b'{"jobs": []}', operation="SearchJobs")
    odd.says(b"<html>", status=status, operation="GetJob")
    access = asked(lane(selector=ALL))
    assert told(access)[-1] == ("GetJob", "failed")
    assert f"returned HTTP {status}" in access.results[-1].reason
    assert policies([access]) == {}


def test_a_named_job_that_does_not_exist_fails_the_check_and_is_not_denied(braket: SimulatorServer) -> None:
    access = asked(lane(ARN))
    assert asked_for(braket) == [ARN]
    assert not access.is_complete
    assert report([access]).splitlines()[3:] == [
        f"#   123456789012/us-west-2 GetJob: failed: job {ARN} does not exist; check the ARN and its Region"
    ]


def test_two_targets_of_unknown_accounts_are_told_apart_by_their_names() -> None:
    result = CallResult("GetCallerIdentity", Verdict.FAILED, "no", code="credentials")
    accesses = [Access(Target("", REGION), (result,), "http://localhost:1", name=name) for name in ("a", "b\nc", "")]
    assert [line for line in report(accesses).splitlines() if line.startswith("#   ")] == [
        "#   a (unknown account/us-west-2) endpoint: http://localhost:1",
        "#   a (unknown account/us-west-2) GetCallerIdentity: failed: no",
        "#   b c (unknown account/us-west-2) endpoint: http://localhost:1",
        "#   b c (unknown account/us-west-2) GetCallerIdentity: failed: no",
        "#   unknown account/us-west-2 endpoint: http://localhost:1",
        "#   unknown account/us-west-2 GetCallerIdentity: failed: no",
    ]


def test_the_name_of_a_target_reaches_the_report(braket: SimulatorServer) -> None:
    braket.world.put(job(ARN))
    access = asked(replace(lane(ARN), name="chemistry"))
    assert "#   chemistry (123456789012/us-west-2) GetJob: ok\n" in report([access])


def test_a_denied_search_is_told_with_the_policy_that_allows_it(braket: SimulatorServer) -> None:
    braket.faults.put(NO_SEARCH)
    access = asked(lane(selector=ALL))
    assert told(access) == [("GetCallerIdentity", "ok"), ("SearchJobs", "denied"), ("GetJob", "ok")]
    assert not access.is_complete
    assert report([access]).splitlines()[3:] == [
        "#   123456789012/us-west-2 SearchJobs: denied: Amazon Braket returned AccessDeniedException (HTTP 403)",
        "#   123456789012/us-west-2 GetJob: ok",
        "# Next step: attach this IAM policy to the SDK's own credentials:",
        statement("braket:SearchJobs", "*"),
    ]


@pytest.mark.parametrize("jobs", [(ARN,), ()])
def test_denied_reading_is_told_with_the_policy_that_allows_it(jobs: tuple[str, ...], braket: SimulatorServer) -> None:
    braket.faults.put(NO_READING)
    access = asked(lane(*jobs, selector=ALL))
    assert told(access) == [("GetCallerIdentity", "ok"), ("SearchJobs", "ok"), ("GetJob", "denied")]
    assert policies([access]) == {OWN: {"Version": "2012-10-17", "Statement": [READING]}}


def test_what_is_missing_in_several_regions_is_one_policy_that_holds_nothing_twice(braket: SimulatorServer) -> None:
    braket.faults.put(NO_READING, NO_SEARCH)
    accesses = [asked(lane(selector=ALL, region=region)) for region in (REGION, "eu-north-1")]
    assert policies(accesses) == {OWN: {"Version": "2012-10-17", "Statement": [SEARCHING, READING]}}


def test_the_policy_is_of_the_regions_own_partition(braket: SimulatorServer) -> None:
    braket.faults.put(NO_READING)
    access = asked(lane(selector=ALL, region="us-gov-west-1"))
    assert asked_for(braket)[0] == (
        f"arn:aws-us-gov:braket:us-gov-west-1:{ACCOUNT}:job/00000000-0000-4000-8000-000000000000"
    )
    assert access.results[-1].missing == Permission(OWN, "braket:GetJob", f"arn:aws-us-gov:braket:*:{ACCOUNT}:job/*")


def test_each_login_has_a_policy_of_its_own() -> None:
    first, second = Permission("profile one", "braket:SearchJobs", "*"), Permission(ROLE, "braket:SearchJobs", "*")
    accesses = [
        Access(Target(ACCOUNT, REGION), (CallResult("SearchJobs", Verdict.DENIED, "no", missing),))
        for missing in (first, second)
    ]
    assert policies(accesses) == {
        "profile one": {"Version": "2012-10-17", "Statement": [SEARCHING]},
        ROLE: {"Version": "2012-10-17", "Statement": [SEARCHING]},
    }


def test_two_roles_of_one_login_share_a_statement() -> None:
    denied = [
        Access(Target("", REGION), (CallResult("AssumeRole", Verdict.DENIED, "", permission),))
        for permission in (Permission(OWN, "sts:AssumeRole", role) for role in (ROLE, f"{ROLE}-2"))
    ]
    policy = policies(denied)[OWN]
    assert policy["Statement"] == [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": [ROLE, f"{ROLE}-2"]}]


def test_a_role_is_asked_for_its_own_account(braket: SimulatorServer, sts: Sts) -> None:
    access = asked(lane(selector=ALL, account="111122223333", login=CredentialsRef(role_arn=ROLE)))
    assert access.is_complete
    assert asked_for(braket) == [f"arn:aws:braket:{REGION}:111122223333:job/00000000-0000-4000-8000-000000000000"]
    assert {sts.accounts.get(request.access_key_id or "") for request in braket.requests} == {"111122223333"}


def test_what_a_role_lacks_is_granted_to_the_role(braket: SimulatorServer) -> None:
    braket.faults.put(NO_READING)
    access = asked(lane(selector=ALL, account="111122223333", login=CredentialsRef(role_arn=ROLE)))
    assert access.results[-1].missing == Permission(ROLE, "braket:GetJob", "arn:aws:braket:*:111122223333:job/*")


def test_a_role_that_may_not_be_assumed_is_told_with_the_policy_that_allows_it(
    braket: SimulatorServer, sts: Sts
) -> None:
    sts.deny(ROLE)
    access = asked(lane(selector=ALL, account="111122223333", login=CredentialsRef(role_arn=ROLE)))
    reason = f"cannot assume {ROLE}: STS returned AccessDenied to AssumeRole: {sts.denial(ROLE)}"
    assert report([access]).splitlines() == [
        "# Access check:",
        f"#   111122223333/us-west-2 AssumeRole: denied: {reason}",
        "# Next step: attach this IAM policy to the SDK's own credentials:",
        statement("sts:AssumeRole", ROLE),
        "# Next step: allow the same identity in the trust policy of the role, and check external_id",
    ]
    assert braket.requests == []


def expired(sts: Sts) -> str:
    sts.refuse("ExpiredToken", "The security token included in the request is expired")
    return "ExpiredToken"


def broken(sts: Sts) -> str:
    sts.refuse("InternalFailure", "Something broke", status=500)
    return "InternalFailure"


@pytest.mark.parametrize("trouble", [expired, broken])
def test_a_role_that_cannot_be_assumed_for_another_reason_needs_no_policy(
    trouble: Callable[[Sts], str], sts: Sts, braket: SimulatorServer
) -> None:
    reason = trouble(sts)
    access = asked(lane(selector=ALL, account="111122223333", login=CredentialsRef(role_arn=ROLE)))
    assert access.results == (
        CallResult(
            "AssumeRole",
            Verdict.FAILED,
            f"cannot assume {ROLE}: STS returned {reason} to AssumeRole",
            code="credentials",
        ),
    )
    assert braket.requests == []


def test_expired_credentials_are_told_as_such_and_not_asked_for_again(sts: Sts, braket: SimulatorServer) -> None:
    reason = expired(sts)
    access = asked(lane(ARN, selector=ALL))
    assert access.results == (
        CallResult("GetCallerIdentity", Verdict.FAILED, f"STS returned {reason} (HTTP 403)", code=reason),
    )
    assert braket.requests == []


def test_credentials_of_a_role_that_are_not_taken_are_no_failure_to_assume_it(
    sts: Sts, braket: SimulatorServer
) -> None:
    sts.refuse("ExpiredToken", "is expired", about="GetCallerIdentity")
    access = asked(lane(selector=ALL, account="111122223333", login=CredentialsRef(role_arn=ROLE)))
    assert access.results == (
        CallResult("GetCallerIdentity", Verdict.FAILED, "STS returned ExpiredToken (HTTP 403)", code="ExpiredToken"),
    )
    assert braket.requests == []


def test_credentials_that_only_braket_calls_expired_are_told_as_such(braket: SimulatorServer) -> None:
    braket.faults.put(Fault(FaultKind.EXPIRED_TOKEN))
    access = asked(lane(ARN, selector=ALL))
    assert told(access) == [("GetCallerIdentity", "ok"), ("SearchJobs", "failed"), ("GetJob", "failed")]
    assert report([access]).count(": failed: Amazon Braket returned ExpiredTokenException (HTTP 403)\n") == 2
    assert policies([access]) == {}


def test_missing_credentials_are_told_as_such(braket: SimulatorServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    access = asked(lane(ARN, selector=ALL))
    assert access.results == (CallResult("GetCallerIdentity", Verdict.FAILED, NONE_FOUND, code="credentials"),)
    assert braket.requests == []


def test_an_sts_that_cannot_be_reached_hides_nothing(braket: SimulatorServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"http://127.0.0.1:{closed_port()}")
    braket.world.put(job(ARN))
    access = asked(lane(selector=ALL, account=""))
    assert told(access) == [("GetCallerIdentity", "failed"), ("SearchJobs", "ok"), ("GetJob", "ok")]
    assert access.target == Target(ACCOUNT, REGION)
    assert not access.is_complete


def test_a_job_of_nobody_knows_which_account_is_not_made_up(
    braket: SimulatorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"http://127.0.0.1:{closed_port()}")
    access = asked(lane(selector=ALL, account=""))
    assert access.results[-1] == CallResult("GetJob", Verdict.FAILED, "not called, because the account is unknown")
    assert asked_for(braket) == []
    assert "#   unknown account/us-west-2 SearchJobs: ok, found 0 active jobs\n" in report([access])


def test_credentials_of_another_account_than_the_jobs_are_told_and_no_policy_is_offered(
    braket: SimulatorServer,
) -> None:
    braket.faults.put(NO_READING)
    foreign = ARN.replace(ACCOUNT, "999988887777")
    access = asked(lane(foreign, account="999988887777"))
    assert access.target == Target("999988887777", REGION)
    assert access.results[0] == CallResult(
        "GetCallerIdentity", Verdict.FAILED, "the credentials belong to account 123456789012, not to 999988887777"
    )
    assert told(access)[1] == ("GetJob", "denied")
    assert policies([access]) == {}


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault(FaultKind.THROTTLE), "Amazon Braket returned ThrottlingException (HTTP 429)"),
        (Fault(FaultKind.INTERNAL_ERROR), "Amazon Braket returned InternalServiceException (HTTP 500)"),
        (Fault(FaultKind.EMPTY_BODY), "returned HTTP 200 with a body that is not a response of Amazon Braket"),
        (Fault(FaultKind.RESET), ": Connection reset by peer"),
    ],
    ids=lambda value: str(getattr(value, "kind", "")),
)
def test_a_failure_that_is_no_denial_is_told_as_one(fault: Fault, reason: str, braket: SimulatorServer) -> None:
    braket.faults.put(fault)
    access = asked(lane(ARN))
    assert told(access) == [("GetCallerIdentity", "ok"), ("GetJob", "failed")]
    assert reason in access.results[1].reason
    assert policies([access]) == {}


STEPS = [
    (Fault(FaultKind.THROTTLE), "run the check again in a minute"),
    (Fault(FaultKind.EXPIRED_TOKEN), "check the credentials, and the clock of this host, then run the check again"),
    (Fault(FaultKind.EMPTY_BODY), "check that the endpoint is Amazon Braket, and not a proxy or a login page"),
    (
        Fault(FaultKind.RESET),
        "check the host name, network, proxy and AWS_ENDPOINT_URL_* variables, then run the check again",
    ),
]


@pytest.mark.parametrize(("fault", "step"), STEPS, ids=lambda value: str(getattr(value, "kind", "")))
def test_each_failure_has_a_next_step_which_the_report_shows_once(
    fault: Fault, step: str, braket: SimulatorServer
) -> None:
    braket.faults.put(fault)
    accesses = [asked(lane(ARN, selector=ALL, region=region)) for region in (REGION, "eu-north-1")]
    assert [line for line in report(accesses).splitlines() if "Next step" in line] == [f"# Next step: {step}"]


def test_the_next_step_with_a_mistyped_region_is_to_correct_it() -> None:
    ended = run("check-config", "--online", "--all-jobs", "--regions", "us-wset-2", env={"AWS_ENDPOINT_URL": None})
    (step,) = [line for line in ended.stdout.splitlines() if line.startswith("# Next step: ")]
    assert ended.returncode == 1
    assert step.startswith(
        "# Next step: correct the Region in regions or jobs: us-wset-2 is not known to this release (did you mean "
        "us-west-2?); Braket is in: us-east-1, "
    )
    assert step.endswith(
        "; or, if it is correct, check the host name, network, proxy and AWS_ENDPOINT_URL_* "
        "variables, then run the check again"
    )


def test_an_endpoint_of_ones_own_that_fails_is_not_blamed_on_the_region(braket: SimulatorServer) -> None:
    braket.faults.put(Fault(FaultKind.RESET))
    (step,) = [line for line in report([asked(lane(selector=ALL, region="us-wset-2"))]).splitlines() if "Next" in line]
    assert step.startswith("# Next step: check the host name, network")


def test_the_next_step_after_missing_credentials(braket: SimulatorServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert report([asked(lane(ARN))]).splitlines() == [
        "# Access check:",
        f"#   {ACCOUNT}/{REGION} GetCallerIdentity: failed: {NONE_FOUND}",
        "# Next step: provide credentials in variables, a profile or a role of the host, then run the check again",
    ]
    assert braket.requests == []


@pytest.mark.parametrize("denies", [True, False])
def test_the_next_step_with_credentials_of_another_account(denies: bool, braket: SimulatorServer) -> None:  # noqa: FBT001
    braket.faults.put(*[NO_READING] * denies)
    access = asked(lane(ARN.replace(ACCOUNT, "999988887777"), account="999988887777"))
    step = "# Next step: use credentials of account 999988887777; set role_arn or profile in targets"
    assert [line for line in report([access]).splitlines() if "Next step" in line] == [step]


def test_the_next_step_after_a_role_that_fails_for_another_reason(braket: SimulatorServer, sts: Sts) -> None:
    broken(sts)
    access = asked(lane(selector=ALL, account="111122223333", login=CredentialsRef(role_arn=ROLE)))
    step = "check role_arn, external_id and the credentials that assume the role, then run the check again"
    assert report([access]).splitlines()[2:] == [f"# Next step: {step}"]
    assert braket.requests == []


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\x85", "\u2028", "\x00", "\x1b[2J", "\ufeff", "\ud800"])
def test_the_words_of_aws_cannot_leave_the_comment(ending: str) -> None:
    result = CallResult("GetJob", Verdict.FAILED, f"one{ending}jobs: {'x' * 1000}")
    text = report([Access(Target(ACCOUNT, REGION), (result,))])
    assert yaml.safe_load(text.encode()) is None
    assert len(text.splitlines()) == 2
    assert text.startswith("# Access check:\n#   123456789012/us-west-2 GetJob: failed: one")
    assert len(text) < 500


def test_a_shard_without_targets_has_nothing_to_ask() -> None:
    assert report([]) == "# Access check: no API calls, because no target is in this shard\n"


def test_a_bug_in_one_of_several_targets_comes_out() -> None:
    class Buggy:
        def identify(self) -> None:
            raise IndexError("ours")

    with pytest.raises(IndexError, match="ours"):
        check_all([lane(ARN)] * 3, [cast("BraketClient", Buggy())] * 3, 0.0)


def check(braket: SimulatorServer, sts: Sts, *arguments: str, **env: str | None) -> CompletedProcess[str]:
    usual = {"AWS_ENDPOINT_URL_BRAKET": braket.url, "AWS_ENDPOINT_URL_STS": sts.url}
    return run("check-config", "--online", *arguments, env={**usual, **env})


def test_check_config_asks_aws_when_it_is_told_to(braket: SimulatorServer, sts: Sts, tmp_path: Path) -> None:
    braket.world.put(job(ARN))
    asked = check(braket, sts, "--jobs", ARN)
    assert (asked.returncode, asked.stderr) == (0, "")
    offline = run("check-config", "--jobs", ARN)
    said = [
        *format_value(braket),
        "#   123456789012/us-west-2 GetJob: ok",
        "#   123456789012/us-west-2 GetDevice: ok",
        "#   123456789012/us-west-2 SearchSpendingLimits: ok, found 0 spending limits",
    ]
    assert asked.stdout == offline.stdout + "".join(f"{line}\n" for line in said)
    assert len(braket.requests) == 3
    config = tmp_path / "exporter.yaml"
    config.write_text(asked.stdout, encoding="utf-8")
    assert run("check-config", "--config", str(config)).stdout == offline.stdout


def test_check_config_predicts_from_the_jobs_that_it_finds(braket: SimulatorServer, sts: Sts) -> None:
    braket.world.put(*(job(f"{ARN[:-4]}{number:04}") for number in range(40)))
    found = check(braket, sts, "--all-jobs", "--regions", REGION, "--lookback", "3650d").stdout
    assert "# Predicted for 40 active jobs found in 1 target:" in found
    assert "SearchJobs: ok, found 40 active jobs\n" in found


def test_check_config_predicts_from_configured_and_found_jobs(braket: SimulatorServer, sts: Sts) -> None:
    braket.world.put(job(ARN), job(OTHER))
    flags = ("--all-jobs", "--jobs", ARN, "--regions", REGION, "--lookback", "3650d")
    found = check(braket, sts, *flags).stdout
    assert "# Predicted for 2 active jobs in 1 target: 1 configured, 1 found:\n" in found
    assert "#     now: 5.0 calls per minute\n" in found


def test_check_config_says_where_jobs_are_not_counted(braket: SimulatorServer, sts: Sts) -> None:
    braket.faults.put(NO_SEARCH)
    found = check(braket, sts, "--all-jobs", "--regions", "us-west-2,eu-north-1").stdout
    heading = "# Predicted for 0 active jobs found in 2 targets (SearchJobs failed in 2; their jobs are not counted):\n"
    assert heading in found
    for line in (
        "#     now: unknown, because SearchJobs failed",
        "#     ceiling of an active job: unknown, because SearchJobs failed",
        "#     active jobs now: unknown, because SearchJobs failed",
    ):
        assert f"{line}\n" in found


def test_check_config_looks_back_as_far_as_the_settings_say(braket: SimulatorServer, sts: Sts) -> None:
    braket.world.put(ScriptedJob(ARN, time.time() - 7200, lambda _: wire_job(ARN, "RUNNING")))
    for lookback, expected in (("1h", MADE_UP), ("3h", ARN)):
        check(braket, sts, "--all-jobs", "--regions", REGION, "--lookback", lookback)
        assert asked_for(braket)[-1] == expected


def test_check_config_ends_with_1_and_stays_valid_yaml_when_something_is_denied(
    braket: SimulatorServer, sts: Sts, tmp_path: Path
) -> None:
    braket.faults.put(NO_SEARCH, NO_READING)
    asked = check(braket, sts, "--all-jobs", "--regions", "us-west-2,eu-north-1")
    assert (asked.returncode, asked.stderr) == (1, "")
    assert json.loads(asked.stdout.splitlines()[-1].removeprefix("# ")) == {
        "Version": "2012-10-17",
        "Statement": [SEARCHING, READING],
    }
    config = tmp_path / "exporter.yaml"
    config.write_text(asked.stdout, encoding="utf-8")
    assert run("check-config", "--config", str(config)).returncode == 0


CONFIG = """
targets:
- role_arn: arn:aws:iam::111122223333:role/reader
  regions: [us-west-2]
  all_jobs: true
- role_arn: arn:aws:iam::444455556666:role/away
  regions: [eu-north-1]
  tags: [team=chemistry]
"""


def test_a_role_that_cannot_be_assumed_does_not_hide_the_other_targets(
    braket: SimulatorServer, sts: Sts, tmp_path: Path
) -> None:
    config = tmp_path / "exporter.yaml"
    config.write_text(CONFIG)
    sts.deny("arn:aws:iam::444455556666:role/away")
    asked = check(braket, sts, "--config", str(config))
    assert (asked.returncode, asked.stderr) == (1, "")
    said = asked.stdout[asked.stdout.index("# Access check:") :].splitlines()
    assert said[1] == f"#   111122223333/us-west-2 endpoint: {braket.url}"
    assert said[2].startswith(
        "#   111122223333/us-west-2 GetCallerIdentity: ok, arn:aws:sts::111122223333:assumed-role/"
    )
    assert said[3:7] == [
        "#   111122223333/us-west-2 SearchJobs: ok, found 0 active jobs",
        "#   111122223333/us-west-2 GetJob: ok",
        "#   111122223333/us-west-2 GetDevice: ok",
        "#   111122223333/us-west-2 SearchSpendingLimits: ok, found 0 spending limits",
    ]
    assert said[7].startswith("#   444455556666/eu-north-1 AssumeRole: denied: cannot assume arn:aws:iam::444455556666")
    assert json.loads(said[9].removeprefix("# "))["Statement"] == [
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "arn:aws:iam::444455556666:role/away"}
    ]


@pytest.mark.parametrize(
    ("env", "word"),
    [
        ({"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}, f"failed: {NONE_FOUND}"),
        ({"AWS_SECRET_ACCESS_KEY": None}, "AWS_SECRET_ACCESS_KEY"),
    ],
    ids=["none", "half"],
)
def test_check_config_tells_of_unusable_credentials_without_a_traceback(
    env: dict[str, str | None], word: str, braket: SimulatorServer, sts: Sts
) -> None:
    asked = check(braket, sts, "--jobs", ARN, **env)
    assert asked.returncode == 1
    assert word in asked.stdout + asked.stderr
    assert "Traceback" not in asked.stdout + asked.stderr
    assert len(asked.stderr.splitlines()) <= 1


@pytest.mark.parametrize("command", [(), ("run",), ("once",), ("demo",)])
def test_only_check_config_asks_for_permissions(command: tuple[str, ...]) -> None:
    refused = run(*command, "--jobs", ARN, "--online")
    assert (refused.returncode, refused.stdout) == (2, "")
    name = command[0] if command else "run"
    assert refused.stderr.splitlines()[1:] == [f"  --online is valid only with check-config, not with {name}"]


def test_help_tells_of_asking_aws() -> None:
    assert "--online" in run("--help").stdout
