# docker build -t mmhot .
# docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/data" mmhot \
#     infer /data/video.mp4 --out-dir /data/lifted
FROM python:3.12.14-slim-trixie@sha256:78387bc3881b8273120a12ebe6c1ab22b018ccc2c9adf565ae1ac9b536e184ea
RUN apt-get update && apt-get install --yes --no-install-recommends make \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /mmhot
COPY . .
RUN make setup TORCH=cpu EXTRAS=mmpose,ui && rm -rf /root/.cache
# Any user may run it; caches end with the container.
ENV PATH=/mmhot/.venv/bin:$PATH HOME=/tmp
USER 1000:1000
EXPOSE 7860
ENTRYPOINT ["mmhot"]
