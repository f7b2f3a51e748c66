#!/bin/sh
# Sends a menu and prints the message's id: send.sh NUMBER KEY. A repeat with the same KEY sends nothing new.
# The token stays out of curl's arguments, which everybody on the machine can see.
set -eu
answer=$(printf 'header = "token: %s"\n' "$TAPNODE_TOKEN" | curl -sS --max-time 60 --fail-with-body --config - \
  -H 'Content-Type: application/json' -H "Idempotency-Key: $2" "$TAPNODE_URL/api/message/button/$INSTANCE" -d '{
    "number": "'"$1"'", "contentText": "How can we help?",
    "buttons": [{"id": "sales", "displayText": "Talk to sales"}, {"id": "support", "displayText": "Get support"}]
  }') || { echo "$answer" >&2; exit 1; }
echo "$answer" | sed 's/.*"messageId":"\([^"]*\)".*/\1/'
