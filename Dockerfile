# The router in a container: `serve`, or any other command of `alert-router`. The rules are yours, at /rules; the state is where
# ALERT_ROUTER_STATE says. docs/serve.md runs it.
#
# A tag can be moved. To pin the base, give the digest that `docker buildx imagetools inspect python:3.13-slim-trixie` prints:
#   docker build --build-arg PYTHON=docker.io/library/python:3.13-slim-trixie@sha256:... .
ARG PYTHON=docker.io/library/python:3.13-slim-trixie

# On the machine that builds, whatever the image is for: wheels are only unpacked, so that no processor is emulated.
FROM --platform=${BUILDPLATFORM} ${PYTHON} AS build
ARG TARGETARCH
WORKDIR /build
ENV PATH=/uv/bin:/usr/local/bin:/usr/bin:/bin UV_LINK_MODE=copy UV_NO_CACHE=1 UV_PYTHON_DOWNLOADS=never
COPY requirements-setup.txt ./
RUN python -m venv /uv \
    && /uv/bin/python -m pip install --quiet --no-cache-dir --only-binary :all: --require-hashes -r requirements-setup.txt
COPY requirements-serve.txt ./
RUN case "${TARGETARCH}" in amd64) at=x86_64 ;; arm64) at=aarch64 ;; *) echo "no image for ${TARGETARCH}" >&2; exit 1 ;; esac \
    && uv venv --quiet --no-project --python /usr/local/bin/python /app \
    && uv pip install --quiet --python /app --python-platform "${at}-unknown-linux-gnu" --only-binary :all: --require-hashes \
    -r requirements-serve.txt
# The program last: a change to it fetches nothing anew.
COPY . ./
# A root that is read only keeps no byte code, and the base has none of Python's own library. It is the same on every processor.
RUN uv build --quiet --wheel --build-constraints requirements-build.txt --require-hashes --out-dir /wheel \
    && uv pip install --quiet --python /app --no-deps /wheel/*.whl \
    && export PYTHONPYCACHEPREFIX=/app/bytecode \
    && /usr/local/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash -x /site-packages/ /usr/local/lib/python3.* \
    && /usr/local/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /app/lib \
    && mkdir /state

FROM ${PYTHON}
ARG LICENSES=MIT
ARG REVISION=unknown
ARG SOURCE=unknown
ARG VERSION=unknown
LABEL org.opencontainers.image.title="alert-router" \
    org.opencontainers.image.licenses="${LICENSES}" \
    org.opencontainers.image.revision="${REVISION}" \
    org.opencontainers.image.source="${SOURCE}" \
    org.opencontainers.image.version="${VERSION}"
# An image has no rules of its own.
ENV ALERT_ROUTER_RULES=/rules \
    PATH=/app/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 PYTHONPYCACHEPREFIX=/app/bytecode PYTHONUNBUFFERED=1
COPY --from=build /app /app
# For a state in SQLite: a new volume has the owner that its place in the image has.
COPY --from=build --chown=65532:65532 /state /state
WORKDIR /
# By number, since Kubernetes' runAsNonRoot believes no name. There is no such user, and no home.
USER 65532:65532
# The console; and /healthz, /readyz and /metrics, which Kubernetes asks itself: its probes ignore a HEALTHCHECK, and Docker only
# writes down what one finds.
EXPOSE 8025 9464
STOPSIGNAL SIGTERM
ENTRYPOINT ["/app/bin/alert-router"]
CMD ["serve", "--probes", "0.0.0.0:9464"]
