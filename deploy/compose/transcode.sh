#!/bin/sh
# One stream in, one stream out. exec, so that signals reach ffmpeg itself.
exec ffmpeg -hide_banner -loglevel warning -nostdin -progress "$STREAM_API_PROGRESS" \
	-i "$pull_url" -c:v libx264 -preset veryfast -b:v 400k -g 50 -c:a copy \
	-f matroska -content_type video/x-matroska "$push_url"
