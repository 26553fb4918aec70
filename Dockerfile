# relume's page and HTTP service: the weights are inside, no network is needed at run time.
#   docker build -t relume .
#   docker run --rm -p 127.0.0.1:7860:7860 relume        # then http://127.0.0.1:7860
#   docker run --rm -p 7860:7860 -e RELUME_TOKEN=... relume --workers 4
ARG PYTHON=python:3.11-slim-bookworm

FROM ${PYTHON} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build
RUN python -m venv /opt/relume
ENV PATH=/opt/relume/bin:$PATH RELUME_CACHE=/opt/relume/cache
COPY pyproject.toml README.md LICENSE constraints.txt ./
COPY src ./src
RUN pip install --constraint constraints.txt '.[web,watch]'
# what the wheel does not carry is fetched now, by sha256, so that it never has to be later
RUN python -c "from relume import weights; [weights.path(name) for name in weights.entries()]"

FROM ${PYTHON}
LABEL org.opencontainers.image.title="relume" \
      org.opencontainers.image.description="Photographs taken in the dark, relit" \
      org.opencontainers.image.licenses="MIT"
COPY --from=build /opt/relume /opt/relume
ENV PATH=/opt/relume/bin:$PATH RELUME_CACHE=/opt/relume/cache \
    PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
# a user that owns nothing: everything above is root's and read-only to it
USER 10001:10001
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:7860/healthz', timeout=4)"]
ENTRYPOINT ["relume", "serve", "--host", "0.0.0.0", "--port", "7860", "--no-browser"]
