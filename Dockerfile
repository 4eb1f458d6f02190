# The product without a database of its own in mind: set ANALYTICS__DATABASE_URL (docker-compose.yml does).
# Without it the embedded PostgreSQL keeps its data in /data.
FROM python:3.12-slim AS build
WORKDIR /build
COPY requirements/base.txt requirements/build.txt requirements/
RUN python -m venv /opt/analytics \
 && /opt/analytics/bin/pip install --no-cache-dir --require-hashes -r requirements/base.txt \
 && python -m venv /opt/build \
 && /opt/build/bin/pip install --no-cache-dir --require-hashes -r requirements/build.txt
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY src src
RUN /opt/build/bin/hatchling build -t wheel -d dist \
 && /opt/analytics/bin/pip install --no-cache-dir --no-deps dist/*.whl

FROM python:3.12-slim
RUN useradd --system --uid 10001 --user-group --home-dir /data --shell /usr/sbin/nologin analytics \
 && install -d -o analytics -g analytics -m 0700 /data
COPY --from=build /opt/analytics /opt/analytics
ENV PATH=/opt/analytics/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    ANALYTICS__HOST=0.0.0.0 \
    ANALYTICS__PORT=8000 \
    ANALYTICS__DATA_DIR=/data
USER analytics
WORKDIR /data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f\"http://127.0.0.1:{os.environ['ANALYTICS__PORT']}/health/live\", timeout=4)"]
ENTRYPOINT ["analytics-api"]
CMD ["serve"]
