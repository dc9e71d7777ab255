# One image for all services: which of them run is said by the topology, or by EMPORION_TASK on ECS.
#
# The digest was read from public repositories that pin the same tag, not pulled; raise tag and digest
# together (`docker buildx imagetools inspect python:3.12-slim-bookworm`). This file was not built where
# it was written: there is no Docker there.

ARG PYTHON=python:3.12.7-slim-bookworm@sha256:032c52613401895aa3d418a4c563d2d05f993bc3ecc065c8f4e2280978acd249

FROM ${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PYTHONDONTWRITEBYTECODE=1
RUN python -m venv /venv
WORKDIR /source
# First what changes seldom: every file is checked against its hash.
COPY requirements/image.lock requirements/build.lock requirements/
RUN /venv/bin/pip install --only-binary :all: --require-hashes --no-deps -r requirements/image.lock \
 && python -m venv /tools \
 && /tools/bin/pip install --require-hashes --no-deps -r requirements/build.lock
COPY pyproject.toml README.md LICENSE ./
COPY contracts contracts
COPY src src
RUN /tools/bin/pip wheel --no-build-isolation --no-deps --wheel-dir /wheels . \
 && /venv/bin/pip install --no-index --no-deps /wheels/*.whl \
 && /venv/bin/pip uninstall --yes pip \
 && /venv/bin/python -m compileall -q /venv/lib

FROM ${PYTHON}
# What Debian has mended since the base image was made.
RUN apt-get update && apt-get upgrade --yes && rm -rf /var/lib/apt/lists/* \
 && groupadd --gid 10001 shop && useradd --uid 10001 --gid shop --no-create-home --shell /usr/sbin/nologin shop \
 && install --directory --owner shop --group shop --mode 0700 /data
COPY --from=build /venv /venv
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 EMPORION_DATA=/data
USER 10001:10001
# The one place that can be written to, also where the root file system cannot.
VOLUME /data
EXPOSE 8080 9090
STOPSIGNAL SIGTERM
ENTRYPOINT ["emporion"]
CMD ["up"]
