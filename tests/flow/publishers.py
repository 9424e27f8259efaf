"""Functions of publishers, in Python, that contracts ask."""

import io
import zipfile

import stack
from cloud import ACCOUNT, Cloud
from dataset import Dataset

PASSES = "def handler(event, context):\n    return {'outcome': 'passed'}\n"


def function(cloud: Cloud, name: str, code: str) -> str:
    """Deploys a function that checks; returns its ARN."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("index.py", code)
    name = f"septet-check-{name}"
    cloud.aws.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.11",
        Handler="index.handler",
        Role=cloud.outputs["OnPublishRoleArn"],
        Code={"ZipFile": packed.getvalue()},
    )
    return f"arn:aws:lambda:{stack.REGION}:{ACCOUNT}:function:{name}"


def asking(dataset: Dataset, arn: str, **settings) -> None:
    """Puts a contract with a rule that the function answers."""
    contract = dataset.contract(**settings)
    rule = {"id": "own", "type": "custom", "engine": "lambda"}
    rule["implementation"] = {"arn": arn, "timeoutSeconds": 5, "arguments": {"least": 2}}
    contract["schema"][0]["quality"].append(rule)
    dataset.put_contract(contract)
