"""Which of the jobs that discovery meets are watched."""

import re
from collections.abc import Mapping

import pytest
from builders import ARN, CREATED
from hypothesis import given
from hypothesis import strategies as st

from exporter.core.jobs import JobSummary
from exporter.core.selector import Selector, TagRule, parse_tag_rule


def job(tags: Mapping[str, str] | None = None, name: str = "vqe-h2") -> JobSummary:
    return JobSummary(ARN, name, "RUNNING", created=CREATED, started=None, ended=None, tags=tags or {})


def chooses(*rules: str, tags: Mapping[str, str]) -> bool:
    return Selector(tuple(map(parse_tag_rule, rules))).selects(job(tags))


@pytest.mark.parametrize(
    ("text", "key", "values"),
    [
        ("team=chemistry", "team", {"chemistry"}),
        ("stage=prod|dev", "stage", {"prod", "dev"}),
        ("owner=*", "owner", None),
        ("  team =  chemistry ", "team", {"chemistry"}),
        ("stage = prod | dev ", "stage", {"prod", "dev"}),
        ("team=", "team", {""}),
        ("team=|chemistry", "team", {"", "chemistry"}),
        ("formula=a=b", "formula", {"a=b"}),
        ("url=https://x.test/?q=*", "url", {"https://x.test/?q=*"}),
        ("owner=*|ada", "owner", {"*", "ada"}),
        ("aws:cloudformation:stack-name=braket", "aws:cloudformation:stack-name", {"braket"}),
        ("Équipe=Ünïcode 🧪", "Équipe", {"Ünïcode 🧪"}),
    ],
)
def test_a_tag_rule_is_a_key_and_the_values_that_it_may_have(text: str, key: str, values: set[str] | None) -> None:
    assert parse_tag_rule(text) == TagRule(key, None if values is None else frozenset(values))


@pytest.mark.parametrize("text", ["", "team", "=chemistry", "  =chemistry", "=", "*", "|"])
def test_a_rule_without_a_key_or_an_equals_sign_is_refused_with_the_three_forms(text: str) -> None:
    with pytest.raises(ValueError, match=r"^expected key=value, key=this\|that or key=\*$"):
        parse_tag_rule(text)


def test_without_rules_no_job_is_chosen() -> None:
    assert not Selector().selects(job({"team": "chemistry"}))


def test_all_jobs_are_chosen_whatever_their_tags() -> None:
    assert Selector(all_jobs=True).selects(job())
    assert Selector((TagRule("team", None),), all_jobs=True).selects(job())


def test_a_job_is_chosen_when_its_tag_has_the_value_and_only_then() -> None:
    assert chooses("team=chemistry", tags={"team": "chemistry", "owner": "ada"})
    assert not chooses("team=chemistry", tags={"team": "physics"})
    assert not chooses("team=chemistry", tags={"owner": "chemistry"})
    assert not chooses("team=chemistry", tags={})


@pytest.mark.parametrize("tags", [{"team": "Chemistry"}, {"Team": "chemistry"}, {"team": "chemistry "}, {"team": ""}])
def test_keys_and_values_are_compared_as_aws_does_letter_by_letter(tags: dict[str, str]) -> None:
    assert not chooses("team=chemistry", tags=tags)


def test_any_of_several_values_will_do() -> None:
    assert chooses("stage=prod|dev", tags={"stage": "prod"})
    assert chooses("stage=prod|dev", tags={"stage": "dev"})
    assert not chooses("stage=prod|dev", tags={"stage": "test"})
    assert not chooses("stage=prod|dev", tags={"stage": "prod|dev"})


def test_a_star_takes_any_value_the_empty_one_too_but_wants_the_tag() -> None:
    assert chooses("owner=*", tags={"owner": "ada"})
    assert chooses("owner=*", tags={"owner": ""})
    assert not chooses("owner=*", tags={"team": "ada"})


def test_a_star_beside_other_values_is_a_value_like_any_other() -> None:
    assert chooses("owner=*|ada", tags={"owner": "*"})
    assert not chooses("owner=*|ada", tags={"owner": "grace"})


def test_all_rules_must_hold() -> None:
    rules = ("team=chemistry", "stage=prod|dev", "owner=*")
    assert chooses(*rules, tags={"team": "chemistry", "stage": "dev", "owner": "ada"})
    assert not chooses(*rules, tags={"team": "chemistry", "stage": "dev"})
    assert not chooses(*rules, tags={"team": "physics", "stage": "dev", "owner": "ada"})


@pytest.mark.parametrize(
    ("name", "chosen"),
    [("vqe-h2", True), ("vqe-", True), ("my-vqe-h2", False), ("vqe", False), ("VQE-h2", False), ("vqe-h2\n", False)],
)
def test_the_whole_name_must_match(name: str, chosen: bool) -> None:  # noqa: FBT001
    assert Selector(all_jobs=True, name=re.compile("vqe-.*")).selects(job(name=name)) is chosen


def test_a_name_that_matches_does_not_choose_a_job_that_nothing_else_chooses() -> None:
    assert not Selector(name=re.compile(".*")).selects(job({"team": "chemistry"}))
    assert not Selector((TagRule("team", None),), name=re.compile(".*")).selects(job())


def test_a_job_that_its_tags_choose_must_match_by_name_as_well() -> None:
    selector = Selector((TagRule("team", None),), name=re.compile("vqe-.*"))
    assert selector.selects(job({"team": "chemistry"}))
    assert not selector.selects(job({"team": "chemistry"}, name="qaoa"))


WORDS = st.sampled_from(["a", "b", "c", "d", ""])


@given(
    rules=st.dictionaries(WORDS.filter(bool), st.none() | st.frozensets(WORDS, min_size=1)),
    tags=st.dictionaries(WORDS, WORDS),
)
def test_one_more_rule_never_chooses_more_jobs(rules: dict[str, frozenset[str] | None], tags: dict[str, str]) -> None:
    table = tuple(TagRule(key, values) for key, values in rules.items())
    chosen = [Selector(table[:count]).selects(job(tags)) for count in range(1, len(table) + 1)]
    assert chosen == sorted(chosen, reverse=True)


@given(key=WORDS.filter(bool), values=st.lists(WORDS, min_size=1), tags=st.dictionaries(WORDS, WORDS))
def test_a_rule_that_is_written_and_read_chooses_what_it_says(
    key: str, values: list[str], tags: dict[str, str]
) -> None:
    assert chooses(f"{key}={'|'.join(values)}", tags=tags) is (tags.get(key) in values)
