"""The texts that users and contributors read keep to plain words and short sentences."""

import io
import json
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
import yaml

from exporter.app.command_help import COMMANDS
from exporter.app.help_text import help_text
from exporter.app.settings import Settings
from exporter.metrics import EXPORTER_FAMILIES, job_families

ROOT = Path(__file__).parents[3]
CHART = ROOT / "helm" / "braket-exporter"

WORDS: Final = {
    r"tells?|told|telling": "report, return, log, show, send",
    r"anew": "again, reload, rebuild",
    r"whose": "split the sentence, or with",
    r"(?:what|all that|that which) is known": "state, record, last response",
    r"by hand": "manually",
    r"(?:for|page for) people": "human-readable, status page",
    r"in force": "active",
    r"mend(?:s|ed)?": "fix",
    r"passed over|let(?:s)? go|left alone|let off": "ignored, dropped, skipped, backed off",
    r"is no (?:known|valid|good)|are no (?:known|valid)": "is not a valid, unknown",
    r"place in the queue": "queue position",
    r"likewise|hitherto|thereof|whereof|herein": "repeat the noun",
    r"nothing twice|never twice": "no duplicates, exactly once",
    r"that is so|is that so": "say what",
    r"asked for|asks for a look": "polled, requested, needed",
    r"fares?|fared": "status, result",
    r"house|crew|roster|melts?|piles?|glance": "a standard term of the field",
}
"""Words to avoid, as patterns, each with what to write instead."""

LONGEST_SENTENCE: Final = 40
"""Words of one sentence of a page."""


class Text(NamedTuple):
    """A text and its place."""

    place: str
    text: str


def pages() -> Iterator[Text]:
    """Yield the prose of each page, without code and links' targets."""
    for path in sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "helm").rglob("*.md")]):
        prose = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
        prose = re.sub(r"`[^`\n]*`", "CODE", prose)
        yield Text(str(path.relative_to(ROOT)), re.sub(r"\]\([^)]*\)", "]", prose))


def program_texts() -> Iterator[Text]:
    """Yield the texts that the exporter shows, and those of the rules, the dashboards and the chart."""
    for key, field in Settings.model_fields.items():
        yield Text(f"setting {key}", str(field.description))
    for command in (None, *COMMANDS):
        yield Text(f"help of {command}", help_text(command))
    for family in (*job_families(), *EXPORTER_FAMILIES):
        yield Text(f"metric {family.name}", family.help)
    for path in sorted((CHART / "rules").glob("*.yaml")):
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]:
            for rule in group["rules"]:
                for name, text in rule.get("annotations", {}).items():
                    if not name.endswith("_url"):
                        yield Text(f"{rule['alert']}.{name}", text)
    for name in ("values.yaml", "templates/NOTES.txt", "Chart.yaml"):
        yield Text(f"chart {name}", (CHART / name).read_text(encoding="utf-8"))
    yield from dashboard_texts()
    yield from failure_texts()
    yield from schema_texts(
        json.loads((CHART / "values.schema.json").read_text(encoding="utf-8")), "values.schema.json"
    )
    yield from log_schema_texts()


def dashboard_texts() -> Iterator[Text]:
    """Yield the titles and texts of the panels, columns, links, annotations and variables of each dashboard."""
    for path in sorted((ROOT / "grafana" / "dashboards").glob("*.json")):
        dashboard = json.loads(path.read_text(encoding="utf-8"))
        for key, text in found_texts(dashboard):
            yield Text(f"{path.name} {key} {text[:40]!r}", text)


def found_texts(node: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield each text that Grafana shows, with its key."""
    if isinstance(node, dict):
        for name, value in node.items():
            yield from found_texts(value, key if key == "renameByName" else name)
    elif isinstance(node, list):
        for value in node:
            yield from found_texts(value, key)
    elif isinstance(node, str) and node and key in GRAFANA_TEXTS:
        yield key, node


GRAFANA_TEXTS: Final = {
    *("title", "description", "noValue", "text", "label", "name", "tooltip"),
    *("legendFormat", "renameByName", "titleFormat", "textFormat"),
}
"""Keys of the texts in a dashboard."""


def failure_texts() -> Iterator[Text]:
    """Yield the messages with which the chart rejects values."""
    for path in sorted((CHART / "templates").glob("*.*")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if found := re.search(r'\bfail (?:\(printf )?"([^"]+)"', line):
                yield Text(f"{path.name}:{number}", found[1])


def schema_texts(node: Any, place: str) -> Iterator[Text]:
    """Yield the descriptions of a JSON Schema."""
    if isinstance(node, dict):
        if isinstance(node.get("description"), str):
            yield Text(place, node["description"])
        for name, value in node.items():
            yield from schema_texts(value, f"{place}.{name}")


def log_schema_texts() -> Iterator[Text]:
    """Yield the descriptions of the log lines."""
    yield from schema_texts(
        json.loads((ROOT / "docs" / "log.schema.json").read_text(encoding="utf-8")), "log.schema.json"
    )


def source_texts() -> Iterator[Text]:
    """Yield the docstrings, messages and comments of each module."""
    for path in sorted((ROOT / "exporter").rglob("*.py")):
        for token in tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline):
            if token.type in (tokenize.STRING, tokenize.COMMENT):
                yield Text(f"{path.relative_to(ROOT)}:{token.start[0]}", re.sub(r"``[^`]*``", "CODE", token.string))


def faults(text: Text) -> list[str]:
    return [
        f"{text.place}: {found.group(0)!r}; write: {instead}"
        for pattern, instead in WORDS.items()
        for found in re.finditer(rf"\b(?:{pattern})\b", text.text, re.IGNORECASE)
    ]


def test_texts_use_plain_words() -> None:
    assert [fault for text in (*pages(), *program_texts()) for fault in faults(text)] == []


def test_docstrings_messages_and_comments_use_plain_words() -> None:
    assert [fault for text in source_texts() for fault in faults(text)] == []


@pytest.mark.parametrize("text", [*pages()], ids=lambda text: text.place)
def test_sentences_of_pages_are_short(text: Text) -> None:
    prose = "\n".join(line for line in text.text.splitlines() if not line.startswith(("|", "#", "<")))
    sentences = re.split(r"(?<=[.:;!?])\s|\n\s*(?:\n|[-*] )", prose)
    assert [sentence for sentence in sentences if len(sentence.split()) > LONGEST_SENTENCE] == []


def test_titles_of_panels_have_one_to_four_words() -> None:
    titles = [
        text for text in dashboard_texts() if " title " in text.place and not text.text.startswith("Amazon Braket /")
    ]
    assert len(titles) > 50
    assert [title for title in titles if not 1 <= len(re.sub(r"\{\{.*?\}\}", "JOB", title.text).split()) <= 4] == []


def test_every_message_of_the_chart_is_found() -> None:
    templates = [path.read_text(encoding="utf-8") for path in (CHART / "templates").rglob("*.*")]
    assert len([*failure_texts()]) == sum(text.count("fail ") for text in templates) > 10


def test_the_descriptions_of_the_log_schema_are_sentences() -> None:
    descriptions = [text.text for text in log_schema_texts()]
    assert len(descriptions) > 30
    assert [text for text in descriptions if not text.endswith(".") or ";" in text] == []


def test_the_check_finds_a_word_and_names_what_to_write() -> None:
    text = Text("page", "It tells what is known.")
    assert faults(text) == [
        "page: 'tells'; write: report, return, log, show, send",
        "page: 'what is known'; write: state, record, last response",
    ]
