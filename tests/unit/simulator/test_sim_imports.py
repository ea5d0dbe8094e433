"""The simulator stands alone."""

import ast
import sys
from pathlib import Path

import exporter.simulator


def test_the_simulator_imports_nothing_but_itself_and_the_standard_library() -> None:
    modules = list(Path(exporter.simulator.__file__).parent.glob("*.py"))
    assert len(modules) > 10
    imported = {name for module in modules for name in imports(ast.parse(module.read_text()))}
    strangers = {name for name in imported if name.partition(".")[0] not in sys.stdlib_module_names}
    assert all(f"{name}.".startswith("exporter.simulator.") for name in strangers)


def imports(tree: ast.AST) -> set[str]:
    plain = (node for node in ast.walk(tree) if isinstance(node, ast.Import))
    selective = (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))
    return {alias.name for node in plain for alias in node.names} | {str(node.module) for node in selective}
