#!/bin/sh
# One stream in, one stream out. exec, so that signals reach ffmpeg itself.
# The whitelists: else a publisher could send a playlist, and ffmpeg would ask
# whatever server that names, from inside this network.
# The password goes by a file: arguments can be read by every user.
umask 077
printf 'password=%s\n' "$SOURCE_PASSWORD" > push.ffpreset
exec ffmpeg -hide_banner -loglevel warning -nostdin -progress "$STREAM_API_PROGRESS" \
	-protocol_whitelist http,https,tls,tcp -format_whitelist matroska,mp3,ogg,flv,mpegts \
	-i "$pull_url" -c:v libx264 -preset veryfast -b:v 400k -g 50 -c:a copy \
	-f matroska -content_type video/x-matroska -fpre push.ffpreset "$push_url"
