"""Write ``files/defaults.yaml`` of the chart: the values for templates, which cannot read values.yaml."""

from pathlib import Path
from typing import Final

import yaml

CHART: Final = Path(__file__).parents[1] / "helm" / "braket-exporter"
HEADER: Final = "# The values of values.yaml, which templates cannot read; `make chart` writes this file.\n"


def defaults() -> str:
    """Render the file."""
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    return HEADER + yaml.safe_dump(values, sort_keys=False)


def main() -> None:
    """Write the file."""
    (CHART / "files" / "defaults.yaml").write_text(defaults(), encoding="utf-8")


if __name__ == "__main__":
    main()
