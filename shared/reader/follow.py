import logging, threading, time

def follow(dynamodb, registry, dataset, served, pointer="live"):
    """Keeps the pointer's item in `served`; give served["table_arn"]["S"] as TableName to every read."""
    def look():
        key = {"pk": {"S": f"DATASET#{dataset}"}, "sk": {"S": f"POINTER#{pointer}"}}
        item = dynamodb.get_item(TableName=registry, Key=key, ConsistentRead=True)["Item"]
        if item["format"]["N"] == "1" and int(item["generation"]["N"]) > int(served.get("generation", {"N": 0})["N"]):
            served.update(item)
    def poll():
        while True:
            time.sleep(int(served["poll_seconds"]["N"]))
            try:
                look()
            except Exception:
                logging.exception("serving the last known good version of %s", dataset)
    look()
    threading.Thread(target=poll, daemon=True).start()
