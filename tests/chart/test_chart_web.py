"""templates/_web.tpl: TLS and passwords in every template; probes and helm test against a real exporter."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import bcrypt
import pytest
import yaml
from certificates import Authority
from chart_support import NAME, NAMESPACE, ROOT, container, only, pod, refusal, render
from processes import closed_port, daemon, environment

PROBES = ("startupProbe", "livenessProbe", "readinessProbe")
MONITORS = ("serviceMonitor", "podMonitor")
JOB = "arn:aws:braket:us-west-2:123456789012:job/1"
USER, PASSWORD = "prometheus", "rosebud: é"

FILE = {"existingSecret": "web"}
TLS = {**FILE, "tls": True}
LOGIN = {"basicAuth": {"existingSecret": "login"}}
CERTIFICATE = {"clientCertificate": {"existingSecret": "client"}}

LOGIN_ITEMS = [{"key": "username", "path": "username"}, {"key": "password", "path": "password"}]
PAIR_ITEMS = [{"key": "tls.crt", "path": "tls.crt"}, {"key": "tls.key", "path": "tls.key"}]
WEB_MOUNT = {"name": "web", "mountPath": "/etc/braket-exporter-web", "readOnly": True}
CLIENT_MOUNT = {"name": "client", "mountPath": "/etc/braket-exporter-client", "readOnly": True}
BOTH = {
    "name": "client",
    "projected": {
        "defaultMode": 0o440,
        "sources": [
            {"secret": {"name": "login", "items": LOGIN_ITEMS}},
            {"secret": {"name": "client", "items": PAIR_ITEMS}},
        ],
    },
}


def web(*parts: dict[str, Any]) -> dict[str, Any]:
    """Write the values of a web configuration, with monitors."""
    merged = {key: value for part in parts for key, value in part.items()}
    monitor = {"enabled": True, "tlsConfig": {"insecureSkipVerify": True} if merged.get("tls") else {}}
    return {"webConfig": merged, **dict.fromkeys(MONITORS, monitor)}


def endpoints(values: dict[str, Any]) -> list[dict[str, Any]]:
    manifests = render(values)
    return [
        only(manifests, "ServiceMonitor")["spec"]["endpoints"][0],
        only(manifests, "PodMonitor")["spec"]["podMetricsEndpoints"][0],
    ]


def test_without_a_secret_there_is_no_web_configuration() -> None:
    assert "web_config_file" not in only(render(), "ConfigMap")["data"]["exporter.yaml"]
    assert {one["name"] for one in pod()["volumes"]} == {"config", "state"}
    assert "volumes" not in only(render(), "Pod", f"{NAME}-test")["spec"]


@pytest.mark.parametrize("key", ["web-config.yaml", "web.yml"])
def test_the_exporter_reads_the_secrets_file(key: str) -> None:
    values = web(FILE, {"key": key})
    settings = yaml.safe_load(only(render(values), "ConfigMap")["data"]["exporter.yaml"])
    assert settings["web_config_file"] == f"/etc/braket-exporter-web/{key}"
    assert container(values)["volumeMounts"][2:] == [WEB_MOUNT]
    assert pod(values)["volumes"][2:] == [
        {"name": "web", "projected": {"defaultMode": 0o440, "sources": [{"secret": {"name": "web"}}]}}
    ]


def test_certificates_may_be_in_a_secret_of_their_own() -> None:
    sources = pod(web(TLS, {"certificateSecret": "cert"}))["volumes"][2]["projected"]["sources"]
    assert sources == [{"secret": {"name": "web"}}, {"secret": {"name": "cert"}}]


def test_with_tls_the_kubelet_probes_by_https() -> None:
    made = container(web(TLS))
    assert [made[probe]["httpGet"].pop("scheme") for probe in PROBES] == ["HTTPS"] * 3
    assert [made[probe] for probe in PROBES] == [container()[probe] for probe in PROBES]
    assert made["volumeMounts"][2:] == [WEB_MOUNT]


@pytest.mark.parametrize("values", [web(FILE, LOGIN), web(TLS, LOGIN), web(TLS, CERTIFICATE)])
def test_with_a_login_or_certificate_a_command_probes_at_the_same_interval(values: dict[str, Any]) -> None:
    made = container(values)
    scheme = "https" if values["webConfig"].get("tls") else "http"
    for probe, path, timeout in zip(PROBES, ("healthy", "healthy", "ready"), "255", strict=True):
        command = made[probe].pop("exec")["command"]
        assert command[:3] == ["/opt/braket-exporter/bin/python", "-I", "-c"]
        assert command[4:] == [f"{scheme}://localhost:9834", f"/-/{path}", timeout]
        assert made[probe].items() == {k: v for k, v in container()[probe].items() if k != "httpGet"}.items()
    assert "/opt/braket-exporter/bin/python" in (ROOT / "Dockerfile").read_text(encoding="utf-8")


def test_a_command_requests_the_containers_port_with_the_timeout_of_its_probe() -> None:
    values = {**web(TLS, LOGIN), "containerPort": 9000, "livenessProbe": {"timeoutSeconds": 9}}
    assert container(values)["livenessProbe"]["exec"]["command"][4:] == ["https://localhost:9000", "/-/healthy", "9"]


def test_login_and_certificate_are_mounted_in_the_directory_of_the_command() -> None:
    values = web(TLS, LOGIN, CERTIFICATE)
    assert container(values)["volumeMounts"][2:] == [WEB_MOUNT, CLIENT_MOUNT]
    assert pod(values)["volumes"][3:] == [BOTH]
    test = only(render(values), "Pod", f"{NAME}-test")["spec"]
    assert test["volumes"] == [BOTH]
    assert test["containers"][0]["volumeMounts"] == [CLIENT_MOUNT]
    assert test["containers"][0]["args"][1:] == [f"https://{NAME}.{NAMESPACE}:9834", "/etc/braket-exporter-client"]


def test_a_secret_may_have_other_keys() -> None:
    login = {"basicAuth": {"existingSecret": "login", "usernameKey": "user", "passwordKey": "word"}}
    pair = {"clientCertificate": {"existingSecret": "client", "certificateKey": "c.crt", "keyKey": "c.key"}}
    values = web(TLS, login, pair)
    sources = pod(values)["volumes"][3]["projected"]["sources"]
    assert [item["key"] for source in sources for item in source["secret"]["items"]] == [
        *("user", "word", "c.crt", "c.key")
    ]
    for endpoint in endpoints(values):
        assert endpoint["basicAuth"]["password"] == {"name": "login", "key": "word"}
        assert endpoint["tlsConfig"]["keySecret"] == {"name": "client", "key": "c.key"}


def test_prometheus_scrapes_by_https_with_password_and_certificate() -> None:
    group = {"targetLabel": "exporter_group", "replacement": f"{NAMESPACE}/{NAME}"}
    common = {"interval": "30s", "honorLabels": True, "relabelings": [group]}
    plain = {"port": "metrics", "path": "/metrics", **common}
    tls = {"scheme": "https", "tlsConfig": {"insecureSkipVerify": True}}
    login = {
        "username": {"name": "login", "key": "username"},
        "password": {"name": "login", "key": "password"},
    }
    pair = {
        "cert": {"secret": {"name": "client", "key": "tls.crt"}},
        "keySecret": {"name": "client", "key": "tls.key"},
    }
    assert endpoints(web(FILE)) == [plain] * 2
    assert endpoints(web(FILE, LOGIN)) == [{**plain, "basicAuth": login}] * 2
    assert endpoints(web(TLS)) == [{**plain, **tls}] * 2
    assert (
        endpoints(web(TLS, LOGIN, CERTIFICATE))
        == [{**plain, "basicAuth": login, "scheme": "https", "tlsConfig": {"insecureSkipVerify": True, **pair}}] * 2
    )


def test_prometheus_can_have_its_own_certificate() -> None:
    own = {"cert": {"secret": {"name": "own", "key": "a"}}, "keySecret": {"name": "own", "key": "b"}}
    values = {"webConfig": {**TLS, **CERTIFICATE}, **{key: {"enabled": True, "tlsConfig": own} for key in MONITORS}}
    assert [endpoint["tlsConfig"] for endpoint in endpoints(values)] == [own] * 2


NO_SECRET = "webConfig.existingSecret is empty; set it to the Secret with the web configuration file"
NO_TLS = "webConfig.tls is false; set webConfig.tls: true"
TLS_ON = "webConfig.tls is true; set ca and serverName to verify the exporter's certificate"


@pytest.mark.parametrize(
    ("values", "reported"),
    [
        ({"webConfig": {"tls": True}}, f"webConfig.tls is set, but {NO_SECRET}"),
        ({"webConfig": LOGIN}, f"webConfig.basicAuth.existingSecret is set, but {NO_SECRET}"),
        ({"webConfig": {"certificateSecret": "a"}}, f"webConfig.certificateSecret is set, but {NO_SECRET}"),
        ({"webConfig": {**FILE, "certificateSecret": "a"}}, f"webConfig.certificateSecret is set, but {NO_TLS}"),
        ({"webConfig": {**FILE, **CERTIFICATE}}, f"webConfig.clientCertificate.existingSecret is set, but {NO_TLS}"),
        ({"webConfig": TLS, "serviceMonitor": {"enabled": True}}, f"serviceMonitor.tlsConfig is empty, but {TLS_ON}"),
        ({"webConfig": TLS, "podMonitor": {"enabled": True}}, f"podMonitor.tlsConfig is empty, but {TLS_ON}"),
        ({"podMonitor": {"tlsConfig": {"serverName": "a"}}}, f"podMonitor.tlsConfig is set, but {NO_TLS}"),
    ],
    ids=str,
)
def test_invalid_combinations_are_rejected(values: dict[str, Any], reported: str) -> None:
    assert reported in refusal(values)


class Place:
    """The content of the Secrets, as files."""

    def __init__(self, folder: Path, *, tls: bool, login: bool, certificate: bool) -> None:
        self.values = web(TLS if tls else FILE, LOGIN if login else {}, CERTIFICATE if certificate else {})
        self.scheme = "https" if tls else "http"
        self.client = folder / "client"
        self.client.mkdir()
        authority = Authority.in_folder(folder)
        text: dict[str, Any] = {}
        if tls:
            authority.issue("tls", "exporter.example.com")
            text["tls_server_config"] = {"cert_file": "tls.crt", "key_file": "tls.key"}
        if certificate:
            pair = authority.issue("prometheus")
            pair.certificate.rename(self.client / "tls.crt")
            pair.key.rename(self.client / "tls.key")
            text["tls_server_config"] |= {
                "client_ca_file": "ca.crt",
                "client_auth_type": "RequireAndVerifyClientCert",
            }
        if login:
            (self.client / "username").write_text(USER, encoding="utf-8")
            (self.client / "password").write_text(PASSWORD, encoding="utf-8")
            text["basic_auth_users"] = {USER: bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()}
        self.file = folder / "web-config.yaml"
        self.file.write_text(yaml.safe_dump(text), encoding="utf-8")

    def probe(self, name: str, address: str) -> "subprocess.CompletedProcess[str]":
        """Run a probe's command with the interpreter, address and directory of this test."""
        _, *command = container(self.values)[name]["exec"]["command"]
        command[2] = command[2].replace("/etc/braket-exporter-client", str(self.client))
        command[3] = f"{self.scheme}://{address}"
        return run([sys.executable, *command])

    def scrape(self, address: str) -> "subprocess.CompletedProcess[str]":
        """Run the command of `helm test` in the same way, once."""
        script = only(render(self.values), "Pod", f"{NAME}-test")["spec"]["containers"][0]["args"][0]
        once = script.replace("[False] * 30 + [True]", "[True]")
        assert once != script
        return run([sys.executable, "-c", once, f"{self.scheme}://{address}", str(self.client)])


