"""The JSON schema of a Grafana dashboard, made from Grafana's own types and kept in ``.cache``.

Making it takes node and npm; from then on it is read from the cache, until one of the files beside this one changes.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator, ValidationError
from jsonschema.exceptions import best_match
from processes import tool

HERE = Path(__file__).parent
INPUTS = tuple(HERE / name for name in (".npmrc", "dashboard.ts", "package-lock.json", "package.json", "tsconfig.json"))
VERSION: str = json.loads((HERE / "package.json").read_text())["dependencies"]["@grafana/schema"]
CACHE = HERE.parents[2] / ".cache" / "grafana-schema" / VERSION


def validator() -> Draft7Validator:
    """Read the schema, or make it."""
    path = CACHE / "dashboard.json"
    if not (path.exists() and all(_is_cached(source) for source in (*INPUTS, Path(__file__)))):
        path.unlink(missing_ok=True)
        made = json.dumps(_make())
        shutil.copy(__file__, CACHE)
        unfinished = path.with_suffix(f".{os.getpid()}")
        unfinished.write_text(made)
        unfinished.replace(path)
    return Draft7Validator(json.loads(path.read_text()))


def complaints(schema: Draft7Validator, dashboard: Any) -> list[str]:
    """Say what Grafana would not understand: where, and why."""
    return [_complaint(error) for error in schema.iter_errors(dashboard)]


def _complaint(error: ValidationError) -> str:
    deepest = best_match([error]) or error
    return f"{deepest.json_path}: {deepest.message}"


def _is_cached(source: Path) -> bool:
    cached = CACHE / source.name
    return cached.exists() and cached.read_bytes() == source.read_bytes()


def _make() -> Any:
    node, npm = tool("node"), tool("npm")
    CACHE.mkdir(parents=True, exist_ok=True)
    for source in INPUTS:
        shutil.copy(source, CACHE)
    _run(npm, "ci")
    schema = json.loads(
        _run(
            node,
            "node_modules/ts-json-schema-generator/bin/ts-json-schema-generator.js",
            *("--path", "dashboard.ts", "--tsconfig", "tsconfig.json", "--type", "Dashboard"),
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
