#!/bin/bash
# The lia dialect from a shell with curl: send, wait for the delivery, report the conversion, read the balance.
set -euo pipefail

call() { # PATH NAME=VALUE...
  local path=$1 parameters=()
  shift
  for parameter in "$@"; do parameters+=(--data-urlencode "$parameter"); done
  curl --silent --show-error --get "$HOMING_URL$path" \
    --data-urlencode "api_id=$API_ID" --data-urlencode "api_password=$API_PASSWORD" "${parameters[@]}"
}

sent=$(call /api/SendSMS sms_type=T encoding=T "sender_id=$SENDER_ID" "phonenumber=$PHONE_NUMBER" \
  "textmessage=Your code is 1234" uid=sample-1)
echo "$sent"
message_id=$(sed 's/.*"message_id":\([0-9]*\).*/\1/' <<<"$sent")

for _ in {1..100}; do
  status=$(call /api/GetDeliveryStatus "message_id=$message_id")
  if [[ $status == *'"DLRStatus":"Delivered"'* ]]; then break; fi
  sleep 0.1
done
echo "$status"

call /api/CTrack "message_id=$message_id" status=true
echo
call /api/CheckBalance
echo
