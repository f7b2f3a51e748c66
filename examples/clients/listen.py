"""Prints taps as they come by WebSocket: python3 listen.py"""

import base64
import http.client
import json
import os
import sys
import time
import urllib.parse

TEXT, PING, PONG = 1, 9, 10


def messages(url, token):
    """Opens a WebSocket and gives what it tells, until it ends."""
    to = urllib.parse.urlsplit(url)
    kind = http.client.HTTPSConnection if to.scheme == "https" else http.client.HTTPConnection
    connection = kind(to.netloc, timeout=60)  # the server pings more often
    key = base64.b64encode(os.urandom(16)).decode()
    connection.request("GET", f"{to.path}?{to.query}", headers={
        "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": key, "token": token})
    answer = connection.getresponse()
    if answer.status != 101:
        sys.exit(answer.read().decode())
    print("listening", file=sys.stderr, flush=True)
    while head := answer.fp.read(2):
        size = head[1] & 127
        if size > 125:
            size = int.from_bytes(answer.fp.read(2 if size == 126 else 8), "big")
        data = answer.fp.read(size)
        if head[0] & 15 == TEXT:
            yield data
        elif head[0] & 15 == PING:
            connection.sock.sendall(bytes([128 | PONG, 128 | size, 0, 0, 0, 0]) + data)


after = ""  # where it goes on when the connection was lost; keep it on a disk, and nothing is missed when this program is
while True:
    try:
        for message in messages(f"{os.environ['TAPNODE_URL']}/ws/{os.environ['INSTANCE']}?after={after}", os.environ["TAPNODE_TOKEN"]):
            event = json.loads(message)
            tapped = event["event"] == "message.exchange" and event["data"]["message"].get("interactive")
            if tapped:
                print(tapped["selectedButtonId"], flush=True)
            after = event["sequence"]
    except (OSError, http.client.HTTPException) as lost:
        print(lost, file=sys.stderr)
    time.sleep(1)
