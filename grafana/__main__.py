"""Write every dashboard to ``grafana/dashboards/``."""

from pathlib import Path
from typing import Final

from grafana import exporter, fleet, job
from grafana.dashboards import to_json

FOLDER: Final = Path(__file__).parent / "dashboards"

DASHBOARDS: Final = {
    "braket-fleet.json": fleet.make,
    "braket-job.json": job.make,
    "braket-exporter.json": exporter.make,
}
"""The builders of the dashboards, by file name."""


def main() -> None:
    """Write the files."""
    FOLDER.mkdir(exist_ok=True)
    for name, make in DASHBOARDS.items():
        (FOLDER / name).write_text(to_json(make()), encoding="utf-8")


if __name__ == "__main__":
    main()
