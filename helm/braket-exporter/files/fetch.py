import base64
import http.client
import ssl
from pathlib import Path
from urllib.parse import urlsplit


def fetch(service: str, path: str, client: Path, timeout: float) -> str:
    url = urlsplit(service)
    if url.scheme == "https":
        # As in the kubelet's own probes, the exporter's certificate is not verified.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if (client / "tls.crt").exists():
            context.load_cert_chain(client / "tls.crt", client / "tls.key")
        link = http.client.HTTPSConnection(url.netloc, timeout=timeout, context=context)
    else:
        link = http.client.HTTPConnection(url.netloc, timeout=timeout)
    headers = {}
    if (client / "username").exists():
        # A Secret created from a file often ends with a newline.
        login = b":".join((client / name).read_bytes().rstrip(b"\r\n") for name in ("username", "password"))
        headers["Authorization"] = "Basic " + base64.b64encode(login).decode()
    link.request("GET", path, headers=headers)
    response = link.getresponse()
    if response.status == 401:
        raise OSError(
            f"{path}: 401 {response.reason}: the exporter rejects the login in the Secret of webConfig.basicAuth.existingSecret"
        )
    if response.status != 200:
        raise OSError(f"{path}: {response.status} {response.reason}")
    return response.read().decode()
