"""The budget of requests.

Braket allows 5 GetJob calls a second in each account and Region, shared with the users' own SDK calls.
"""

from dataclasses import dataclass


@dataclass(slots=True)
class TokenBucket:
    """Allows ``rate`` requests a second on average and never more than ``burst`` at once.

    Attributes:
        rate: requests a second.
        burst: the most tokens that a pause can save up.
        tokens: what is left at ``updated``.
        updated: monotonic seconds.
    """

    rate: float
    burst: float
    tokens: float
    updated: float

    @classmethod
    def full(cls, rate: float, now: float) -> "TokenBucket":
        """Make a bucket that saves up two seconds' worth, at least one request, and starts full."""
        burst = max(1.0, 2 * rate)
        return cls(rate, burst, burst, now)

    def take(self, now: float) -> float:
        """Take one request and return 0, or return the seconds until there is one to take."""
        self.tokens = min(self.burst, self.tokens + max(0.0, now - self.updated) * self.rate)
        self.updated = max(self.updated, now)  # threads may come in another order than they read the clock
        if self.tokens < 1.0 - 1e-9:
            return (1.0 - self.tokens) / self.rate
        self.tokens -= 1.0
        return 0.0
