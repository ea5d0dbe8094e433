# docs/container.md says how to build this and how to run it.

# Any Debian with python3 3.11 or newer and its pip. Pin it with --build-arg PYTHON_IMAGE=NAME@sha256:DIGEST.
ARG PYTHON_IMAGE=docker.io/library/python:3.13-slim-bookworm

FROM ${PYTHON_IMAGE} AS builder
ENV PYTHONDONTWRITEBYTECODE=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ONLY_BINARY=:all: PIP_REQUIRE_HASHES=1
WORKDIR /build
RUN python3 -m venv --without-pip /build/tools \
 && python3 -m venv --without-pip /opt/braket-exporter

COPY requirements-build.lock requirements.lock ./
RUN python3 -m pip --python tools/bin/python install --no-deps --no-compile -r requirements-build.lock \
 && python3 -m pip --python /opt/braket-exporter/bin/python install --no-deps --no-compile -r requirements.lock

COPY LICENSE README.md pyproject.toml ./
COPY exporter exporter
RUN tools/bin/python -m hatchling build --target wheel \
 && PIP_REQUIRE_HASHES=0 python3 -m pip --python /opt/braket-exporter/bin/python \
      install --no-deps --no-compile --no-index dist/*.whl

# Of the SDK's data, what the exporter and the SDK's own chain of credentials ask for. Of the scripts, ours.
# The compiled code does not look at its source, whose time may change on the way into an image.
RUN rm -r /opt/braket-exporter/lib/python3*/site-packages/boto3/data \
      /opt/braket-exporter/lib/python3*/site-packages/boto3/examples \
 && find /opt/braket-exporter/lib/python3*/site-packages/botocore/data -mindepth 1 -maxdepth 1 -type d \
      ! -name braket ! -name signin ! -name sso ! -name sso-oidc ! -name sts -exec rm -r {} + \
 && find /opt/braket-exporter/bin -mindepth 1 ! -name 'python*' ! -name braket-exporter -delete \
 && /opt/braket-exporter/bin/python -m compileall -q -f --invalidation-mode unchecked-hash /opt/braket-exporter/lib

# Official Python images have no compiled standard library, and a read-only one never gets any: what is used goes along.
# It is what Python compiles when all that the exporter may use is imported, and all clients are made.
RUN mkdir compiled \
 && touch before \
 && PYTHONDONTWRITEBYTECODE="" /opt/braket-exporter/bin/python -c "import boto3, exporter.__main__, exporter.app.cli, exporter.simulator.__main__, exporter.web.status_page; \
      [boto3.client(name, 'us-east-1') for name in ('braket', 'signin', 'sso', 'sso-oidc', 'sts')]" \
 && find /usr -name '*.pyc' -newer before -exec cp --parents --target-directory /build/compiled {} +


# No step of this one runs anything: it holds the base and what was made above.
FROM ${PYTHON_IMAGE}
COPY --from=builder /build/compiled /
COPY --from=builder /opt/braket-exporter /opt/braket-exporter

USER 65532:65532
EXPOSE 9834
STOPSIGNAL SIGTERM

ENTRYPOINT ["/opt/braket-exporter/bin/braket-exporter"]

# Where the address is set by a flag or in the file, give it to this check in the variable, too.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s \
  CMD ["/opt/braket-exporter/bin/python", "-I", "-c", "import http.client, os, sys; address = os.environ.get('BRAKET_EXPORTER_LISTEN_ADDRESS') or ':9834'; link = http.client.HTTPConnection(('127.0.0.1' if address.startswith(':') else '') + address, timeout=4); link.request('GET', '/-/healthy'); sys.exit(link.getresponse().status != 200)"]

ARG PYTHON_IMAGE
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="braket-exporter" \
      org.opencontainers.image.description="Prometheus exporter for Amazon Braket hybrid jobs" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="${PYTHON_IMAGE}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
