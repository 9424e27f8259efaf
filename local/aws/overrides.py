"""What a test changes of a table that no call of AWS changes: its age, and what DescribeTable answers."""

from ministack.services import cloudwatch, dynamodb

from aws.patching import around

DESCRIBED = "septet_described"


def install() -> None:
    """Merges what tests have put into the answers of DescribeTable."""

    @around(dynamodb, "_table_description")
    def table_description(original, name):
        return {**original(name), **dynamodb._tables[name].get(DESCRIBED, {})}


def age(wanted: dict) -> dict:
    """Moves the creation of a table, its import and the points of its metrics back by so many seconds.

    Raises ``ValueError`` if there is no such table or the request makes no sense.
    """
    table, seconds = _table(wanted, "seconds"), wanted["seconds"]
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or seconds < 0:
        raise ValueError("seconds must be a number that is not negative")
    table["CreationDateTime"] -= seconds
    for description in dynamodb._imports.values():
        if description["TableId"] == table["TableId"]:
            description.update({name: description[name] - seconds for name in IMPORT_TIMES if name in description})
    dimensions = {"TableName": table["TableName"]}
    for (namespace, _, _), points in cloudwatch._metrics.items():
        for point in points:
            if namespace == "AWS/DynamoDB" and point["Dimensions"] == dimensions:
                point["Timestamp"] -= seconds
    return {"table": table["TableName"], "created_at": table["CreationDateTime"]}


IMPORT_TIMES = ("StartTime", "EndTime")


def describe(wanted: dict) -> dict:
    """Has DescribeTable answer these members of a table, whatever it is; null takes a member back.

    Returns all members that are answered so. Raises ``ValueError`` if there is no such table or the request makes no
    sense.
    """
    table, members = _table(wanted, "members"), wanted["members"]
    if not isinstance(members, dict):
        raise ValueError("members must be an object")
    merged = {**table.get(DESCRIBED, {}), **members}
    table[DESCRIBED] = {name: value for name, value in merged.items() if value is not None}
    return table[DESCRIBED]


def _table(wanted: dict, needed: str) -> dict:
    if wanted.keys() != {"table", needed}:
        raise ValueError(f"it needs table and {needed}, and nothing else")
    table = dynamodb._tables.get(wanted["table"])
    if table is None:
        raise ValueError(f"no table {wanted['table']!r}")
    return table
