#!/bin/sh
# A picture every ten seconds in the slot's own directory.
exec ffmpeg -hide_banner -loglevel warning -nostdin -progress "$STREAM_API_PROGRESS" \
	-protocol_whitelist http,https,tls,tcp -format_whitelist matroska,mp3,ogg,flv,mpegts \
	-i "$pull_url" -vf fps=1/10,scale=320:-2 -f image2 -update 1 -y thumbnail.jpg
