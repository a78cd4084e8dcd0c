FROM debian:bookworm-slim
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends icecast2 media-types \
 && rm -rf /var/lib/apt/lists/*
COPY icecast.xml /etc/icecast2/stream-api.xml
USER icecast2
# The password is the environment's; Icecast reads files only. Who sets none gets no server.
CMD ["sh", "-euc", "umask 077; : \"${SOURCE_PASSWORD:?set it}\"; sed \"s/@SOURCE_PASSWORD@/$SOURCE_PASSWORD/\" /etc/icecast2/stream-api.xml > /tmp/stream-api.xml; exec icecast2 -c /tmp/stream-api.xml"]
