<?php
// The lia dialect from PHP with curl: send, wait for the delivery, report the conversion, read the balance.

function call($path, $parameters = [])
{
    $parameters += ['api_id' => getenv('API_ID'), 'api_password' => getenv('API_PASSWORD')];
    $curl = curl_init(getenv('HOMING_URL') . $path);
    curl_setopt($curl, CURLOPT_POST, true);
    curl_setopt($curl, CURLOPT_HTTPHEADER, ['Content-Type: application/json']);
    curl_setopt($curl, CURLOPT_POSTFIELDS, json_encode($parameters));
    curl_setopt($curl, CURLOPT_RETURNTRANSFER, true);
    return curl_exec($curl);
}

$sent = call('/api/SendSMS', [
    'sms_type' => 'T',
    'encoding' => 'T',
    'sender_id' => getenv('SENDER_ID'),
    'phonenumber' => getenv('PHONE_NUMBER'),
    'textmessage' => 'Your code is 1234',
    'uid' => 'sample-1',
]);
echo $sent, "\n";
$id = json_decode($sent)->message_id;

for ($i = 0; $i < 100; $i++) {
    $status = call('/api/GetDeliveryStatus', ['message_id' => $id]);
    if (json_decode($status)->DLRStatus === 'Delivered') {
        break;
    }
    usleep(100000);
}
echo $status, "\n";

echo call('/api/CTrack', ['message_id' => $id, 'status' => true]), "\n";
echo call('/api/CheckBalance'), "\n";
