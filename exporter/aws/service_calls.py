"""Calls to AWS services with the credentials of a session. Each failure of the SDK is mapped once, here."""

import time
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from botocore import xform_name

from exporter.aws.attempt import CURRENT, Attempt, Operation, Phase
from exporter.aws.deadline import Deadline, DeadlineError
from exporter.aws.error_codes import ACCESS_DENIED
from exporter.aws.failures import failure, late, not_of_service, unreadable
from exporter.aws.members import ParseError
from exporter.aws.sessions import CredentialsSession
from exporter.aws.transport import http_session_of
from exporter.core import BraketError, Target, UnauthenticatedError


class RequestCounter(Protocol):
    """Counts HTTP attempts by code, and their duration."""

    def __call__(self, target: Target, operation: str, code: str, seconds: float) -> None:
        """Count one attempt."""
        ...


_T = TypeVar("_T")


class ServiceCalls:
    """Calls services in one Region. Thread-safe.

    Each call ends within its deadline, and raises a ``BraketError`` for any exception of the SDK. The SDK's own retries
    are off, so each HTTP attempt is a call.

    Args:
        session: the source of credentials and endpoints.
        region: the Region.
        count: counts every HTTP attempt by operation and code.
        seconds: the deadline of a whole call; it includes credentials, making a client, sending and reading.

    Attributes:
        clients: the SDK's client of the latest call to each service.
        clock_offset: the seconds by which AWS's clock is ahead of this host's, from the latest response; 0 if small or
            unknown.
    """

    def __init__(
        self,
        session: CredentialsSession,
        region: str,
        count: Callable[[str, str, float], None],
        seconds: float,
    ) -> None:
        self.clients: dict[str, Any] = {}
        self.clock_offset = 0.0
        self._session, self._region, self._count = session, region, count
        self._deadline = Deadline(seconds, threads=session.threads)
        self._codes: dict[str, frozenset[str]] = {}

    def call(self, operation: Operation, parameters: dict[str, Any], read: Callable[[Attempt], _T]) -> _T:
        """Make a call and parse its response.

        Args:
            operation: the operation.
            parameters: its arguments.
            read: parses the response. An exception other than ``ParseError`` and ``BraketError`` is a bug.

        Raises:
            BraketError: the call failed; the subclass is the kind of failure.
        """
        began = time.perf_counter()
        attempt = Attempt(operation, parameters, time.monotonic() + self._deadline.seconds)
        error = self._attempt(attempt)
        sent = attempt.close()
        if attempt.phase is Phase.RECEIVED:
            self.clock_offset = attempt.clock_offset
        result: _T | None = None
        if error is None:
            try:
                result = read(attempt)
            except ParseError as problem:
                error = unreadable(problem)
            except BraketError as problem:
                error = problem
        if sent:
            self._count(operation.name, "ok" if error is None else error.code, time.perf_counter() - began)
        if error is not None:
            raise error
        return result  # type: ignore[return-value] # there is one without an error

    def _attempt(self, attempt: Attempt) -> BraketError | None:
        """Make a call; return its error, or ``None`` after a successful response."""
        try:
            raised = self._deadline.run(self._perform, attempt, attempt.until).error
        except DeadlineError as overdue:
            if attempt.phase < Phase.SENDING:
                self._session.renew()  # the session may cause the delay
            return late(attempt, overdue, self._deadline.seconds)
        if raised is None:
            return None if attempt.operation.is_response(attempt.payload) else not_of_service(attempt)
        codes = self._codes.get(attempt.operation.service, frozenset())
        error = failure(attempt, raised, credentials=self._session.credentials, modelled=codes)
        if isinstance(error, UnauthenticatedError) and attempt.phase is not Phase.CREDENTIALS:
            self._session.renew()
        return error

    def _perform(self, attempt: Attempt) -> None:
        """Make the call in its own thread, and store the response in the attempt. Exceptions of the SDK propagate."""
        CURRENT.set(attempt)
        try:
            client, attempt.credentials = self._session.access(attempt.operation.service, self._region)
            attempt.phase, attempt.endpoint = Phase.CLIENT, client.meta.endpoint_url
            attempt.http = http_session_of(client)
            if client is not self.clients.get(attempt.operation.service):
                self._use(attempt.operation.service, client)
            getattr(client, xform_name(attempt.operation.name))(**attempt.parameters)
        finally:
            CURRENT.set(None)

    def _use(self, service: str, client: Any) -> None:  # noqa: ANN401 -- botocore makes the class at run time
        modelled = frozenset(shape.error_code for shape in client.meta.service_model.error_shapes)
        self._codes[service] = modelled if service == "braket" else modelled | ACCESS_DENIED
        self.clients[service] = client
