# The Makefile's own steps, on the processor unless asked otherwise:
#   docker build -t palimpsest .                       docker run -p 8501:8501 palimpsest
#   docker build -t palimpsest --build-arg DEVICE=cuda .   docker run --gpus all -p 8501:8501 palimpsest
FROM python:3.11-slim

ARG DEVICE=cpu
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends make \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home palimpsest \
    && install -d -o palimpsest /app /data
USER palimpsest
WORKDIR /app
ENV PALIMPSEST_HOME=/data PATH=/app/.venv/bin:$PATH

COPY --chown=palimpsest . .
# On Linux PyPI's torch brings CUDA; the other index has the same release without it.
RUN if [ "$DEVICE" = cpu ]; then export PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu; fi; \
    export PIP_NO_CACHE_DIR=1 && make setup model

VOLUME /data
EXPOSE 8501
ENTRYPOINT ["palimpsest"]
CMD ["serve", "--headless", "--address", "0.0.0.0", "--port", "8501"]
