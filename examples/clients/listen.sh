#!/bin/sh
# Prints taps as they come, by server-sent events, since curl speaks no WebSocket everywhere. The file $AFTER remembers how far it was:
# what came meanwhile is printed when it begins again.
set -u
while :; do
  printf 'header = "token: %s"\n' "$TAPNODE_TOKEN" | curl -sSN --speed-limit 1 --speed-time 60 --config - -H 'Accept: text/event-stream' \
    "$TAPNODE_URL/v1/events?type=whatsapp.button.clicked.v1&instance=$INSTANCE&after=$(cat "$AFTER" 2>/dev/null)" |
    while read -r name value; do
      case $name in
      id:) id=$value ;;
      data:)
        case $value in *'"type":"stream.opened.v1"'*) echo listening >&2 ;; esac
        echo "$value" | sed -n 's/.*"button":{[^}]*"id":"\([^"]*\)".*/\1/p'
        echo "$id" >"$AFTER"
        ;;
      esac
    done
  sleep 1
done
