"""Septet seals only tables that were handed over, and deletes only tables that it sealed."""

import datetime
import json
import random
import re
import time

import pytest
from ageing import age, sweep, sweep_through
from botocore.exceptions import ClientError
from cloud import ACCOUNT, OPERATOR
from dataset import Dataset, import_items, item, table_arn
from waiting import until

HOUR = 3600
READY = "septet:ready"
WHY = ("--reason", "a test asks", "--yes")


@pytest.fixture(autouse=True)
def letters(cloud):
    """The dead letters of the publish queue, empty before a test and after it."""
    cloud.take(cloud.dead_letters)
    yield
    cloud.take(cloud.dead_letters)


def assert_untouched(dataset: Dataset, table: str, *, protected: bool = False) -> None:
    """The table is there as its owner left it: without a seal and with its own protection."""
    found = dataset.cloud.described(table)
    assert (found["TableStatus"], found["DeletionProtectionEnabled"]) == ("ACTIVE", protected), table
    assert dataset.cloud.policy_of(table) is None, table


def announced(dataset: Dataset, table: str) -> str:
    """Waits until a table is announced, and until nothing of it is being handled."""
    dataset.until_state(table, "announced")
    dataset.cloud.until_drained()
    return table


def moment(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


# ---------------------------------------------------------------- tables that are older than the contract


def test_tables_older_than_the_contract_are_left_alone_until_they_are_adopted(cloud, new_dataset):
    dataset = new_dataset("old", contract=False)
    owners = f"{dataset.name}-cust"
    tables = [dataset.new_table() for _ in range(10)]
    for number, table in enumerate(tables):
        import_items(cloud, table, "DYNAMODB_JSON", [item(10 * number + one) for one in range(1, 4)], sweep=False)
    dataset.create(owners, DeletionProtectionEnabled=True)
    dataset.fill(owners, 4, first=500)
    cloud.until_drained()
    # Neither the order of their names nor the order of their announcements is that of their creation.
    for table, days in zip([*tables, owners], [4, 9, 2, 11, 1, 7, 10, 3, 8, 5, 6]):
        cloud.aws.age(table, days * 24 * HOUR)
    tables.append(owners)
    created = {table: cloud.described(table)["CreationDateTime"] for table in tables}

    said = dataset.put_contract(keepNewest=20)
    page = said.stdout + said.stderr
    assert "septet adopt" in page and re.search(r"\b11\b", page), page

    for summary in sweep_through(dataset, days=3):
        older = [one for one in summary["older"] if one["dataset"] == dataset.name]
        assert sorted(one["table"] for one in older) == sorted(tables), summary
        assert summary["done"] == [], summary
    for one in older:
        difference = moment(one["created_at"]) - cloud.described(one["table"])["CreationDateTime"]
        assert abs(difference) < datetime.timedelta(seconds=1), one
    assert dataset.versions() == []
    assert dataset.actions() == {"put_contract": 1}
    for table in tables:
        assert_untouched(dataset, table, protected=table == owners)

    shuffled = random.Random(7).sample(tables, len(tables))
    cloud.septet("adopt", *shuffled, "--yes")
    for table in tables:
        dataset.until_state(table, "valid", patience=120)
    cloud.until_drained()
    by_number = [version["table"] for version in dataset.versions()]
    assert by_number == sorted(tables, key=created.get)
    assert dataset.live_table() == by_number[-1]
    for table in tables:
        assert cloud.described(table)["DeletionProtectionEnabled"], table
    # Septet remembers whose protection it found.
    assert [version["table"] for version in dataset.versions() if version.get("owner_protected")] == [owners]
    assert sweep(dataset)["older"] == []


# ---------------------------------------------------------------- signs of a complete table


def test_a_table_without_writes_for_the_quiet_period_is_complete_and_one_without_any_write_never(cloud, new_dataset):
    cloud.aws.settings(cloudtrail={"enabled": False})
    dataset = new_dataset("quiet", readiness=["quiet"], quietMinutes=1)
    table, empty = dataset.written(), dataset.create()
    sweep(dataset)
    assert {dataset.state_of(table), dataset.state_of(empty)} == {"announced"}
    # Writes go on: the first ones are old by now, the latest one is not.
    age(dataset, minutes=10)
    dataset.fill(table, 2, first=900_000)
    sweep(dataset)
    assert dataset.state_of(table) == "announced"
    assert_untouched(dataset, table)

    age(dataset, minutes=10)
    sweep(dataset)
    version = dataset.until_live(table)
    assert version["readiness"]["rung"] == "quiet"
    with pytest.raises(ClientError, match="explicit deny in a resource-based policy"):
        cloud.publisher.client("dynamodb").put_item(TableName=table, Item=item(900_003))

    sweep_through(dataset, hours=18)
    assert dataset.state_of(empty) == "announced"
    assert_untouched(dataset, empty)


@pytest.mark.parametrize("value", ["no", "the id of another table"])
def test_a_ready_tag_counts_only_if_it_says_so_of_this_table(cloud, new_dataset, value):
    dataset = new_dataset("tag", readiness=["tag"])
    if value != "no":
        value = cloud.described(dataset.create())["TableId"]
    table = dataset.create(Tags=[{"Key": READY, "Value": value}])
    dataset.fill(table)
    announced(dataset, table)
    cloud.look(table)
    sweep(dataset)
    assert dataset.state_of(table) == "announced"
    assert_untouched(dataset, table)
    (line,) = [line for line in cloud.septet("versions", dataset.name).stdout.splitlines() if table in line]
    assert READY in line, line

    found = cloud.described(table)
    cloud.publisher.client("dynamodb").tag_resource(
        ResourceArn=found["TableArn"], Tags=[{"Key": READY, "Value": found["TableId"]}]
    )
    assert dataset.until_live(table)["readiness"]["rung"] == "tag"


# ---------------------------------------------------------------- tables that cannot be sealed


def replicate(cloud, table: str) -> None:
    cloud.dynamodb.update_table(TableName=table, ReplicaUpdates=[{"Create": {"RegionName": "eu-west-1"}}])


def expire(cloud, table: str) -> None:
    cloud.dynamodb.update_time_to_live(
        TableName=table, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"}
    )


@pytest.mark.parametrize(
    "give, says", [(replicate, ["replica", "eu-west-1"]), (expire, ["time to live"])], ids=["replicas", "ttl"]
)
def test_a_table_that_others_can_change_in_spite_of_a_seal_is_rejected_unsealed_and_kept(cloud, dataset, give, says):
    table = dataset.written()
    give(cloud, table)
    dataset.signal(table)
    version = dataset.until_state(table, "rejected", patience=20)
    reasons = " ".join(version["verdict"]["reasons"]).lower()
    assert all(text in reasons for text in says), reasons
    assert_untouched(dataset, table)
    for summary in sweep_through(dataset, days=4):
        assert {one["step"]["do"] for one in summary["done"]}.isdisjoint({"retire", "delete"}), summary
    assert dataset.state_of(table) == "rejected"
    assert_untouched(dataset, table)


# ---------------------------------------------------------------- signals about other tables


def is_dead_letter(cloud, table: str) -> bool:
    """Tells whether a message about a table is in the dead letters of the publish queue, and leaves it there."""
    answer = cloud.sqs.receive_message(QueueUrl=cloud.dead_letters, MaxNumberOfMessages=10, VisibilityTimeout=0)
    return any(table in message["Body"] for message in answer.get("Messages", []))


def test_a_signal_for_a_table_of_another_account_says_nothing_about_ours(cloud, dataset):
    table = announced(dataset, dataset.written())
    foreign = table_arn(table).replace(ACCOUNT, "999999999999")
    body = json.dumps({"table": foreign})
    with cloud.visibility(2):
        cloud.send(body)
        until("the signal is in the dead letters", lambda: is_dead_letter(cloud, table), 30)
    assert body in cloud.take(cloud.dead_letters)
    assert dataset.state_of(table) == "announced"
    assert_untouched(dataset, table)
    assert any("999999999999" in line for line in cloud.log_of(cloud.on_publish) if '"ERROR"' in line)
    dataset.signal(table_arn(table))
    dataset.until_live(table)


def say_complete(dataset: Dataset, table: str, how: str) -> None:
    """Signals a table in one of the ways that there are."""
    match how:
        case "the command":
            dataset.cloud.septet("publish", table)
        case "a job that names the table's id":
            dataset.signal(table, table_id=dataset.cloud.described(table)["TableId"])
        case "a job":
            dataset.signal(table)


def create_anew(dataset: Dataset, table: str) -> None:
    """Deletes a table and creates another one of its name, with other items."""
    # The times that SQS and DynamoDB give may differ a little.
    time.sleep(1.0)
    dataset.cloud.publisher.client("dynamodb").delete_table(TableName=table)
    until("the former table is gone", lambda: dataset.status(table) is None)
    dataset.create(table)
    dataset.fill(table, first=700_000)


def assert_only_a_new_signal_seals(dataset: Dataset, table: str, how: str) -> None:
    """The table is not sealed by what was said of the former one, and goes live by a signal of its own."""
    sweep(dataset)
    assert dataset.state_of_the_newest() == "announced"
    assert_untouched(dataset, table)
    say_complete(dataset, table, how)
    until(f"{table} is live", lambda: dataset.live_table() == table)
    assert dataset.pointer()["version"] == dataset.versions()[-1]["version"]


HOW = ["the command", "a job that names the table's id", "a job"]


@pytest.mark.parametrize("how", HOW)
def test_a_signal_that_comes_late_says_nothing_about_a_new_table_of_the_name(cloud, dataset, how):
    table = announced(dataset, dataset.written())
    with cloud.visibility(2):
        with cloud.paused():
            say_complete(dataset, table, how)
            create_anew(dataset, table)
        cloud.until_drained()
        assert_only_a_new_signal_seals(dataset, table, how)


@pytest.mark.parametrize("how", HOW)
def test_a_signal_that_is_redriven_says_nothing_about_a_new_table_of_the_name(cloud, dataset, how):
    cloud.aws.settings(cloudtrail={"enabled": False})
    table = dataset.written()
    with cloud.visibility(2):
        # No attempt takes longer than the visibility: none goes on when the signal is in the dead letters.
        fault = cloud.aws.deny("DescribeTable", function=cloud.on_publish, match=table)
        say_complete(dataset, table, how)
        until("the signal is in the dead letters", lambda: is_dead_letter(cloud, table))
        cloud.aws.release(fault)
        create_anew(dataset, table)
        cloud.redrive()
        cloud.until_drained()
        assert_only_a_new_signal_seals(dataset, table, how)


# ---------------------------------------------------------------- tables that nothing was said of in time


@pytest.mark.parametrize("protected", [True, False], ids=["protected", "unprotected"])
def test_an_abandoned_table_is_kept_until_it_is_discarded_and_its_owner_lets_it_go(cloud, dataset, protected):
    table = dataset.create(DeletionProtectionEnabled=protected)
    announced(dataset, dataset.fill(table))
    age(dataset, hours=25)
    sweep(dataset)
    assert dataset.state_of(table) == "abandoned"
    sweep_through(dataset, days=4)
    assert dataset.state_of(table) == "abandoned"
    assert_untouched(dataset, table, protected=protected)

    cloud.septet("discard", table, "--reason", "nobody finished it", "--yes")
    version = dataset.version_of(table)
    assert version["discard"]["reason"] == "nobody finished it"
    assert "nobody finished it" in [record.get("reason") for record in dataset.records(version["version"])]
    if protected:
        sweep_through(dataset, days=1)
        assert_untouched(dataset, table, protected=True)
        cloud.publisher.client("dynamodb").update_table(TableName=table, DeletionProtectionEnabled=False)

    def deleted() -> bool:
        age(dataset, hours=1)
        sweep(dataset)
        return dataset.state_of(table) == "deleted"

    until("the discarded table is deleted", deleted)
    assert dataset.status(table) is None


# ---------------------------------------------------------------- holds


def test_a_hold_ends_by_its_owner_or_by_its_name_and_no_other_way(cloud, dataset):
    first, second, _ = (dataset.publish_and_wait() for _ in range(3))
    people = {name: cloud.person(name, policies=[cloud.outputs[OPERATOR]]) for name in ("op-a", "op-b")}

    def septet(who: str, *arguments: str) -> None:
        cloud.septet(*arguments, *WHY, "--actor", who, who=people[who])

    def holds() -> list[dict]:
        (found,) = dataset.items("DATASET")
        return found.get("holds", [])

    septet("op-a", "rollback", dataset.name)
    assert dataset.live_table() == second["table"]
    septet("op-b", "rollback", dataset.name)
    assert dataset.live_table() == first["table"]
    assert [hold["pointer"] for hold in holds()] == ["live", "live"]

    septet("op-b", "release", dataset.name)
    (left,) = holds()
    assert "op-a" in left["owner"], left
    night = dataset.publish()
    dataset.until_state(night, "valid")
    cloud.until_drained()
    sweep_through(dataset, days=1)
    assert dataset.live_table() == first["table"]

    septet("op-b", "release", dataset.name, "--hold", left["id"])
    assert holds() == []
    dataset.publish_and_wait()
