# docker build -t mmhot .
# docker run --rm -v "$PWD:/data" mmhot infer /data/video.mp4 --out-dir /data/lifted
FROM python:3.12-slim
RUN apt-get update && apt-get install --yes --no-install-recommends make \
    && rm -rf /var/lib/apt/lists/* && pip install --no-cache-dir uv
WORKDIR /mmhot
COPY . .
RUN make setup TORCH=cpu EXTRAS=mmpose,ui && rm -rf /root/.cache
ENV PATH=/mmhot/.venv/bin:$PATH
EXPOSE 7860
ENTRYPOINT ["mmhot"]