def run(command: list[str]) -> "subprocess.CompletedProcess[str]":
    # A proxy of the exporter's own calls is none of a probe's.
    variables = environment({"HTTPS_PROXY": "http://127.0.0.1:1", "HTTP_PROXY": "http://127.0.0.1:1"})
    return subprocess.run(command, env=variables, capture_output=True, text=True, timeout=20, check=False)


@pytest.fixture(params=["login", "tls-login", "tls-certificate", "tls-login-certificate"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    parts = request.param.split("-")
    return Place(tmp_path, tls="tls" in parts, login="login" in parts, certificate="certificate" in parts)


def test_probes_and_helm_test_succeed_only_with_their_files(place: Place) -> None:
    nowhere = {"AWS_ENDPOINT_URL_BRAKET": f"http://127.0.0.1:{closed_port()}"}
    with daemon("--jobs", JOB, "--web-config-file", str(place.file), env=nowhere) as exporter:
        ready, live = (place.probe(name, exporter.address) for name in ("readinessProbe", "livenessProbe"))
        tested = place.scrape(exporter.address)
        for file in place.client.iterdir():
            file.unlink()
        refused = [place.probe("livenessProbe", exporter.address), place.scrape(exporter.address)]
    assert (live.returncode, live.stdout, live.stderr) == (0, "", "")
    assert (ready.returncode, ready.stderr) == (1, "OSError: /-/ready: 503 Service Unavailable\n")
    assert (tested.returncode, tested.stderr) == (0, "")
    assert "braket_exporter_build_info" in tested.stdout
    for done in refused:
        assert done.returncode == 1
        assert "401 Unauthorized" in done.stderr or "SSL" in done.stderr or "Remote end closed" in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_login_with_newlines_is_accepted_and_a_wrong_login_is_named_as_the_cause(tmp_path: Path, end: str) -> None:
    place = Place(tmp_path, tls=False, login=True, certificate=False)
    (place.client / "username").write_bytes(f"{USER}{end}".encode())
    (place.client / "password").write_bytes(f"{PASSWORD}{end}".encode())
    nowhere = {"AWS_ENDPOINT_URL_BRAKET": f"http://127.0.0.1:{closed_port()}"}
    with daemon("--jobs", JOB, "--web-config-file", str(place.file), env=nowhere) as exporter:
        live = place.probe("livenessProbe", exporter.address)
        (place.client / "password").write_text("wrong", encoding="utf-8")
        refused = place.probe("livenessProbe", exporter.address)
    assert (live.returncode, live.stderr) == (0, "")
    assert refused.returncode == 1
    cause = "the exporter rejects the login in the Secret of webConfig.basicAuth.existingSecret"
    assert refused.stderr == f"OSError: /-/healthy: 401 Unauthorized: {cause}\n"


def test_a_probe_without_a_response_fails_with_one_line(tmp_path: Path) -> None:
    place = Place(tmp_path, tls=True, login=True, certificate=False)
    done = place.probe("livenessProbe", f"127.0.0.1:{closed_port()}")
    assert done.returncode == 1
    assert done.stderr.startswith("ConnectionRefusedError: ")
    assert done.stderr.count("\n") == 1
