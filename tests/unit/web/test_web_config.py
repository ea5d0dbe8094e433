"""The web configuration file: what it means, and what every wrong key is told."""

import json
import traceback
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from exporter.core import describe_errors, key_text
from exporter.web.http import WebConfigError
from exporter.web.http.tls_config import TlsConfig
from exporter.web.http.web_config import WebConfig, parse_web_config

HASH = "$2y$10$qVgzwQKtNd1VKN1LGsAImO0LOGu.3aDLKY8kmG6DL6.bxnYQ6aDp6"
PAIR = "cert_file: server.crt, key_file: server.key"


def parse(text: str) -> WebConfig:
    return parse_web_config(text, "/etc/web")


def tls(members: str) -> TlsConfig:
    found = parse(f"tls_server_config: {{{PAIR}, {members}}}").tls
    assert found is not None
    return found


def problems(text: str) -> list[str]:
    with pytest.raises(WebConfigError) as caught:
        parse(text)
    assert str(caught.value) == "; ".join(caught.value.problems)
    return list(caught.value.problems)


def problems_of_tls(members: str) -> list[str]:
    pair = "key_file: server.key" if members.startswith("cert_file") else PAIR
    found = problems(f"tls_server_config: {{{pair}, {members}}}")
    assert all(problem.startswith("tls_server_config.") for problem in found)
    return [problem.removeprefix("tls_server_config.") for problem in found]


def test_a_certificate_and_its_key_are_all_that_tls_needs() -> None:
    config = parse(f"tls_server_config: {{{PAIR}}}")
    assert config.tls is not None
    assert [*config.tls.files.values()] == ["/etc/web/server.crt", "/etc/web/server.key"]
    assert config == WebConfig(tls_server_config=config.tls)
    assert config.tls.model_fields_set == {"cert_file", "key_file"}


def test_every_key_of_tls_has_its_meaning() -> None:
    text = f"""\
tls_server_config:
  cert_file: tls/server.crt
  key_file: /run/server.key
  client_ca_file: ca.crt
  client_auth_type: RequireAndVerifyClientCert
  client_allowed_sans: [prometheus.example.com, "0:0:0:0:0:0:0:1"]
  min_version: TLS12
  max_version: TLS13
  cipher_suites: [TLS_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256]
  prefer_server_cipher_suites: true
http_server_config:
  http2: true
  headers:
    Content-Security-Policy: default-src 'self'
    X-Frame-Options: deny
    X-Content-Type-Options: nosniff
    X-XSS-Protection: 1; mode=block
    Strict-Transport-Security: max-age=31536000
basic_auth_users:
  alice: {HASH}
"""
    config = parse(text)
    assert config.tls is not None
    assert config.tls.model_dump(exclude_none=True) == {
        "cert_file": "/etc/web/tls/server.crt",
        "key_file": "/run/server.key",
        "client_ca_file": "/etc/web/ca.crt",
        "client_auth_type": "RequireAndVerifyClientCert",
        "client_allowed_sans": {"prometheus.example.com", "::1"},
        "min_version": "TLS12",
        "max_version": "TLS13",
        "cipher_suites": ("TLS_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"),
        "prefer_server_cipher_suites": True,
    }
    assert config.tls.ciphers == ("ECDHE-RSA-CHACHA20-POLY1305",)
    assert [*config.tls.files.values()] == ["/etc/web/tls/server.crt", "/run/server.key", "/etc/web/ca.crt"]
    assert config.headers == {
        "Content-Security-Policy": "default-src 'self'",
        "X-Frame-Options": "deny",
        "X-Content-Type-Options": "nosniff",
        "X-XSS-Protection": "1; mode=block",
        "Strict-Transport-Security": "max-age=31536000",
    }
    assert config.users == {"alice": HASH}


@pytest.mark.parametrize(
    "kind", ["NoClientCert", "RequestClientCert", "VerifyClientCertIfGiven", "RequireAndVerifyClientCert"]
)
def test_each_client_auth_type_that_is_supported(kind: str) -> None:
    authorities = "" if kind == "NoClientCert" else ", client_ca_file: ca.crt"
    assert tls(f"client_auth_type: {kind}{authorities}").client_auth_type == kind


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ("client_auth_type: ''", ("NoClientCert", "", "TLS12", "TLS13")),
        ("min_version: '', max_version: '', client_ca_file: ''", ("NoClientCert", "", "TLS12", "TLS13")),
        ("client_auth_type:, min_version:, max_version:, client_ca_file:", ("NoClientCert", "", "TLS12", "TLS13")),
    ],
)
def test_an_empty_key_of_tls_has_its_default(members: str, expected: tuple[str, ...]) -> None:
    config = tls(members)
    assert (config.client_auth_type, config.client_ca_file, config.min_version, config.max_version) == expected


