"""An SQS queue: messages that are hidden for a while after each delivery, until they are deleted."""

from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from threading import Lock
from uuid import UUID

DEFAULT_ACCOUNT = "123456789012"
DEFAULT_VISIBILITY_SECONDS = 30.0


@dataclass(slots=True)
class Message:
    """One message.

    Attributes:
        id: Identifies it over all its deliveries.
        body: Its text.
        deliveries: How often it was delivered.
        visible_at: From when on it can be delivered, unix seconds.
    """

    id: str
    body: str
    deliveries: int = 0
    visible_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery of a message; the receipt deletes the message."""

    id: str
    receipt: str
    body: str


class Queue:
    """The messages of one queue. Thread-safe.

    Args:
        name: Its name.
        account: The account that owns it.
        visibility_seconds: How long a delivered message is hidden from further receives.
    """

    def __init__(
        self,
        name: str = "braket-events",
        account: str = DEFAULT_ACCOUNT,
        visibility_seconds: float = DEFAULT_VISIBILITY_SECONDS,
    ) -> None:
        self.name, self.account, self.visibility_seconds = name, account, visibility_seconds
        self._changing = Lock()
        self._messages: dict[str, Message] = {}
        self._sent = 0

    @property
    def path(self) -> str:
        """The path of its URL."""
        return f"/{self.account}/{self.name}"

    def send(self, *bodies: str) -> list[str]:
        """Add messages; return their IDs."""
        with self._changing:
            return [self._add(body).id for body in bodies]

    def receive(self, now: float, most: int = 1, visibility_seconds: float | None = None) -> list[Delivery]:
        """Deliver up to `most` of the oldest visible messages, and hide them for the visibility timeout."""
        hidden = self.visibility_seconds if visibility_seconds is None else visibility_seconds
        with self._changing:
            visible = [*islice((message for message in self._messages.values() if message.visible_at <= now), most)]
            for message in visible:
                message.deliveries += 1
                message.visible_at = now + hidden
            return [Delivery(each.id, f"{each.id}#{each.deliveries}", each.body) for each in visible]

    def delete(self, receipt: str) -> bool:
        """Delete a message; return whether the receipt has the form of one. A deleted message may be deleted again."""
        identity, mark, number = receipt.rpartition("#")
        if not mark or not number.isdecimal():
            return False
        with self._changing:
            self._messages.pop(identity, None)
        return True

    def numbers(self, now: float) -> tuple[int, int]:
        """The number of visible messages, and of hidden ones."""
        with self._changing:
            hidden = sum(message.visible_at > now for message in self._messages.values())
            return len(self._messages) - hidden, hidden

    def _add(self, body: str) -> Message:
        self._sent += 1
        digest = sha256(f"{self.path} {self._sent}".encode()).digest()
        message = Message(str(UUID(bytes=digest[:16], version=4)), body)
        self._messages[message.id] = message
        return message
