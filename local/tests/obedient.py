"""A function for tests, on Lambda's Runtime API: it does what the event says and answers with what came of it.

``{"do": "environment"}``, ``{"do": "print", "lines": [..]}``, ``{"do": "fail", "message": ..}``,
``{"do": "sleep", "seconds": ..}``, ``{"do": "call", "calls": [[service, operation, parameters], ..]}``,
``{"do": "answer", "answer": ..}``. Of an SQS event it obeys the body of the first message, in which ``$ID`` stands
for the message's id and ``$RECORD`` for the record, as JSON in JSON; anything else it gives back.
"""

import http.client
import json
import os
import time


def obey(event):
    if isinstance(event, dict) and event.get("Records"):
        record = event["Records"][0]
        body = record["body"].replace("$ID", record["messageId"])
        event = json.loads(body.replace('"$RECORD"', json.dumps(json.dumps(record))))
    what = event.get("do") if isinstance(event, dict) else None
    if what == "environment":
        return dict(os.environ)
    if what == "print":
        for line in event["lines"]:
            print(line, flush=True)
        return None
    if what == "fail":
        raise RuntimeError(event["message"])
    if what == "sleep":
        time.sleep(event["seconds"])
        return None
    if what == "answer":
        return event["answer"]
    if what == "call":
        return [call(*arguments) for arguments in event["calls"]]
    return event


def call(service, operation, parameters):
    import boto3
    from botocore.config import Config

    client = boto3.client(service, config=Config(retries={"total_max_attempts": 1}))
    getattr(client, operation)(**parameters)
    return operation


def main():
    connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    base = "/2018-06-01/runtime/invocation"
    while True:
        connection.request("GET", f"{base}/next")
        response = connection.getresponse()
        event = json.loads(response.read())
        if response.status != 200:
            return
        request_id = response.headers["Lambda-Runtime-Aws-Request-Id"]
        try:
            kind, answer = "response", obey(event)
        except Exception as error:
            kind, answer = "error", {"errorType": type(error).__name__, "errorMessage": str(error)}
        connection.request("POST", f"{base}/{request_id}/{kind}", json.dumps(answer))
        connection.getresponse().read()


main()
