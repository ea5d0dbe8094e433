"""Who may import whom: the shape of the house, held over the syntax trees."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import exporter

ROOT = Path(exporter.__file__).parent

PURE = frozenset(
    {"model", "arn", "errors", "parse", "lifecycle", "schedule", "health", "families", "exposition", "negotiate"}
    | {"compressed", "packed", "sealed", "predict", "page", "listing", "style", "console", "webconfig"}
    | {"selector", "lanes", "limit", "shard", "windows", "values", "arguments", "ledger", "fill", "wire"}
)
"""Rooms without clock, environment, threads, network and logs: the same arguments give the same result."""

SMALL_STATE = frozenset(
    {"budget", "clock", "fleet", "agenda", "survey", "roster", "progress", "gate", "auth", "tombstones"}
)
"""Rooms that hold a few values, or hand them in, and touch nothing outside."""

SETTINGS = frozenset({"settings", "sources"})
BOUNDARIES = frozenset(
    {"braket", "sessions", "attempt", "exchange", "failures", "transport", "credential_process"} | {"tls", "state"}
)
SHELLS = frozenset(
    {
        "deadline",
        "signals",
        "store",
        "finder",
        "poller",
        "workers",
        "crew",
        "telemetry",
        "logs",
        "terminal",
        "server",
        "web",
        "guard",
        "permissions",
        "keeper",
    }
)
WIRING = frozenset({"app", "setup", "cli", "demo", "__main__", "__init__"})
ROOMS = PURE | SMALL_STATE | SETTINGS | BOUNDARIES | SHELLS | WIRING

IMPURE_MODULES = frozenset(
    {"time", "os", "random", "threading", "logging", "socket", "sys", "io", "asyncio", "subprocess", "signal"}
    | {"pathlib", "sqlite3", "queue", "secrets", "uuid", "warnings", "structlog", "boto3", "botocore", "h11", "ssl"}
)
IMPURE_CALLS = frozenset({"open", "print", "input", "exec", "eval", "__import__"})


def path_of(room: str) -> Path:
    return ROOT / f"{room}.py"


def imports(path: Path) -> set[str]:
    """List every module that a file imports anywhere in it, by its full name."""
    return {name for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) for name in imported(node)}


def imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, "relative imports hide where a name comes from"
        assert node.module is not None
        yield node.module
        if node.module == "exporter":
            yield from (f"exporter.{alias.name}" for alias in node.names if path_of(alias.name).exists())


def outside(room: str) -> set[str]:
    """List the top-level packages that a room imports."""
    return {name.partition(".")[0] for name in imports(path_of(room))}


def rooms_of(room: str) -> set[str]:
    """List the other rooms that a room imports."""
    names = imports(path_of(room))
    return {name.split(".")[1] for name in names if name.startswith("exporter.")}


def importers(package: str) -> set[str]:
    return {room for room in ROOMS if package in outside(room)}


def test_every_room_is_placed_once() -> None:
    placed = [*PURE, *SMALL_STATE, *SETTINGS, *BOUNDARIES, *SHELLS, *WIRING]
    assert sorted(placed) == sorted(path.stem for path in ROOT.glob("*.py"))


def test_the_imports_are_found() -> None:
    assert {"exporter.model", "exporter.arn", "re"} <= imports(path_of("families"))
    assert rooms_of("cli") >= {"app", "demo", "settings"}
    assert importers("h11") == {"server"}


@pytest.mark.parametrize("room", sorted(PURE))
def test_a_pure_room_knows_only_pure_rooms_and_the_sums_of_the_fleet(room: str) -> None:
    assert rooms_of(room) <= PURE | {"fleet"}


@pytest.mark.parametrize("room", sorted(PURE))
def test_a_pure_room_imports_nothing_that_reads_or_changes_the_world(room: str) -> None:
    assert outside(room).isdisjoint(IMPURE_MODULES)


@pytest.mark.parametrize("room", sorted(PURE))
def test_a_pure_room_reads_no_clock_and_opens_nothing(room: str) -> None:
    calls = [node.func for node in ast.walk(tree_of(room)) if isinstance(node, ast.Call)]
    attributes = {node.attr for node in calls if isinstance(node, ast.Attribute)}
    names = {node.id for node in calls if isinstance(node, ast.Name)}
    assert attributes.isdisjoint({"now", "utcnow", "today", "getenv", "read_text", "write_text"})
    assert names.isdisjoint(IMPURE_CALLS)


@pytest.mark.parametrize("room", sorted(SMALL_STATE))
def test_small_state_knows_only_pure_rooms_and_other_small_state(room: str) -> None:
    assert rooms_of(room) <= PURE | SMALL_STATE
    own = {
        "clock": {"time"},
        "budget": {"threading"},
        "tombstones": {"threading"},
    }  # the budgets are shared by the targets of an account
    assert outside(room).isdisjoint(IMPURE_MODULES - own.get(room, set()))


def test_no_small_state_and_no_pure_room_has_a_clock_of_its_own() -> None:
    assert [room for room in SMALL_STATE | PURE if "clock" in rooms_of(room)] == []


def test_the_model_knows_no_other_room() -> None:
    assert rooms_of("model") == set()


def test_the_server_knows_http_and_nothing_of_the_exporter() -> None:
    assert rooms_of("server") == set()


def test_the_boundaries_know_only_what_goes_in_and_what_comes_out() -> None:
    assert rooms_of("braket") == {
        *("arn", "errors", "model", "parse", "windows"),
        *("attempt", "deadline", "failures", "sessions", "transport"),
    }
    assert rooms_of("sessions") == {"attempt", "credential_process", "exchange", "failures", "lanes", "transport"}
    assert rooms_of("failures") == {"attempt", "deadline", "errors", "lanes"}
    assert rooms_of("exchange") == {"attempt", "wire"}
    assert rooms_of("transport") == rooms_of("credential_process") == {"attempt"}
    assert rooms_of("attempt") == rooms_of("deadline") == rooms_of("wire") == set()
    assert rooms_of("tls") == {"server", "webconfig"}


def test_a_boundary_is_known_to_those_who_make_it_and_to_the_one_who_asks_for_permissions() -> None:
    assert {room for room in ROOMS if "braket" in rooms_of(room)} == {"app", "cli", "permissions"}
    assert {room for room in ROOMS if "sessions" in rooms_of(room)} == {"app", "braket", "setup"}
    assert {room for room in ROOMS if "failures" in rooms_of(room)} == {"braket", "permissions", "sessions", "setup"}
    assert {room for room in ROOMS if "tls" in rooms_of(room)} == {"guard"}


def test_settings_are_read_by_the_command_line_and_the_wiring_alone() -> None:
    assert {room for room in ROOMS if "settings" in rooms_of(room)} == {"app", "setup", "cli", "sources"}
    assert {room for room in ROOMS if "sources" in rooms_of(room)} == {"cli"}


def test_settings_know_only_pure_rooms() -> None:
    assert rooms_of("settings") <= PURE
    assert rooms_of("sources") <= PURE | {"settings"}


@pytest.mark.parametrize("room", sorted(SHELLS | BOUNDARIES))
def test_a_shell_knows_no_settings_and_nothing_of_the_wiring(room: str) -> None:
    assert rooms_of(room).isdisjoint(SETTINGS | WIRING)


def test_boto3_is_known_to_the_boundaries_and_to_those_who_tell_its_version() -> None:
    assert importers("boto3") == {"telemetry", "sessions"}
    assert importers("botocore") == {"exchange", "failures", "sessions", "transport"}


@pytest.mark.parametrize("room", ["sessions", "telemetry"])
def test_boto3_is_used_for_nothing_but_its_version(room: str) -> None:
    uses = {
        node.attr
        for node in ast.walk(tree_of(room))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "boto3"
    }
    assert uses == {"__version__"}


@pytest.mark.parametrize(
    ("package", "rooms"),
    [
        ("prometheus_client", {"exposition", "fleet", "telemetry"}),
        ("h11", {"server"}),
        ("ssl", {"failures", "guard", "tls"}),
        ("bcrypt", {"auth"}),
        ("yaml", {"cli", "values"}),
        ("pydantic", {"settings", "sources", "state"}),
        ("pydantic_settings", {"settings", "sources"}),
        ("asyncio", {"server"}),
        ("argparse", {"cli"}),
        ("signal", {"credential_process", "signals", "__main__"}),
        ("subprocess", {"credential_process", "demo"}),
        ("sqlite3", {"state"}),
    ],
)
def test_a_library_has_its_room(package: str, rooms: set[str]) -> None:
    assert importers(package) == rooms


def test_the_simulator_is_imported_by_nobody_and_named_by_the_demo_alone() -> None:
    assert [room for room in ROOMS if "simulator" in rooms_of(room)] == []
    assert {room for room in ROOMS if names_the_simulator(room)} == {"demo"}


def names_the_simulator(room: str) -> bool:
    """Tell whether the code, not a text about it, has the simulator's module name."""
    return any(
        isinstance(node, ast.Constant) and isinstance(node.value, str) and "exporter.simulator" in node.value
        for node in ast.walk(tree_of(room))
    )


