"""The JSON schema of a Grafana dashboard, made from Grafana's own types and kept in ``.cache``.

Making it takes node and npm; from then on it is read from the cache, until one of the files beside this one changes.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator, ValidationError
from jsonschema.exceptions import best_match
from processes import tool

HERE = Path(__file__).parent
INPUTS = tuple(
    HERE / name
    for name in (".npmrc", "dashboard.ts", "package-lock.json", "package.json", "tsconfig.json", "tsconfig-10.json")
)
VERSION: str = json.loads((HERE / "package.json").read_text())["dependencies"]["@grafana/schema"]
CACHE = HERE.parents[2] / ".cache" / "grafana-schema" / VERSION


NEWEST, OLDEST = "dashboard", "dashboard-10"
"""The schemas of the newest Grafana and of Grafana 10, by the names of their files."""


def validator(name: str = NEWEST) -> Draft7Validator:
    """Read a schema, or make both."""
    paths = {each: CACHE / f"{each}.json" for each in (NEWEST, OLDEST)}
    made_all = all(path.exists() for path in paths.values())
    if not (made_all and all(_is_cached(source) for source in (*INPUTS, Path(__file__)))):
        _install()
        for each, path in paths.items():
            unfinished = path.with_suffix(f".{os.getpid()}")
            unfinished.write_text(json.dumps(_make(each)))
            unfinished.replace(path)
        shutil.copy(__file__, CACHE)
    return Draft7Validator(json.loads(paths[name].read_text()))


def complaints(schema: Draft7Validator, dashboard: Any) -> list[str]:
    """Say what Grafana would not understand: where, and why."""
    return [_complaint(error) for error in schema.iter_errors(dashboard)]


def _complaint(error: ValidationError) -> str:
    deepest = best_match([error]) or error
    return f"{deepest.json_path}: {deepest.message}"


def _is_cached(source: Path) -> bool:
    cached = CACHE / source.name
    return cached.exists() and cached.read_bytes() == source.read_bytes()


def _install() -> None:
    CACHE.mkdir(parents=True, exist_ok=True)
    (CACHE / Path(__file__).name).unlink(missing_ok=True)
    for source in INPUTS:
        shutil.copy(source, CACHE)
    (CACHE / f"{OLDEST}.ts").write_text(_with_the_names_of_grafana_10((HERE / f"{NEWEST}.ts").read_text()))
    _run(tool("npm"), "ci")


def _with_the_names_of_grafana_10(types: str) -> str:
    """Import from the files that held the types in Grafana 10."""
    types = types.replace("raw/dashboard/x/types.gen", "raw/dashboard/x/dashboard_types.gen")
    return re.sub(
        r"(raw/composable/(\w+)/panelcfg/x/)types.gen",
        lambda found: f"{found[1]}{KINDS[found[2]]}PanelCfg_types.gen",
        types,
    )


KINDS = {
    "bargauge": "BarGauge",
    "gauge": "Gauge",
    "heatmap": "Heatmap",
    "piechart": "PieChart",
    "stat": "Stat",
    "statetimeline": "StateTimeline",
    "statushistory": "StatusHistory",
    "table": "Table",
    "text": "Text",
    "timeseries": "TimeSeries",
}


def _make(name: str) -> Any:
    schema = json.loads(
        _run(
            tool("node"),
            "node_modules/ts-json-schema-generator/bin/ts-json-schema-generator.js",
            *("--path", f"{name}.ts", "--tsconfig", name.replace(NEWEST, "tsconfig") + ".json", "--type", "Dashboard"),
            *("--expose", "none", "--jsDoc", "basic", "--minify"),
        )
    )
    for config in _field_configs(schema):
        _narrow_overrides(config)
    return schema


def _run(*command: str) -> str:
    done = subprocess.run(command, cwd=CACHE, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout


def _field_configs(schema: Any) -> Iterator[dict[str, Any]]:
    """Find the schemas of all panels' ``fieldConfig``."""
    if isinstance(schema, dict):
        if "overrides" in schema.get("properties", ()):
            yield schema["properties"]
        schema = list(schema.values())
    if isinstance(schema, list):
        for part in schema:
            yield from _field_configs(part)


def _narrow_overrides(config: dict[str, Any]) -> None:
    """Let an override set only what the panel's defaults can, to a value of the same type."""
    standard = dict(config["defaults"]["properties"])
    custom = standard.pop("custom").get("properties", {})
    fields = {**standard, **{f"custom.{name}": value for name, value in custom.items()}}
    override = config["overrides"]["items"]["properties"]["properties"]["items"]
    override["properties"]["id"] = {"enum": sorted(fields)}
    override["allOf"] = [
        {"if": {"properties": {"id": {"const": name}}}, "then": {"properties": {"value": value}}}
        for name, value in fields.items()
    ]