@pytest.mark.parametrize("text", ["{}", "# nothing\n{}", "tls_server_config:", "tls_server_config: {}", "rate_limit:"])
def test_a_file_that_says_nothing_means_nothing(text: str) -> None:
    assert parse(text) == WebConfig()
    assert parse(text).headers == {}


def test_an_empty_header_is_not_set() -> None:
    assert parse("http_server_config: {headers: {X-Frame-Options: ''}}").headers == {}


def test_the_hashes_are_not_shown_where_the_configuration_is() -> None:
    assert "$2y$" not in repr(parse(f"basic_auth_users: {{alice: {HASH}}}"))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is empty: expected tls_server_config, basic_auth_users or http_server_config"),
        ("# nothing", "is empty: expected tls_server_config, basic_auth_users or http_server_config"),
        ("- a", "expected keys with values, such as 'basic_auth_users: {}'"),
        ("a: [", "line 1, column 5: not valid YAML: expected the node content, but found '<stream end>'"),
        ("tls_server_confg: {}", "unknown key tls_server_confg (did you mean tls_server_config?)"),
        ("1: {}", "unknown key 1; expected one of tls_server_config, http_server_config, basic_auth_users, rate_limit"),
        (
            f"tls_server_config: {{{PAIR}, cert_fil: a}}",
            "tls_server_config: unknown key cert_fil (did you mean cert_file?)",
        ),
        ("tls_server_config: on", "tls_server_config: expected keys with values"),
        ("http_server_config: {http3: true}", "http_server_config: unknown key http3 (did you mean http2?)"),
        ("http_server_config: {http2: 2}", "http_server_config.http2 = 2: expected true or false"),
        (
            "http_server_config: {headers: {X-Frame-Options: always}}",
            'http_server_config.headers.X-Frame-Options = "always": expected deny or sameorigin',
        ),
        (
            "http_server_config: {headers: {X-XSS-Protection: 0}}",
            "http_server_config.headers.X-XSS-Protection = 0: expected text",
        ),
        (
            'http_server_config: {headers: {Content-Security-Policy: "a\\r\\nSet-Cookie: b"}}',
            'http_server_config.headers.Content-Security-Policy = "a\\r\\nSet-Cookie: b": expected one line of ASCII',
        ),
        (
            "http_server_config: {headers: {Server: me}}",
            (
                "http_server_config.headers: unknown key Server; expected one of Content-Security-Policy, "
                "X-Frame-Options, X-Content-Type-Options, X-XSS-Protection, Strict-Transport-Security"
            ),
        ),
        (
            "rate_limit: {interval: 1s, burst: 20}",
            "rate_limit: is not supported; the exporter bounds its connections by itself",
        ),
    ],
)
def test_a_bad_file_is_told_its_key_and_what_would_be_right(text: str, problem: str) -> None:
    assert problems(text) == [problem]


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        ("client_ca_file: 7", "client_ca_file = 7: expected text"),
        ("min_version: TLS11", 'min_version = "TLS11": expected TLS12 or TLS13'),
        ("max_version: TLS14", 'max_version = "TLS14": expected TLS12 or TLS13'),
        ("min_version: 1.2", "min_version = 1.2: expected TLS12 or TLS13"),
        ("min_version: TLS13, max_version: TLS12", 'max_version = "TLS12": below min_version, which is TLS13'),
        ("cert: PEM", "cert: is not supported; Python's TLS reads files: give it as cert_file"),
        ("key: PEM", "key: is not supported; Python's TLS reads files: give it as key_file"),
        ("client_ca: PEM", "client_ca: is not supported; Python's TLS reads files: give it as client_ca_file"),
        ("cert_file: 7", "cert_file = 7: expected text"),
        ("client_allowed_sans: [a, 7]", "client_allowed_sans[1] = 7: expected text"),
        ("prefer_server_cipher_suites: ''", 'prefer_server_cipher_suites = "": expected true or false'),
        ("cipher_suites: ''", 'cipher_suites = "": expected a list'),
        ("curve_preferences: [X25519]", "curve_preferences: is not supported; leave it out"),
        ("prefer_server_cipher_suites: 1", "prefer_server_cipher_suites = 1: expected true or false"),
        (
            "client_auth_type: RequireAnyClientCert",
            (
                'client_auth_type = "RequireAnyClientCert": not supported: Python\'s TLS cannot accept unverified '
                "client certificates; use RequireAndVerifyClientCert"
            ),
        ),
        (
            "client_auth_type: Always",
            (
                'client_auth_type = "Always": expected one of NoClientCert, RequestClientCert, '
                "VerifyClientCertIfGiven, RequireAndVerifyClientCert"
            ),
        ),
        (
            "client_auth_type: RequireAndVerifyClientCert",
            "client_ca_file: is missing, which RequireAndVerifyClientCert needs",
        ),
        (
            "client_ca_file: ca.crt",
            "client_ca_file: goes with a client_auth_type, such as RequireAndVerifyClientCert",
        ),
        (
            "client_ca_file: ca.crt, client_auth_type: VerifyClientCertIfGiven, client_allowed_sans: [a]",
            "client_allowed_sans: goes with client_auth_type RequireAndVerifyClientCert only",
        ),
        ("client_allowed_sans: a", 'client_allowed_sans = "a": expected a list'),
        (
            "cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA265]",
            (
                'cipher_suites[0] = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA265": unknown cipher suite '
                "(did you mean TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256?)"
            ),
        ),
        (
            "cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA]",
            (
                'cipher_suites[0] = "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": not supported; '
                "use a suite with ECDHE and GCM or CHACHA20_POLY1305"
            ),
        ),
        (
            "cipher_suites: [TLS_AES_256_GCM_SHA384]",
            "cipher_suites: names none for TLS 1.2; to allow TLS 1.3 only, set min_version: TLS13",
        ),
    ],
)
def test_bad_tls_is_told_its_key_and_what_would_be_right(members: str, problem: str) -> None:
    assert problems_of_tls(members)[0] == problem


