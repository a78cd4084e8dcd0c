# syntax=docker/dockerfile:1
# One image for every role; what a host does is in its configuration.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=unknown
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /stream-api ./cmd/stream-api

FROM debian:bookworm-slim
# The scripts of most services want ffmpeg and curl.
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates curl ffmpeg \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --home-dir /var/lib/stream-api --create-home stream-api
COPY --from=build /stream-api /usr/local/bin/stream-api
USER stream-api
VOLUME /var/lib/stream-api
# The runner stops its children itself on TERM; give it longer than a grace.
STOPSIGNAL SIGTERM
ENTRYPOINT ["stream-api"]
CMD ["run", "-c", "/etc/stream-api/config.yaml"]
