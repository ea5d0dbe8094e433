"""The one STS operation that tools call before Braket: GetCallerIdentity, in the query protocol."""

from urllib.parse import parse_qs

from exporter.simulator.wire import Credential, Reply

GET_CALLER_IDENTITY = "GetCallerIdentity"

_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"


def is_identity_request(body: bytes) -> bool:
    """Whether the form in a request's body calls GetCallerIdentity."""
    return parse_qs(body.decode("utf-8", "replace")).get("Action") == [GET_CALLER_IDENTITY]


def identity_reply(signer: Credential | None, account: str) -> Reply:
    """The reply to GetCallerIdentity; every signed request has a valid identity of that account."""
    if signer is None:
        return _xml(
            403,
            f'<ErrorResponse xmlns="{_NAMESPACE}"><Error><Type>Sender</Type><Code>MissingAuthenticationToken</Code>'
            "<Message>The request is not signed for STS</Message></Error></ErrorResponse>",
        )
    return _xml(
        200,
        f'<GetCallerIdentityResponse xmlns="{_NAMESPACE}"><GetCallerIdentityResult>'
        f"<Arn>arn:aws:iam::{account}:user/simulated</Arn><UserId>AIDASIMULATED</UserId><Account>{account}</Account>"
        "</GetCallerIdentityResult></GetCallerIdentityResponse>",
    )


def _xml(status: int, text: str) -> Reply:
    return Reply(status, text.encode(), content_type="text/xml")
