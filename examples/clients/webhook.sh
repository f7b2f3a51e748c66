#!/bin/sh
# Takes taps by webhook, as a CGI program of a web server: checks the signature and writes ids of events and buttons to the file $TAPS.
# WEBHOOK_SECRET is what making the webhook gave; no program gets it as an argument, which everybody on the machine could see.
set -eu
answer() { printf 'Status: %s\r\n\r\n' "$1"; exit; }
body=$(mktemp)
trap 'rm -f "$body"' EXIT
head -c "$CONTENT_LENGTH" >"$body"

key=$(printf %s "${WEBHOOK_SECRET#whsec_}" | openssl base64 -d -A | od -An -v -tx1 | tr -d ' \n')
pad() { # the key, each byte of it changed by $1, filled up to 64 bytes
  rest=$key n=0
  while [ $((n += 1)) -le 64 ]; do
    byte=$(printf %.2s "$rest") rest=${rest#??}
    printf "\\$(printf %03o $((0x${byte:-0} ^ $1)))"
  done
}
sha256() { openssl dgst -sha256 -binary; }
want=$({ pad 0x5c; { pad 0x36; printf '%s.%s.' "$HTTP_WEBHOOK_ID" "$HTTP_WEBHOOK_TIMESTAMP"; cat "$body"; } | sha256; } | sha256 | openssl base64 -A)
case " $HTTP_WEBHOOK_SIGNATURE " in *" v1,$want "*) ;; *) answer '401 Not Signed' ;; esac # there are two while the secret is changed
age=$(($(date +%s) - HTTP_WEBHOOK_TIMESTAMP))
[ "${age#-}" -le 300 ] || answer '401 Too Old'

button=$(sed -n 's/.*"button":{"id":"\([^"]*\)".*/\1/p' "$body")
[ -z "$button" ] || echo "$HTTP_WEBHOOK_ID $button" >>"$TAPS" # it comes at least once: look whether the id is there already
answer '204 Taken'