def test_the_simulator_knows_nothing_of_the_rest() -> None:
    files = sorted((ROOT / "simulator").glob("*.py"))
    assert files
    ours = {name for path in files for name in imports(path) if name.partition(".")[0] == "exporter"}
    assert {name for name in ours if not f"{name}.".startswith("exporter.simulator.")} == set()


def test_there_are_no_cycles() -> None:
    graph = {room: rooms_of(room) - {"simulator"} for room in ROOMS}
    order = [*TopologicalSorter(graph).static_order()]
    way = ["model", "parse", "sessions", "braket", "app", "cli"]
    assert sorted(way, key=order.index) == way


@pytest.mark.parametrize("room", sorted(ROOMS - {"__main__"}))
def test_a_room_imports_at_its_top_where_all_can_see_it(room: str) -> None:
    tree = tree_of(room)
    everywhere = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    assert all(node in tree.body for node in everywhere)


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_a_room_says_what_it_is_for(room: str) -> None:
    assert ast.get_docstring(tree_of(room))


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_a_room_has_no_state_that_importing_it_would_share(room: str) -> None:
    bound = [node for node in tree_of(room).body if isinstance(node, ast.Assign | ast.AnnAssign)]
    values = [node.value for node in bound if node.value is not None]
    called = {node.func.id for node in values if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    assert called.isdisjoint({"list", "dict", "set", "defaultdict", "Counter", "deque", "CollectorRegistry", "Lock"})
    assert not any(isinstance(node, ast.Global) for node in ast.walk(tree_of(room)))


def tree_of(room: str) -> ast.Module:
    return ast.parse(path_of(room).read_text(encoding="utf-8"))