def test_what_tls_lacks_is_told() -> None:
    assert problems("tls_server_config: {min_version: TLS13}") == [
        "tls_server_config.cert_file: is missing",
        "tls_server_config.key_file: is missing",
    ]


@pytest.mark.parametrize(
    "value", ["hunter2", "12345678", "[hunter2]", f"{HASH}x", HASH.replace("$2y", "$2x"), HASH.replace(".", "!"), "''"]
)
def test_what_is_no_hash_is_not_shown_for_it_may_be_the_password(value: str) -> None:
    assert problems(f"basic_auth_users: {{alice: {value}}}") == [
        "basic_auth_users.alice: expected a bcrypt hash, such as htpasswd -nB prints; it begins with $2y$10$"
    ]


def test_a_certificate_that_is_not_in_a_file_is_one_problem() -> None:
    assert problems("tls_server_config: {cert: PEM, key_file: server.key}") == [
        "tls_server_config.cert: is not supported; Python's TLS reads files: give it as cert_file"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "hunter2",
        "[hunter2]",
        "basic_auth_users: hunter2",
        "basic_auth_users: [hunter2]",
        f"basic_auth_users: {HASH}",
        "basic_auth_users: {alice: hunter2, 7: hunter2, yes: [hunter2], 'a:b': {hunter2: hunter2}}",
        f"basic_auth_users: {{alice: {HASH}hunter2}}",
        "basic_auth_users: {'[key]': hunter2}",
        "tls_server_config: hunter2",
        "tls_server_config: {cert: hunter2, key: hunter2, client_ca: hunter2}",
        'tls_server_config: {cert_file: "hunter2\\n", key_file: "hunter2\\0", client_ca_file: "hunter2\\ud800"}',
        "rate_limit: hunter2",
        "tls_server_config: {curve_preferences: hunter2}",
        "http_server_config: hunter2",
        "http_server_config: {headers: hunter2}",
    ],
)
def test_no_error_shows_a_value_that_may_be_a_secret(text: str) -> None:
    with pytest.raises(WebConfigError) as caught:
        parse(text)
    shown = "".join(traceback.format_exception(caught.value)).replace(repr(text), "")
    assert "hunter2" not in shown
    assert "$2y$10$q" not in shown


