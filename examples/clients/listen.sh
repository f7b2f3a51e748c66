#!/bin/sh
# Prints taps as they come by WebSocket. curl answers no pings, so the server ends it after 40 seconds and it opens another:
# good for a look. What comes in between is lost, as it is not with a webhook.
set -u
while :; do
  printf 'header = "token: %s"\n' "$TAPNODE_TOKEN" | curl -sSN --http1.1 -D /dev/stderr --config - -H 'Connection: Upgrade' -H 'Upgrade: websocket' \
    -H 'Sec-WebSocket-Version: 13' -H 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==' "$TAPNODE_URL/ws/$INSTANCE" |
    stdbuf -oL tr '}' '\n' | grep --line-buffered -ao '"selectedButtonId":"[^"]*"' | sed -u 's/.*:"\(.*\)"/\1/'
  sleep 1
done
