#!/bin/bash
# The laaffic dialect from a shell with curl: send, wait for the delivery, report the conversion, read the balance.
set -euo pipefail

if command -v md5sum >/dev/null; then md5() { md5sum | cut -d ' ' -f 1; }; else md5() { command md5 -q; }; fi

call() { # PATH [CURL OPTION...]
  local path=$1 timestamp
  shift
  timestamp=$(date +%s)
  curl --silent --show-error "$HOMING_URL$path" -H "Content-Type: application/json;charset=UTF-8" \
    -H "Api-Key: $API_KEY" -H "Timestamp: $timestamp" \
    -H "Sign: $(printf %s "$API_KEY$API_SECRET$timestamp" | md5)" "$@"
}

sent=$(call /v3/sendSms --data-binary @- <<DATA
{"appId":"$APP_ID","numbers":"$PHONE_NUMBER","content":"Your code is 1234","orderId":"sample-1"}
DATA
)
echo "$sent"
message_id=$(sed 's/.*"msgId":"\([0-9]*\)".*/\1/' <<<"$sent")

for _ in {1..100}; do
  report=$(call "/v3/getReport?appId=$APP_ID&msgIds=$message_id")
  if [[ $report == *'"success":"1"'* ]]; then break; fi
  sleep 0.1
done
echo "$report"

call /v3/postback/backfill --data-binary @- <<DATA
{"appId":"$APP_ID","msgid":"$message_id","number":"$PHONE_NUMBER","time":"$(date +%s)"}
DATA
echo
call /v3/getBalance
echo
