"""The call source of GetDevice: the devices of active jobs, each once per interval over all targets."""

from collections.abc import Iterator
from functools import partial
from typing import Final

from exporter.core import GET_DEVICE, DeviceKey, DeviceSnapshot, device_key, observe_device
from exporter.polling.shared_polls import SharedPolls
from exporter.polling.sources.call import Call
from exporter.polling.sources.optional import OptionalCalls, Request
from exporter.polling.target_state import TargetState

REFRESH_INTERVAL: Final = 5.0
"""The time, seconds, after which a device of a new job is polled at the latest."""

QUICK_REFRESH_INTERVAL: Final = 0.5
"""The same where everything is polled once."""


class GetDeviceSource:
    """Polls the devices of the active jobs of one account and Region, and for the retention after the last one.

    Args:
        state: the target.
        polls: the polls of all targets.
    """

    operation: Final = GET_DEVICE

    def __init__(self, state: TargetState, polls: SharedPolls) -> None:
        self._state = state
        self._calls = OptionalCalls(state, polls, GET_DEVICE, lambda: state.policy.device_interval)
        self._used: dict[DeviceKey, float] = {}
        """The end of the retention of each device, monotonic seconds."""
        self._update_at = float("-inf")

    @property
    def active(self) -> bool:
        """Whether the settings export devices."""
        return self._calls.active

    @property
    def polled_once(self) -> bool:
        """Whether each device in use was polled, or polling it failed."""
        found = self._state.store.devices.find
        return not self.active or all(found(key) or self._calls.is_failing(key) for key in self._in_use())

    def due(self, now: float) -> Call[DeviceSnapshot] | float:
        """Return the call for a device, or the seconds until one may be due."""
        if self._update_at <= now:
            self._update(now)
        wait = self._update_at - now
        for key in self._used:
            call = self._calls.due(self._request(key), now)
            if isinstance(call, Call):
                self._used[key] = self._used.pop(key)  # to the end: the other devices have their turn first
                return call
            wait = min(wait, call)
        return wait

    def _request(self, key: DeviceKey) -> Request[DeviceSnapshot]:
        get_device = partial(self._state.client.get_device, key)
        return Request(key, make=get_device, record=partial(self._record, key), device=key.arn)

    def _update(self, now: float) -> None:
        """Note the devices that active jobs use now, and forget those after their retention."""
        state, until = self._state, now + self._state.policy.retention.usual
        for key in self._in_use():
            self._used[key] = until
            state.store.devices.keep(key, until)
        for key in [key for key, end in self._used.items() if end <= now]:
            del self._used[key]
            self._calls.discard(key)
        once = state.policy.device_interval == float("inf")
        self._update_at = now + (QUICK_REFRESH_INTERVAL if once else REFRESH_INTERVAL)

    def _in_use(self) -> Iterator[DeviceKey]:
        target = self._state.client.target
        keys = (device_key(device, target.region) for device in self._state.store.active_devices(target))
        return (key for key in keys if key is not None)

    def _record(self, key: DeviceKey, snapshot: DeviceSnapshot) -> bool:
        state, devices = self._state, self._state.store.devices
        observation = observe_device(devices.find(key), snapshot, state.clock.wall())
        state.event_log.device_observed(observation)
        for field, _ in observation.unknown:
            state.telemetry.unknown_value(field)
        with state.lock:
            keep_until = self._used.get(key, state.clock.monotonic())
        devices.put(observation.record, keep_until)
        return True


def refresh_device(polls: SharedPolls, key: DeviceKey, now: float) -> None:
    """Make a changed device due now, for the first target with a thread.

    Args:
        polls: the polls of all targets.
        key: the device.
        now: the time, monotonic seconds.
    """
    polls.hasten((GET_DEVICE, key), now)
