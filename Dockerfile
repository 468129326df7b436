# syntax=docker/dockerfile:1
# Two stages: the first builds the environment, the second contains only the result.

FROM python:3.12-slim AS build
# With PyTorch's CPU package index the image is a tenth of the size; empty uses pip's default.
ARG TORCH_INDEX=""
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/hybrid-search
WORKDIR /src
COPY constraints.txt ./
RUN /opt/hybrid-search/bin/pip install --constraint constraints.txt \
    ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} torch torchvision
COPY pyproject.toml README.md LICENSE ./
COPY fixtures fixtures
COPY hybrid_search hybrid_search
RUN /opt/hybrid-search/bin/pip install --constraint constraints.txt .

FROM python:3.12-slim
# torch and Faiss include all native libraries except OpenMP.
RUN apt-get update && apt-get install --yes --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin ads \
    && install --directory --owner ads /data
COPY --from=build /opt/hybrid-search /opt/hybrid-search
# The root file system may be read-only: only /data and /tmp are written to.
ENV PATH=/opt/hybrid-search/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HF_HUB_OFFLINE=1 \
    HYBRID_SEARCH_DATA_DIR=/data \
    HYBRID_SEARCH_SERVER__HOST=0.0.0.0
USER ads
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/readyz', timeout=2)"]
ENTRYPOINT ["hybrid-search"]
CMD ["serve"]
