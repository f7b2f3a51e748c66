"""Takes taps by webhook and prints them: python3 webhook.py PORT. WEBHOOK_SECRET is what making the webhook gave."""

import base64
import hashlib
import hmac
import http.server
import json
import os
import sys
import time

KEY = base64.b64decode(os.environ["WEBHOOK_SECRET"].removeprefix("whsec_"))
seen = set()  # an event comes at least once: a real receiver keeps the ids in its database


def signed(headers, body):
    timestamp = headers.get("webhook-timestamp", "")
    if not timestamp.isdecimal() or abs(time.time() - int(timestamp)) > 300:
        return False
    digest = hmac.new(KEY, f"{headers.get('webhook-id')}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    want = b"v1," + base64.b64encode(digest)
    given = headers.get("webhook-signature", "").encode().split()  # two while the secret is changed
    return any(hmac.compare_digest(want, signature) for signature in given)


class Receiver(http.server.BaseHTTPRequestHandler):
    timeout = 15

    def do_POST(self):
        body = self.rfile.read(min(int(self.headers["Content-Length"]), 2_000_000))  # none has more
        known = signed(self.headers, body)
        if known:
            event = json.loads(body)
            if event["type"] == "whatsapp.button.clicked.v1" and event["id"] not in seen:
                print(event["data"]["button"]["id"], flush=True)
            seen.add(event["id"])
        self.send_response(204 if known else 401)  # only now: what is not answered comes again
        self.end_headers()

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver).serve_forever()
