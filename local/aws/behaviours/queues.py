"""What Lambda's SQS event sources accept as an answer."""

import threading

from ministack.services import lambda_svc

from aws.patching import around


def strict_batch_answers() -> None:
    """With ReportBatchItemFailures an answer that is malformed or names an unknown message fails the whole batch."""
    current = threading.local()

    @around(lambda_svc, "_run_sqs_batch")
    def run_sqs_batch(original, mapping, *args):
        current.reports_failures = "ReportBatchItemFailures" in mapping.get("FunctionResponseTypes", [])
        try:
            return original(mapping, *args)
        finally:
            current.reports_failures = False

    @around(lambda_svc, "_execute_function")
    def execute_function(original, function, event):
        result = original(function, event)
        if not getattr(current, "reports_failures", False) or result.get("error"):
            return result
        ids = {record["messageId"] for record in event["Records"]}
        if is_batch_answer(result.get("body"), ids):
            # ministack cannot read a list of failures that is null.
            return result if (result.get("body") or {}).get("batchItemFailures") else {**result, "body": None}
        reason = {"errorType": "InvalidBatchResponse", "errorMessage": repr(result.get("body"))[:300]}
        return {**result, "error": True, "body": reason}


def is_batch_answer(answer, message_ids: set[str]) -> bool:
    """Whether Lambda reads this as an answer: nothing, no failures, or failures that name messages of the batch."""
    if answer is None or answer == {}:
        return True
    if not isinstance(answer, dict) or "batchItemFailures" not in answer:
        return False
    failures = answer["batchItemFailures"]
    if failures is None:
        return True
    return isinstance(failures, list) and all(
        isinstance(failure, dict) and failure.get("itemIdentifier") in message_ids for failure in failures
    )


BEHAVIOURS = (strict_batch_answers,)
