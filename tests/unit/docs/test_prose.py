"""The texts that users and contributors read keep to plain words and short sentences."""

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import pytest
import yaml

from exporter.app.settings import Settings
from exporter.metrics import EXPORTER_FAMILIES, job_families

ROOT = Path(__file__).parents[3]

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
    """Yield the texts that the exporter shows, and those of the rules and the chart."""
    for key, field in Settings.model_fields.items():
        yield Text(f"setting {key}", str(field.description))
    for family in (*job_families(), *EXPORTER_FAMILIES):
        yield Text(f"metric {family.name}", family.help)
    for path in sorted((ROOT / "helm" / "braket-exporter" / "rules").glob("*.yaml")):
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]:
            for rule in group["rules"]:
                for name, text in rule.get("annotations", {}).items():
                    if not name.endswith("_url"):
                        yield Text(f"{rule['alert']}.{name}", text)
    for name in ("values.yaml", "templates/NOTES.txt", "Chart.yaml"):
        yield Text(f"chart {name}", (ROOT / "helm" / "braket-exporter" / name).read_text(encoding="utf-8"))


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


@pytest.mark.parametrize("text", [*pages(), *program_texts()], ids=lambda text: text.place)
def test_texts_use_plain_words(text: Text) -> None:
    assert faults(text) == []


def test_docstrings_messages_and_comments_use_plain_words() -> None:
    assert [fault for text in source_texts() for fault in faults(text)] == []


@pytest.mark.parametrize("text", [*pages()], ids=lambda text: text.place)
def test_sentences_of_pages_are_short(text: Text) -> None:
    prose = "\n".join(line for line in text.text.splitlines() if not line.startswith(("|", "#", "<")))
    sentences = re.split(r"(?<=[.:;!?])\s|\n\s*(?:\n|[-*] )", prose)
    assert [sentence for sentence in sentences if len(sentence.split()) > LONGEST_SENTENCE] == []


def test_the_check_finds_a_word_and_names_what_to_write() -> None:
    text = Text("page", "It tells what is known.")
    assert faults(text) == [
        "page: 'tells'; write: report, return, log, show, send",
        "page: 'what is known'; write: state, record, last response",
    ]
