"""Who may do what to a table or a queue."""

from botocore.exceptions import ClientError
from support import (
    ACCOUNT,
    allow,
    create_queue,
    create_role,
    create_table,
    document,
    error_of,
    eventually,
    proves,
    role_session,
    table_arn,
    table_parameters,
    unique,
    user_session,
)  # fmt: skip

ITEM = {"id": {"S": "a"}}


def deny(table: str, *actions: str, **more) -> str:
    return document({"Effect": "Deny", "Principal": "*", "Action": list(actions), "Resource": table_arn(table), **more})


@proves("resource_policies")
def test_an_explicit_deny_of_the_table_binds_root(aws):
    table, dynamodb = create_table(aws), aws.client("dynamodb")
    dynamodb.put_item(TableName=table, Item=ITEM)
    dynamodb.put_resource_policy(ResourceArn=table_arn(table), Policy=deny(table, "dynamodb:PutItem"))

    code, message = error_of(lambda: dynamodb.put_item(TableName=table, Item=ITEM))
    assert code == "AccessDeniedException"
    assert "with an explicit deny in a resource-based policy" in message
    transaction = [{"Put": {"TableName": table, "Item": ITEM}}]
    assert error_of(lambda: dynamodb.transact_write_items(TransactItems=transaction))[0] == "AccessDeniedException"

    dynamodb.delete_resource_policy(ResourceArn=table_arn(table))
    dynamodb.put_item(TableName=table, Item=ITEM)


@proves("resource_policies")
def test_an_explicit_deny_of_the_table_binds_an_administrator(aws):
    table = create_table(aws)
    administrator = aws.client("dynamodb", **user_session(aws, allow("*")))
    administrator.put_item(TableName=table, Item=ITEM)
    policy = deny(table, "dynamodb:PutItem", "dynamodb:BatchWriteItem")
    administrator.put_resource_policy(ResourceArn=table_arn(table), Policy=policy)

    _, message = error_of(lambda: administrator.put_item(TableName=table, Item=ITEM))
    assert "with an explicit deny in a resource-based policy" in message
    batch = {table: [{"PutRequest": {"Item": ITEM}}]}
    assert error_of(lambda: administrator.batch_write_item(RequestItems=batch))[0] == "AccessDeniedException"


@proves("resource_policies")
def test_a_resource_policy_takes_its_time_to_be_in_force(aws):
    table, dynamodb = create_table(aws), aws.client("dynamodb")
    aws.settings(tables={"policy_seconds": 0.5})
    dynamodb.put_resource_policy(ResourceArn=table_arn(table), Policy=deny(table, "dynamodb:PutItem"))
    assert "dynamodb:PutItem" in dynamodb.get_resource_policy(ResourceArn=table_arn(table))["Policy"]
    dynamodb.put_item(TableName=table, Item=ITEM)
    eventually(lambda: is_refused(lambda: dynamodb.put_item(TableName=table, Item=ITEM)))


def is_refused(call) -> bool:
    try:
        call()
    except ClientError as error:
        return error.response["Error"]["Code"] == "AccessDeniedException"
    return False


@proves("resource_policies")
def test_a_resource_policy_must_be_a_policy(aws):
    table, dynamodb = create_table(aws), aws.client("dynamodb")
    without_statement = {"ResourceArn": table_arn(table), "Policy": '{"Version":"2012-10-17"}'}
    assert error_of(lambda: dynamodb.put_resource_policy(**without_statement))[0] == "ValidationException"


@proves("resource_policies")
def test_a_table_made_anew_has_no_policy(aws):
    table, dynamodb = create_table(aws), aws.client("dynamodb")
    dynamodb.put_resource_policy(ResourceArn=table_arn(table), Policy=deny(table, "dynamodb:PutItem"))
    aws.settings(tables={"creating_seconds": 0, "deleting_seconds": 0})
    dynamodb.delete_table(TableName=table)
    dynamodb.create_table(**table_parameters(table))
    policy = error_of(lambda: dynamodb.get_resource_policy(ResourceArn=table_arn(table)))
    assert policy[0] == "PolicyNotFoundException"
    dynamodb.put_item(TableName=table, Item=ITEM)


def test_a_resource_policy_changes_only_from_the_expected_revision(aws):
    table, dynamodb = create_table(aws), aws.client("dynamodb")
    given = {"ResourceArn": table_arn(table), "Policy": deny(table, "dynamodb:PutItem")}
    revision = dynamodb.put_resource_policy(**given, ExpectedRevisionId="NO_POLICY")["RevisionId"]
    assert dynamodb.get_resource_policy(ResourceArn=table_arn(table))["RevisionId"] == revision

    code, _ = error_of(lambda: dynamodb.put_resource_policy(**given, ExpectedRevisionId="NO_POLICY"))
    assert code == "PolicyNotFoundException"
    assert dynamodb.put_resource_policy(**given, ExpectedRevisionId=revision)["RevisionId"] != revision


