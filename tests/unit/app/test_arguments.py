"""The words of a command line: what is read, and what is said about a wrong one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.app.arguments import CommandLine, Grammar, read_arguments

GRAMMAR = Grammar(
    commands=("run", "once", "check"),
    valued=("--config", "--jobs", "--poll-interval"),
    switches=("--all-jobs",),
    valueless=("--online", "--help", "-h"),
    unsupported={"--targets": "--targets: only in the file"},
    lists=("--jobs",),
)


def read(*arguments: str) -> CommandLine:
    return read_arguments(arguments, GRAMMAR)


@pytest.mark.parametrize(
    ("arguments", "command", "flags"),
    [
        ((), "run", {}),
        (("once",), "once", {}),
        (("--jobs", "a", "once"), "once", {"--jobs": "a"}),
        (("once", "--jobs=a"), "once", {"--jobs": "a"}),
        (("--jobs=a=b",), "run", {"--jobs": "a=b"}),
        (("--jobs=",), "run", {"--jobs": ""}),
        (("--jobs", ""), "run", {"--jobs": ""}),
        (("--jobs", "-5"), "run", {"--jobs": "-5"}),
        (("--jobs", "-"), "run", {"--jobs": "-"}),
        (("--jobs", "once"), "run", {"--jobs": "once"}),
        (("--jobs", "a", "--jobs", "b"), "run", {"--jobs": "b"}),
        (("--all-jobs",), "run", {"--all-jobs": "true"}),
        (("--all-jobs", "once"), "once", {"--all-jobs": "true"}),
        (("--all-jobs", "No", "once"), "once", {"--all-jobs": "No"}),
        (("--all-jobs=perhaps",), "run", {"--all-jobs": "perhaps"}),
        (("--all-jobs", "--online"), "run", {"--all-jobs": "true", "--online": "true"}),
        (("--all-jobs", "maybe", "once"), "once", {"--all-jobs": "maybe"}),
        (("once", "--all-jobs", "maybe"), "once", {"--all-jobs": "maybe"}),
        (("-h",), "run", {"-h": "true"}),
        (("--", "once"), "once", {}),
    ],
)
def test_a_command_line_is_read(arguments: tuple[str, ...], command: str, flags: dict[str, str]) -> None:
    assert read(*arguments) == CommandLine(command, flags, names_command=command in arguments)


@pytest.mark.parametrize(
    ("arguments", "problem", "suggested"),
    [
        (("--job", "a"), "unknown flag --job (did you mean --jobs?)", {"--jobs"}),
        (("--job=a",), "unknown flag --job (did you mean --jobs?)", {"--jobs"}),
        (("--JOBS", "a"), "unknown flag --JOBS (did you mean --jobs?)", {"--jobs"}),
        (("-jobs", "a"), "unknown flag -jobs (did you mean --jobs?)", {"--jobs"}),
        (("-c", "a"), "unknown flag -c (did you mean --config?)", {"--config"}),
        (("-x", "a"), "unknown flag -x; --help lists the flags", set()),
        (("--targets", "a"), "--targets: only in the file", set()),
        (("--with blank",), 'unknown flag "--with blank"; --help lists the flags', set()),
        (("--jobs",), "--jobs needs a value, as in --jobs VALUE", {"--jobs"}),
        (("--jobs", "--online"), "--jobs needs a value, as in --jobs VALUE", {"--jobs"}),
        (("--online=1",), "--online does not take a value", {"--online"}),
        (("once", "a"), "unexpected argument a; the command is once", set()),
        (("--poll-interval", "1s", "once", "a"), "unexpected argument a; the command is once", set()),
        (("once", "--all-jobs", "x.yaml"), "unexpected argument x.yaml (did you mean --config x.yaml?)", set()),
        (
            ("once", "--jobs=a", "b"),
            "unexpected argument b; separate the values of a list with commas: --jobs a,b",
            set(),
        ),
        (
            ("once", "--jobs", "http://user:s3cr3t@host", "b"),
            "unexpected argument b; separate the values of a list with commas: --jobs http://***@host,b",
            set(),
        ),
        (
            ("once", "--jobs", "a" * 113, "b"),
            "unexpected argument b; separate the values of a list with commas: --jobs VALUE,VALUE",
            set(),
        ),
        (
            ("once", "--jobs", "a", "b\n"),
            'unexpected argument "b\\n"; separate the values of a list with commas: --jobs VALUE,VALUE',
            set(),
        ),
        (("--jobs", "a", "once", "b"), "unexpected argument b; the command is once", set()),
        (("--jobs", "a", "once", "x.yaml"), "unexpected argument x.yaml (did you mean --config x.yaml?)", set()),
    ],
)
def test_a_wrong_word_is_named_as_typed_and_its_value_is_taken_with_it(
    arguments: tuple[str, ...], problem: str, suggested: set[str]
) -> None:
    line = read(*arguments)
    assert (*line.problems, line.suggested) == (problem, suggested)


def test_a_misspelled_flag_does_not_swallow_the_command() -> None:
    assert read("--al-jobs", "once") == CommandLine(
        "once", {}, ("unknown flag --al-jobs (did you mean --all-jobs?)",), frozenset({"--all-jobs"})
    )


@pytest.mark.parametrize(
    ("word", "problem"),
    [
        ("chek", "unknown command chek (did you mean check?)"),
        ("ONCE", "unknown command ONCE (did you mean once?)"),
        ("serve", "unknown command serve; commands are run, once, check"),
        ("a b", 'unknown command "a b"; commands are run, once, check'),
    ],
)
def test_an_unknown_command_is_named_as_typed(word: str, problem: str) -> None:
    assert read(word, "--jobs", "a") == CommandLine(None, {"--jobs": "a"}, (problem,))


def test_each_further_word_of_a_list_has_a_hint() -> None:
    assert read("once", "--jobs", "a", "b", "c").problems == (
        "unexpected argument b; separate the values of a list with commas: --jobs a,b",
        "unexpected argument c; separate the values of a list with commas: --jobs a,b,c",
    )


@pytest.mark.parametrize(
    ("word", "problem"),
    [
        ("b", "unknown command b; separate the values of a list with commas: --jobs a,b"),
        ("onec", "unknown command onec (did you mean once?)"),
    ],
)
def test_a_word_after_a_list_without_a_command_has_a_hint_too(word: str, problem: str) -> None:
    assert read("--jobs", "a", word) == CommandLine(None, {"--jobs": "a"}, (problem,))


def test_a_switch_leaves_a_misspelled_command() -> None:
    assert read("--all-jobs", "onec").problems == ("unknown command onec (did you mean once?)",)


@given(st.lists(st.sampled_from(["--jobs", "--jobs=a", "--al-jobs", "--all-jobs", "-c", "once", "x", "--", "-", ""])))
def test_whatever_is_typed_is_read_or_refused(arguments: list[str]) -> None:
    line = read(*arguments)
    assert line.flags.keys() <= set(GRAMMAR.flags)
    assert line.command is not None or line.problems
    assert line.problems or line.command in GRAMMAR.commands