@given(st.dictionaries(st.text() | st.integers() | st.booleans(), st.just("hunter2") | st.lists(st.just("hunter2"))))
def test_a_user_who_is_not_valid_is_one_problem_without_the_value(users: dict[object, object]) -> None:
    with pytest.raises(ValidationError) as caught:
        WebConfig.model_validate({"basic_auth_users": {**users, "alice": "hunter2"}})
    found = [*describe_errors(caught.value.errors(include_url=False), WebConfig, "key")]
    assert len(found) == len({key_text(name) for name in users} | {"alice"})
    assert not any("hunter2" in problem for problem in found)


def test_a_number_and_a_text_that_look_the_same_are_two_users_and_the_number_is_not_valid() -> None:
    for users in (f"7: {HASH}, '7': {HASH}", f"'7': {HASH}, 7: {HASH}"):
        assert problems(f"basic_auth_users: {{{users}}}") == [
            "basic_auth_users.7: a user's name is text without a colon; put it in quotes"
        ]


@pytest.mark.parametrize("cost", ["03", "16", "31"])
def test_a_hash_whose_check_takes_too_long_is_refused(cost: str) -> None:
    assert problems(f"basic_auth_users: {{alice: {HASH.replace('$10$', f'${cost}$')}}}") == [
        f"basic_auth_users.alice: the hash has cost {cost}; expected 4 to 15, a check takes too long else"
    ]


@pytest.mark.parametrize(
    ("user", "shown"), [("yes", "true"), ("7", "7"), ("'a:b'", "a:b"), ("''", '""'), ("'[key]': x, 7", "7")]
)
def test_a_user_who_could_never_log_in_is_refused(user: str, shown: str) -> None:
    assert problems(f"basic_auth_users: {{{user}: {HASH}}}")[-1:] == [
        f"basic_auth_users.{shown}: a user's name is text without a colon; put it in quotes"
    ]


def test_several_problems_are_told_at_once() -> None:
    text = "tls_server_config: {cert_file: a, min_version: TLS9}\nbasic_auth_users: {alice: x}\nnonsense: 1\n"
    assert problems(text) == [
        "tls_server_config.key_file: is missing",
        'tls_server_config.min_version = "TLS9": expected TLS12 or TLS13',
        "basic_auth_users.alice: expected a bcrypt hash, such as htpasswd -nB prints; it begins with $2y$10$",
        "unknown key nonsense; expected one of tls_server_config, http_server_config, basic_auth_users, rate_limit",
    ]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["TLS12", "x", HASH, ""]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["alice", "headers", "key"]), inner),
    max_leaves=4,
)


@given(
    st.dictionaries(
        st.sampled_from(["tls_server_config", "http_server_config", "basic_auth_users", "rate_limit", "x"]),
        VALUES | st.dictionaries(st.sampled_from(["cert_file", "key", "headers", "http2", "cipher_suites"]), VALUES),
    )
)
def test_whatever_the_file_holds_it_is_read_or_refused(values: dict[str, object]) -> None:
    with suppress(WebConfigError):
        parse(json.dumps(values))


def test_a_key_that_the_file_has_twice_is_refused_with_both_lines_and_never_opens_the_metrics() -> None:
    text = f"basic_auth_users:\n  alice: {HASH}\nbasic_auth_users: {{}}\n"
    assert problems(text) == ["line 3, column 1: duplicate key basic_auth_users, first on line 1; keep one of them"]
    text = f"basic_auth_users:\n  alice: {HASH}\n  bob: {HASH}\n  alice: {HASH}\n"
    assert problems(text) == ["line 4, column 3: duplicate key alice, first on line 2; keep one of them"]


@pytest.mark.parametrize("value", ["*hunter2", "!hunter2", "!!int hunter2", "@hunter2"])
def test_yaml_that_is_not_valid_is_told_without_its_values_for_they_may_be_passwords(value: str) -> None:
    (problem,) = problems(f"basic_auth_users:\n  alice: {value}")
    assert "hunter2" not in problem
    assert problem.startswith("line 2, column 10: ")


@pytest.mark.parametrize("text", [f"0x{'F' * 9000}: 1", f"{'k' * 9000}: 1", f"basic_auth_users: {{{'u' * 9000}: x}}"])
def test_no_problem_is_long(text: str) -> None:
    (problem,) = problems(text)
    assert len(problem) < 300
