<?php
// The laaffic dialect from PHP with curl: send, wait for the delivery, report the conversion, read the balance.

function call($path, $body = null)
{
    $key = getenv('API_KEY');
    $timestamp = time();
    $curl = curl_init(getenv('HOMING_URL') . $path);
    curl_setopt($curl, CURLOPT_HTTPHEADER, [
        'Content-Type: application/json;charset=UTF-8',
        "Api-Key: $key",
        "Timestamp: $timestamp",
        'Sign: ' . md5($key . getenv('API_SECRET') . $timestamp),
    ]);
    if ($body !== null) {
        curl_setopt($curl, CURLOPT_POSTFIELDS, json_encode($body));
    }
    curl_setopt($curl, CURLOPT_RETURNTRANSFER, true);
    return curl_exec($curl);
}

$app = getenv('APP_ID');
$number = getenv('PHONE_NUMBER');

$sent = call('/v3/sendSms', [
    'appId' => $app,
    'numbers' => $number,
    'content' => 'Your code is 1234',
    'orderId' => 'sample-1',
]);
echo $sent, "\n";
$id = json_decode($sent)->array[0]->msgId;

for ($i = 0; $i < 100; $i++) {
    $report = call('/v3/getReport?' . http_build_query(['appId' => $app, 'msgIds' => $id]));
    if (json_decode($report)->success === '1') {
        break;
    }
    usleep(100000);
}
echo $report, "\n";

echo call('/v3/postback/backfill', ['appId' => $app, 'msgid' => $id, 'number' => $number, 'time' => time()]), "\n";
echo call('/v3/getBalance'), "\n";