@proves("dynamodb_resources")
def test_calls_by_resource_arn_are_authorized_on_the_table(aws):
    table, other = create_table(aws, "recs"), create_table(aws, "other")
    sealer = aws.client("dynamodb", **user_session(aws, allow("dynamodb:PutResourcePolicy", table_arn("recs-*"))))
    sealer.put_resource_policy(ResourceArn=table_arn(table), Policy=deny(table, "dynamodb:PutItem"))
    refused = {"ResourceArn": table_arn(other), "Policy": deny(other, "dynamodb:PutItem")}
    assert error_of(lambda: sealer.put_resource_policy(**refused))[0] == "AccessDeniedException"


@proves("partiql_actions")
def test_a_partiql_statement_needs_the_action_of_its_verb(aws):
    table = create_table(aws)
    reader = aws.client("dynamodb", **user_session(aws, allow("dynamodb:PartiQLSelect", table_arn(table))))
    assert reader.execute_statement(Statement=f'SELECT * FROM "{table}"')["Items"] == []
    insert = f"INSERT INTO \"{table}\" VALUE {{'id': 'a'}}"
    assert "dynamodb:PartiQLInsert" in error_of(lambda: reader.execute_statement(Statement=insert))[1]
    several = [{"Statement": f"DELETE FROM \"{table}\" WHERE id = 'a'"}]
    assert "PartiQLDelete" in error_of(lambda: reader.batch_execute_statement(Statements=several))[1]


@proves("queue_batch_actions")
def test_a_batch_of_messages_needs_the_permission_of_a_single_one(aws):
    queue, arn = create_queue(aws)
    sender = aws.client("sqs", **user_session(aws, allow("sqs:SendMessage", arn)))
    entries = [{"Id": "0", "MessageBody": "a"}]
    assert len(sender.send_message_batch(QueueUrl=queue, Entries=entries)["Successful"]) == 1
    receiver = aws.client("sqs", **user_session(aws, allow("sqs:ReceiveMessage", arn)))
    refused = error_of(lambda: receiver.send_message_batch(QueueUrl=queue, Entries=entries))[1].lower()
    assert "sqs:sendmessage " in refused, refused


@proves("principal_arn")
def test_the_principal_arn_of_a_session_is_its_role(aws):
    table = create_table(aws)
    role = create_role(aws, {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, allow("dynamodb:*"))
    session = aws.client("dynamodb", **role_session(aws, role))
    unless_it_is_the_role = {"Condition": {"ArnNotEquals": {"aws:PrincipalArn": role}}}
    policy = deny(table, "dynamodb:PutItem", **unless_it_is_the_role)
    aws.client("dynamodb").put_resource_policy(ResourceArn=table_arn(table), Policy=policy)
    session.put_item(TableName=table, Item=ITEM)


@proves("leading_keys")
def test_leading_keys_are_those_the_request_names(aws):
    table = create_table(aws)
    own_keys = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["DATASET#*"]}}
    actions = ["dynamodb:GetItem", "dynamodb:Query", "dynamodb:BatchGetItem"]
    reader = aws.client("dynamodb", **user_session(aws, allow(actions, table_arn(table), Condition=own_keys)))

    def get(key):
        return reader.get_item(TableName=table, Key={"id": {"S": key}})

    def query(key):
        values = {":key": {"S": key}}
        return reader.query(TableName=table, KeyConditionExpression="id = :key", ExpressionAttributeValues=values)

    def batch(*keys):
        return reader.batch_get_item(RequestItems={table: {"Keys": [{"id": {"S": key}} for key in keys]}})

    get("DATASET#a"), query("DATASET#a"), batch("DATASET#a", "DATASET#b")
    assert error_of(lambda: get("FEED#a"))[0] == "AccessDeniedException"
    assert error_of(lambda: query("FEED#a"))[0] == "AccessDeniedException"
    assert error_of(lambda: batch("DATASET#a", "FEED#a"))[0] == "AccessDeniedException"


def test_a_call_without_permission_is_refused(aws):
    name = unique("table")
    nobody = aws.client("dynamodb", **user_session(aws, allow("sqs:SendMessage")))
    assert error_of(lambda: nobody.create_table(**table_parameters(name)))[0] == "AccessDeniedException"
