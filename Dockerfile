# See docs/get-started/container.md for how to build and run the image.

# Debian with Python 3.11 or newer and pip.
ARG PYTHON_IMAGE=docker.io/library/python:3.13-slim-bookworm@sha256:2325bb286ec344af3e5898cc224b5844e2707ac6e26b1632516fd3edc84a5e26

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

# Keep only the SDK data that the exporter and the SDK's credential chain use, and only the exporter's script.
# unchecked-hash: COPY can change source timestamps, which would invalidate the compiled code.
RUN rm -r /opt/braket-exporter/lib/python3*/site-packages/boto3/data \
      /opt/braket-exporter/lib/python3*/site-packages/boto3/examples \
 && /opt/braket-exporter/bin/python -c "import pathlib, shutil, botocore; from exporter.aws.data_files import SERVICES; \
      data = pathlib.Path(botocore.__file__).with_name('data'); \
      [shutil.rmtree(path) for path in data.iterdir() if path.is_dir() and path.name not in SERVICES]" \
 && find /opt/braket-exporter/bin -mindepth 1 ! -name 'python*' ! -name braket-exporter -delete \
 && /opt/braket-exporter/bin/python -m compileall -q -f --invalidation-mode unchecked-hash /opt/braket-exporter/lib

# Official Python images lack a compiled standard library, and a read-only container cannot write one. Import everything that the
# exporter uses, and create all clients. The root of the image gets the interpreter, its libraries and the exporter: no shell, no
# package manager.
COPY scripts/image_root.py ./
RUN PYTHONDONTWRITEBYTECODE="" /opt/braket-exporter/bin/python -c "import boto3, exporter.__main__, exporter.app.cli, exporter.simulator.__main__, exporter.storage.sqlite_file, \
      exporter.web.status_page; \
      from exporter.aws.data_files import SERVICES; [boto3.client(name, 'us-east-1') for name in SERVICES]" \
 && python3 image_root.py /build/root


FROM scratch
COPY --from=builder /build/root /

# One pool of memory for all threads: 2.5 MB less with 10,000 jobs.
ENV MALLOC_ARENA_MAX=1

USER 65532:65532
EXPOSE 9834
STOPSIGNAL SIGTERM

ENTRYPOINT ["/opt/braket-exporter/bin/braket-exporter"]

# The check reads the address from the variable only. If a flag or the settings file sets it, set the variable as well.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s \
  CMD ["/opt/braket-exporter/bin/python", "-I", "-c", "import http.client, os, sys; address = os.environ.get('BRAKET_EXPORTER_LISTEN_ADDRESS') or ':9834'; link = http.client.HTTPConnection(('127.0.0.1' if address.startswith(':') else '') + address, timeout=4); link.request('GET', '/-/healthy'); sys.exit(link.getresponse().status != 200)"]

ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="braket-exporter" \
      org.opencontainers.image.description="Prometheus exporter for Amazon Braket hybrid jobs" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="https://github.com/braket-exporter/braket-exporter" \
      org.opencontainers.image.url="https://github.com/braket-exporter/braket-exporter" \
      org.opencontainers.image.documentation="https://github.com/braket-exporter/braket-exporter/blob/main/docs/get-started/container.md" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
