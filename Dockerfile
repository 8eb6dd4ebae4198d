# The image holds no database: give it DATABASE_URL, as compose.yaml does.
FROM python:3.11-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends git \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 sluice
WORKDIR /app
COPY pyproject.toml README.md LICENSE ./
COPY reviewer reviewer
COPY webhooks webhooks
RUN pip install --no-cache-dir .
USER sluice
ENV SLUICE_HOST=0.0.0.0 SLUICE_PORT=8000 SLUICE_DATA_DIR=/home/sluice/data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s CMD \
    ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
ENTRYPOINT ["sluice"]
CMD ["serve"]
