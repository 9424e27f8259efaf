"""Messages that nobody can handle end in the dead letters, and hold up no other."""

import json

from waiting import until

POISON = {
    "no JSON": ("{not json", "is no JSON"),
    "no object": ("[1, 2]", "no JSON object"),
    "an unknown field": ('{"table": "TABLE", "rows": 7}', "unknown field `rows`"),
    "a wrong type": ('{"table": "TABLE", "items": "seven"}', "expected u64"),
    "neither signal nor reminder": ('{"ready": true}', "`table`"),
    "no table name": ('{"table": "not a table"}', "field `table`"),
    "a foreign event": ('{"source": "aws.s3", "detail-type": "Object Created", "detail": {}}', '"aws.s3"'),
    "a record without a call": (
        '{"source": "aws.dynamodb", "detail-type": "AWS API Call via CloudTrail", "detail": {}}',
        "`detail.eventName` is missing",
    ),
    "a table that no contract claims": ('{"table": "nobodys-table-2026"}', "no contract claims it"),
}


def reasons(cloud) -> dict[str, str]:
    """The bodies of the dead letters with the reasons that they carry; leaves the letters there."""
    answer = cloud.sqs.receive_message(
        QueueUrl=cloud.dead_letters, MaxNumberOfMessages=10, VisibilityTimeout=0, MessageAttributeNames=["All"]
    )
    messages = answer.get("Messages", [])
    return {one["Body"]: one["MessageAttributes"]["septet.reason"]["StringValue"] for one in messages}


def test_poison_reaches_the_dead_letters_while_others_are_published(cloud, dataset):
    before = cloud.registry_items()
    bodies = {name: text.replace("TABLE", dataset.new_table()) for name, (text, _) in POISON.items()}
    with cloud.visibility(2):
        for body in bodies.values():
            cloud.send(body)
        tables = []
        for _ in range(4):
            tables.append(dataset.publish())
            dataset.until_live(tables[-1], patience=10)
        until("all poison is in the dead letters", lambda: cloud.waiting(cloud.dead_letters) == len(bodies))
    found = reasons(cloud)
    for name, (_, says) in POISON.items():
        assert says in found[bodies[name]], (name, found[bodies[name]])
    assert sorted(cloud.take(cloud.dead_letters)) == sorted(bodies.values())
    assert cloud.waiting() == 0

    for table in tables:
        dataset.assert_published_once(table, "promote")
    changed = {keys for keys, item in cloud.registry_items().items() if before.get(keys) != item}
    assert all(dataset.name in pk for pk, _ in changed), "poison changed the registry"
    # Whoever looks into the log finds what was wrong with each and how to mend it.
    log = [line for line in cloud.log_of(cloud.on_publish) if '"ERROR"' in line]
    for name, (_, says) in POISON.items():
        assert any(says in json.dumps(json.loads(line)).replace('\\"', '"') for line in log), (name, says)


def test_poison_in_a_batch_with_good_messages_is_put_aside_alone(cloud, dataset):
    table = dataset.written()
    records = [
        {"messageId": "bad", "body": "{", "attributes": {}, "messageAttributes": {}},
        {"messageId": "good", "body": json.dumps({"table": table}), "attributes": {}, "messageAttributes": {}},
    ]
    for record in records:
        record |= {"eventSource": "aws:sqs", "awsRegion": "us-east-1", "receiptHandle": record["messageId"]}
    answer = cloud.invoke(cloud.on_publish, {"Records": records})
    assert answer.payload == {"batchItemFailures": []}
    assert cloud.take(cloud.dead_letters) == ["{"]
    assert dataset.live_table() == table
