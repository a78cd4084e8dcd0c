FROM debian:bookworm-slim
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends icecast2 media-types \
 && rm -rf /var/lib/apt/lists/*
COPY icecast.xml /etc/icecast2/stream-api.xml
USER icecast2
CMD ["icecast2", "-c", "/etc/icecast2/stream-api.xml"]
