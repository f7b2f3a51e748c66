"""Sends a menu and prints the message's id: python3 send.py NUMBER KEY. A repeat with the same KEY sends nothing new."""

import json
import os
import sys
import urllib.error
import urllib.request

number, key = sys.argv[1:]
menu = {
    "number": number,
    "contentText": "How can we help?",
    "buttons": [{"id": "sales", "displayText": "Talk to sales"}, {"id": "support", "displayText": "Get support"}],
}
request = urllib.request.Request(
    f"{os.environ['TAPNODE_URL']}/api/message/button/{os.environ['INSTANCE']}",
    json.dumps(menu).encode(),
    {"token": os.environ["TAPNODE_TOKEN"], "Content-Type": "application/json", "Idempotency-Key": key},
)
try:
    with urllib.request.urlopen(request, timeout=60) as answer:
        print(json.load(answer)["messageId"])
except urllib.error.HTTPError as refused:
    sys.exit(json.load(refused)["error"]["message"])
