"""The deployer's policies allow every resource of the template, and no privilege escalation."""

from __future__ import annotations

import json
import re

import pytest

from local.intrinsics import mapping
from tests.support import cloudformation
from tests.support.cloudformation import function_ids, section
from tests.support.environment import ROOT
from tests.support.iam_policies import ACCOUNT, BOUNDARY, STACK, TEMPLATE, Request, actions, allows, statements

DEPLOYER = statements("Deployer", "DeployerData", "DeployerArchive")

PARTITIONS = ("aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f", "aws-eusc")
LARGEST_POLICY_CHARACTERS = 6144
"""IAM and AWS STS quotas: a managed policy, without white space."""
LONGEST_ROLE_NAME = 64
"""IAM and AWS STS quotas."""
RANDOM_CHARACTERS = 13
"""Maximum length of the suffix that CloudFormation adds to a name."""

# ---- CloudFormation's actions for each resource type -------------------------------------------------------------

HANDLERS: dict[str, list[str]] = json.loads((ROOT / "tests" / "iam" / "handlers.json").read_text(encoding="utf-8"))[
    "permissions"
]
"""Actions that CloudFormation needs for a resource type, as the type's schema declares them."""

CREATED_BY_SAM = {
    "AWS::Serverless::Api": {
        "AWS::ApiGateway::Deployment",
        "AWS::ApiGateway::RestApi",
        "AWS::ApiGateway::Stage",
        "AWS::Lambda::Permission",
    },
    "AWS::Serverless::Function": {"AWS::IAM::Role", "AWS::Lambda::Function"},
    "AWS::Serverless::LayerVersion": {"AWS::Lambda::LayerVersion"},
}
"""AWS SAM Developer Guide, "Generated CloudFormation resources for AWS SAM"."""

CREATED_FOR_EVENTS = {"Api": {"AWS::Lambda::Permission"}, "Schedule": {"AWS::Events::Rule", "AWS::Lambda::Permission"}}
"""The same page, about a function's events."""

KMS = {
    *("kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey", "kms:ListAliases"),
    *(
        "kms:GenerateDataKeyWithoutPlaintext",
        "kms:ReEncrypt",
        "kms:ReEncryptFrom",
        "kms:ReEncryptTo",
        "kms:RevokeGrant",
    ),
}

OF_PROPERTIES: dict[str, dict[str, set[str]]] = {
    "AWS::ApiGateway::RestApi": {"ResourcePolicy": {"apigateway:UpdateRestApiPolicy"}},
    "AWS::DynamoDB::Table": {
        "ContributorInsightsSpecification": {"dynamodb:UpdateContributorInsights"},
        "ImportSourceSpecification": {
            *("dynamodb:BatchWriteItem", "dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem"),
            *("dynamodb:Query", "dynamodb:Scan", "dynamodb:UpdateItem", "dynamodb:DescribeImport"),
            *("dynamodb:ImportTable", "s3:GetObject", "s3:GetObjectMetadata", "s3:ListBucket"),
            *("logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogGroups", "logs:DescribeLogStreams"),
            *("logs:PutLogEvents", "logs:PutRetentionPolicy"),
        },
        "KinesisStreamSpecification": {
            *("dynamodb:EnableKinesisStreamingDestination", "dynamodb:DisableKinesisStreamingDestination"),
            *("dynamodb:UpdateKinesisStreamingDestination", "kinesis:DescribeStream", "kinesis:PutRecords"),
            "iam:CreateServiceLinkedRole",
        },
        "KMSMasterKeyId": KMS,
        "Replicas": {"dynamodb:AssociateTableReplica", "dynamodb:CreateTableReplica"},
        "ResourcePolicy": {"dynamodb:DeleteResourcePolicy", "dynamodb:PutResourcePolicy"},
    },
    "AWS::Events::EventBus": {
        "KmsKeyIdentifier": KMS,
        "Policy": {"events:PutPermission", "events:RemovePermission"},
    },
    "AWS::Lambda::EventSourceMapping": {"KmsKeyArn": KMS},
    "AWS::Lambda::Function": {
        "AutoPublishAlias": {"lambda:PublishVersion"},
        "CapacityProviderConfig": {"lambda:PassCapacityProvider"},
        "CodeSigningConfigArn": {
            *("lambda:DeleteFunctionCodeSigningConfig", "lambda:GetCodeSigningConfig"),
            "lambda:PutFunctionCodeSigningConfig",
        },
        "FileSystemConfigs": {"elasticfilesystem:DescribeMountTargets", "s3files:ListMountTargets"},
        "FunctionScalingConfig": {"lambda:PutFunctionScalingConfig"},
        "KmsKeyArn": KMS,
        "RecursiveLoop": {"lambda:PutFunctionRecursionConfig"},
        "ReservedConcurrentExecutions": {"lambda:DeleteFunctionConcurrency", "lambda:PutFunctionConcurrency"},
        "RuntimeManagementConfig": {"lambda:AssociateRuntimeAlias", "lambda:PutRuntimeManagementConfig"},
        "VpcConfig": {
            *("ec2:DescribeNetworkInterfaces", "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs"),
        },
    },
    "AWS::Logs::LogGroup": {
        "BearerTokenAuthenticationEnabled": {"logs:PutBearerTokenAuthentication"},
        "DataProtectionPolicy": {"logs:DeleteDataProtectionPolicy", "logs:PutDataProtectionPolicy"},
        "DeletionProtectionEnabled": {"logs:PutLogGroupDeletionProtection"},
        "FieldIndexPolicies": {"logs:DeleteIndexPolicy", "logs:PutIndexPolicy"},
        "KmsKeyId": {"logs:AssociateKmsKey", "logs:DisassociateKmsKey"},
        "LogGroupClass": {"firehose:TagDeliveryStream", "s3:REST.PUT.OBJECT"},
        "ResourcePolicyDocument": {"logs:DeleteResourcePolicy"},
    },
    "AWS::S3::Bucket": {
        "AbacStatus": {"s3:PutBucketAbac"},
        "AccelerateConfiguration": {"s3:PutAccelerateConfiguration"},
        "AccessControl": {"s3:GetBucketAcl", "s3:PutBucketAcl", "s3:PutObjectAcl"},
        "AnalyticsConfigurations": {"s3:DeleteBucketAnalyticsConfiguration", "s3:PutAnalyticsConfiguration"},
        "CorsConfiguration": {"s3:DeleteBucketCors", "s3:PutBucketCORS"},
        "IntelligentTieringConfigurations": {"s3:PutIntelligentTieringConfiguration"},
        "InventoryConfigurations": {"s3:PutInventoryConfiguration"},
        "LifecycleConfiguration": {"s3:DeleteBucketLifecycle", "s3:PutLifecycleConfiguration"},
        "LoggingConfiguration": {"s3:PutBucketLogging"},
        "MetadataTableConfiguration": {
            *("s3:CreateBucketMetadataTableConfiguration", "s3:DeleteBucketMetadataTableConfiguration"),
            "s3:UpdateBucketMetadataAnnotationTableConfiguration",
            "s3:UpdateBucketMetadataInventoryTableConfiguration",
            "s3:UpdateBucketMetadataJournalTableConfiguration",
            *("s3tables:CreateNamespace", "s3tables:CreateTable", "s3tables:CreateTableBucket", "s3tables:GetTable"),
            *("s3tables:GetTableMetadataLocation", "s3tables:PutTableBucketPolicy", "s3tables:PutTableEncryption"),
            *("s3tables:PutTablePolicy", "s3tables:UpdateTableMetadataLocation"),
        },
        "MetricsConfigurations": {"s3:DeleteBucketMetricsConfiguration", "s3:PutMetricsConfiguration"},
        "NotificationConfiguration": {"s3:PutBucketNotification"},
        "ReplicationConfiguration": {
            *("iam:PassRole", "s3:DeleteBucketReplication", "s3:PutBucketReplication"),
            "s3:PutReplicationConfiguration",
        },
        "WebsiteConfiguration": {"s3:DeleteBucketWebsite", "s3:PutBucketWebsite"},
    },
    "AWS::SecretsManager::Secret": {
        "ReplicaRegions": {
            "secretsmanager:RemoveRegionsFromReplication",
            "secretsmanager:ReplicateSecretToRegions",
        }
    },
}
"""Actions that CloudFormation needs for a property only; not in the policies while no resource has the property."""

FOR_ADMINISTRATORS = {
    "iam:DeleteRolePermissionsBoundary": "a role would lose its limits",
    "s3:DeleteObject": "deletes objects of the archive; sam deletes objects of the bucket that it made",
    "iam:UpdateAssumeRolePolicy": "any principal could be allowed to assume an existing role",
    "secretsmanager:GetSecretValue": "reads the pepper; CloudFormation calls it when the secret's properties change",
}
"""Actions that are missing on purpose, with the reason. An administrator deploys changes that need them."""

NO_ACTIONS = {"s3:DeleteBucketEncryption", "s3:PutObjectLockConfiguration"}
"""Names in the schemas of types that are no actions of IAM (Service Authorization Reference, Amazon S3)."""

RECOVERY = {
    *("cloudformation:CancelUpdateStack", "cloudformation:ContinueUpdateRollback", "cloudformation:RollbackStack"),
    *("cloudformation:ListChangeSets", "cloudformation:DeleteChangeSet", "cloudformation:DescribeStackResources"),
}
"""Actions to recover from an update that hangs or failed."""

OF_SAM = {
    *("cloudformation:CreateChangeSet", "cloudformation:DeleteStack", "cloudformation:DescribeChangeSet"),
    *("cloudformation:DescribeStackEvents", "cloudformation:DescribeStackResource", "cloudformation:DescribeStacks"),
    *("cloudformation:ExecuteChangeSet", "cloudformation:GetTemplate", "cloudformation:GetTemplateSummary"),
    *("cloudformation:ListStackResources", "cloudformation:UpdateTerminationProtection"),
    *(
        "s3:CreateBucket",
        "s3:DeleteObject",
        "s3:GetBucketPolicy",
        "s3:PutBucketPolicy",
        "s3:PutBucketPublicAccessBlock",
    ),
    *(
        "s3:PutBucketTagging",
        "s3:PutBucketVersioning",
        "s3:PutEncryptionConfiguration",
        "s3:PutObject",
        "s3:TagResource",
    ),
    "s3:ListBucket",
}
"""Calls of `sam deploy` and `sam delete` (samcli/lib of sam 1.170), and actions for the bucket that sam creates."""

DELIVERY = {f"logs:{verb}LogDelivery" for verb in ("Delete", "Get", "Update")} | {"logs:ListLogDeliveries"}
"""CloudWatch Logs User Guide, "Enable logging from AWS services": for access logs, with CreateLogDelivery."""

ROLE = f"arn:aws:iam::{ACCOUNT}:role/{STACK}-CreateApiKeyRole-1A2B3C4D5E6F"
FUNCTION = f"arn:aws:lambda:eu-central-1:{ACCOUNT}:function:{STACK}-SyncOrganizations-1A2B3C4D5E6F"
MANAGED = "arn:aws:iam::aws:policy"

EXAMPLES = {
    "AWS::ApiGateway::Account": "arn:aws:apigateway:eu-central-1::/account",
    "AWS::ApiGateway::Deployment": "arn:aws:apigateway:eu-central-1::/restapis/a1b2c3/deployments",
    "AWS::ApiGateway::RestApi": "arn:aws:apigateway:eu-central-1::/restapis",
    "AWS::ApiGateway::Stage": "arn:aws:apigateway:eu-central-1::/restapis/a1b2c3/stages/v1",
    "AWS::CloudWatch::Alarm": f"arn:aws:cloudwatch:eu-central-1:{ACCOUNT}:alarm:{STACK}-LatencyAlarm-1A2B",
    "AWS::CloudWatch::Dashboard": f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/{STACK}-eu-central-1",
    "AWS::DynamoDB::Table": f"arn:aws:dynamodb:eu-central-1:{ACCOUNT}:table/{STACK}-Table-1A2B3C4D5E6F",
    "AWS::Events::EventBus": f"arn:aws:events:eu-central-1:{ACCOUNT}:event-bus/{STACK}-organizations",
    "AWS::Events::Rule": f"arn:aws:events:eu-central-1:{ACCOUNT}:rule/{STACK}-organizations/{STACK}-Rule-1A2B",
    "AWS::IAM::Role": ROLE,
    "AWS::Lambda::EventSourceMapping": f"arn:aws:lambda:eu-central-1:{ACCOUNT}:event-source-mapping:0b1c2d3e",
    "AWS::Lambda::Function": FUNCTION,
    "AWS::Lambda::LayerVersion": f"arn:aws:lambda:eu-central-1:{ACCOUNT}:layer:{STACK}-shared:7",
    "AWS::Lambda::Permission": FUNCTION,
    "AWS::Logs::LogGroup": f"arn:aws:logs:eu-central-1:{ACCOUNT}:log-group:{STACK}-AccessLogs-1A2B",
    "AWS::S3::Bucket": f"arn:aws:s3:::{STACK}-auditarchivebucket-1a2b3c4d5e6f",
    "AWS::S3::BucketPolicy": f"arn:aws:s3:::{STACK}-auditarchivebucket-1a2b3c4d5e6f",
    "AWS::SQS::Queue": f"arn:aws:sqs:eu-central-1:{ACCOUNT}:{STACK}-OrganizationEventsQueue-1A2B",
    "AWS::SQS::QueuePolicy": f"arn:aws:sqs:eu-central-1:{ACCOUNT}:{STACK}-OrganizationEventsQueue-1A2B",
    "AWS::SecretsManager::Secret": f"arn:aws:secretsmanager:eu-central-1:{ACCOUNT}:secret:Pepper-1A2B3C4D5E6F-a1b2c3",
}
"""A resource of each type, with a name as CloudFormation generates it."""

CONTEXT = {
    "iam:AWSServiceName": "ops.apigateway.amazonaws.com",
    "iam:PassedToService": "lambda.amazonaws.com",
    "iam:PermissionsBoundary": BOUNDARY,
    "iam:PolicyARN": f"{MANAGED}/service-role/AWSLambdaBasicExecutionRole",
    "lambda:FunctionArn": FUNCTION,
}
"""Condition keys of a deployment's requests."""

ELSEWHERE = {
    "iam:PassRole": ROLE,
    "iam:GetRole": ROLE,
    "lambda:GetLayerVersion": EXAMPLES["AWS::Lambda::LayerVersion"],
    "s3:GetObject": f"arn:aws:s3:::aws-sam-cli-managed-default-samclisourcebucket-1a2b/{STACK}/0123",
    "s3:GetObjectVersion": f"arn:aws:s3:::aws-sam-cli-managed-default-samclisourcebucket-1a2b/{STACK}/0123",
    **dict.fromkeys(("secretsmanager:GetRandomPassword", "cloudwatch:DescribeAlarms"), "*"),
    **dict.fromkeys(("logs:CreateLogDelivery", "logs:DescribeLogGroups", "logs:DescribeResourcePolicies"), "*"),
    "logs:PutResourcePolicy": "*",
}
"""Actions on another resource than the one that is created, or on none."""


def deployed_types() -> set[str]:
    """Return the types of all resources that CloudFormation creates, including those that SAM adds."""
    written = {str(mapping(declared, name)["Type"]) for name, declared in section("Resources").items()}
    events = {
        str(mapping(event, name)["Type"])
        for name in function_ids()
        for event in mapping(mapping(cloudformation.resource(name)["Properties"], name).get("Events"), name).values()
    }
    created = {kind for each in written for kind in CREATED_BY_SAM.get(each, {each})}
    return created | {kind for event in events for kind in CREATED_FOR_EVENTS[event]}


def used_properties(kind: str) -> set[str]:
    """Return the names of all properties, at any depth, of resources of a type."""
    of_sam = {each for each, created in CREATED_BY_SAM.items() if kind in created}
    names: set[str] = set()
    for name, declared in section("Resources").items():
        resource = mapping(declared, name)
        if resource["Type"] in {kind, *of_sam}:
            names |= _names(resource["Properties"])
    return names | (_names(section("Globals")) if of_sam else set())


def _names(value: object) -> set[str]:
    if isinstance(value, dict):
        return set(value) | {name for each in value.values() for name in _names(each)}
    return {name for each in value for name in _names(each)} if isinstance(value, list) else set()


def needed(kind: str) -> set[str]:
    """Return the actions that the template's resources of a type need."""
    unused = {
        action
        for name, of_property in OF_PROPERTIES.get(kind, {}).items()
        if name not in used_properties(kind)
        for action in of_property
    }
    return set(HANDLERS[kind]) - unused - FOR_ADMINISTRATORS.keys() - NO_ACTIONS


@pytest.mark.parametrize("kind", sorted(deployed_types()))
def test_the_deployer_may_create_every_resource(kind: str) -> None:
    """The policies have the actions for every resource type and property of the template."""
    requests = [Request(action, ELSEWHERE.get(action, EXAMPLES[kind]), CONTEXT) for action in sorted(needed(kind))]

    assert requests
    assert [] == [str(request) for request in requests if not allows(DEPLOYER, request)]


def test_a_new_property_is_noticed() -> None:
    """GIVEN reserved concurrency is not in the template WHEN a function has it THEN two more actions are needed."""
    of_concurrency = OF_PROPERTIES["AWS::Lambda::Function"]["ReservedConcurrentExecutions"]
    all_of_it = set(HANDLERS["AWS::Lambda::Function"])

    assert of_concurrency <= all_of_it
    assert of_concurrency.isdisjoint(needed("AWS::Lambda::Function")) == (
        "ReservedConcurrentExecutions" not in used_properties("AWS::Lambda::Function")
    )


def test_every_omitted_action_is_an_action_of_a_type() -> None:
    """Actions are omitted only if CloudFormation uses them."""
    for kind, of_properties in OF_PROPERTIES.items():
        for name, of_property in of_properties.items():
            assert of_property == KMS or of_property <= set(HANDLERS[kind]), (kind, name)
    assert FOR_ADMINISTRATORS.keys() <= {action for kind in deployed_types() for action in HANDLERS[kind]}


def test_the_deployer_has_no_superfluous_actions() -> None:
    """Each action is needed by a resource type of the template, by sam, or for recovery."""
    of_types = {action for kind in deployed_types() for action in needed(kind)}

    assert actions(DEPLOYER) <= of_types | OF_SAM | RECOVERY | DELIVERY | {"iam:CreateServiceLinkedRole"}
    assert OF_SAM | RECOVERY | DELIVERY <= actions(DEPLOYER)


def test_the_deployer_has_no_wildcard_actions() -> None:
    """No action is a wildcard, and all resources are allowed only where AWS offers no narrower ones."""
    everywhere = {statement["Sid"] for statement in DEPLOYER if statement["Resource"] == "*"}

    assert not [action for action in actions(DEPLOYER) if "*" in action]
    assert everywhere == {"Mapping", "Everywhere"}
    assert [statement["Sid"] for statement in DEPLOYER if statement["Sid"] == "Mapping" and "Condition" in statement]


@pytest.mark.parametrize("partition", PARTITIONS)
@pytest.mark.parametrize("name", list(mapping(TEMPLATE["Resources"], "Resources")))
def test_a_policy_is_within_iams_quota(name: str, partition: str) -> None:
    """Every policy fits into a managed policy, in any partition, for the longest name of a stack."""
    longest = int(str(mapping(mapping(TEMPLATE["Parameters"], "Parameters")["StackName"], "StackName")["MaxLength"]))
    document = {"Version": "2012-10-17", "Statement": statements(name, partition=partition, stack="k" * longest)}

    assert len(json.dumps(document, separators=(",", ":"))) <= LARGEST_POLICY_CHARACTERS


def test_every_arn_names_its_partition() -> None:
    """ARNs use the stack's partition: China, GovCloud and the sovereign regions have others than aws."""
    source = (ROOT / "docs" / "iam.yaml").read_text(encoding="utf-8")

    assert not re.findall(r"arn:(?!\$\{AWS::Partition\}:)\S+", source)


def test_no_role_name_is_shortened() -> None:
    """Role names fit into IAM's limit: a shortened one would not begin with the stack's name and a hyphen."""
    longest = int(str(mapping(mapping(TEMPLATE["Parameters"], "Parameters")["StackName"], "StackName")["MaxLength"]))
    roles = [f"{name}Role" for name in function_ids()] + ["ApiGatewayLogRole"]

    assert max(longest + len(f"-{role}-") + RANDOM_CHARACTERS for role in roles) <= LONGEST_ROLE_NAME


# ---- Requests of a deployment -----------------------------------------------------------------------------------

_STACK_ARN = f"arn:aws:cloudformation:eu-central-1:{ACCOUNT}:stack"
_BOUNDED = {"iam:PermissionsBoundary": BOUNDARY}


@pytest.mark.parametrize(
    "request_",
    [
        *(
            Request(f"cloudformation:{action}", f"{_STACK_ARN}/{stack}/1a2b")
            for stack in (STACK, "aws-sam-cli-managed-default")
            for action in (
                "CreateChangeSet",
                "DescribeChangeSet",
                "ExecuteChangeSet",
                "DescribeStacks",
                "DescribeStackEvents",
            )
        ),
        Request(
            "cloudformation:CreateChangeSet", "arn:aws:cloudformation:eu-central-1:aws:transform/Serverless-2016-10-31"
        ),
        *(
            Request("cloudformation:DescribeStacks", f"{_STACK_ARN}/{STACK}-0a1b2c3d-{kind}/1a2b")
            for kind in ("CompanionStack", "WebFunctionCode")
        ),
        *(
            Request(f"cloudformation:{action}", f"{_STACK_ARN}/{STACK}/1a2b")
            for action in (
                "CancelUpdateStack",
                "ContinueUpdateRollback",
                "ListChangeSets",
                "UpdateTerminationProtection",
            )
        ),
        Request("iam:CreateRole", ROLE, _BOUNDED),
        Request("iam:PutRolePermissionsBoundary", ROLE, _BOUNDED),
        *(
            Request("iam:AttachRolePolicy", ROLE, {**_BOUNDED, "iam:PolicyARN": f"{MANAGED}/{name}"})
            for name in (
                "service-role/AWSLambdaBasicExecutionRole",
                "AWSXrayWriteOnlyAccess",
                "AWSXRayDaemonWriteAccess",
                "service-role/AmazonAPIGatewayPushToCloudWatchLogs",
            )
        ),
        *(
            Request("iam:PassRole", ROLE, {"iam:PassedToService": f"{service}.amazonaws.com"})
            for service in ("lambda", "apigateway")
        ),
        Request(
            "iam:CreateServiceLinkedRole",
            f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/ops.apigateway.amazonaws.com/AWSServiceRoleForAPIGateway",
            {"iam:AWSServiceName": "ops.apigateway.amazonaws.com"},
        ),
        *(
            Request(f"lambda:{action}", EXAMPLES["AWS::Lambda::EventSourceMapping"])
            for action in ("TagResource", "UntagResource", "ListTags")
        ),
        Request("lambda:CreateEventSourceMapping", "*", {"lambda:FunctionArn": FUNCTION}),
    ],
    ids=str,
)
def test_a_step_of_a_deployment_is_allowed(request_: Request) -> None:
    """The policies allow a first deployment, and the recovery of one that hangs."""
    assert allows(DEPLOYER, request_)


# ---- Privilege escalation ---------------------------------------------------------------------------------------

_ADMINISTRATOR = {"iam:PolicyARN": f"{MANAGED}/AdministratorAccess"}
_OTHER_ROLE = f"arn:aws:iam::{ACCOUNT}:role/OrganizationAccountAccessRole"
_OTHER_BOUNDARY = {"iam:PermissionsBoundary": f"{MANAGED}/AdministratorAccess"}
_OTHERS = ("Deployer", "DeployerData", "Operator", "OperatorPepper")
_POLICIES = [BOUNDARY, *(BOUNDARY.replace("Boundary", name) for name in _OTHERS)]


@pytest.mark.parametrize(
    "request_",
    [
        Request("iam:CreateRole", ROLE),
        Request("iam:CreateRole", ROLE, _OTHER_BOUNDARY),
        Request("iam:CreateRole", _OTHER_ROLE, _BOUNDED),
        Request("iam:PutRolePolicy", ROLE),
        Request("iam:PutRolePolicy", ROLE, _OTHER_BOUNDARY),
        Request("iam:PutRolePolicy", _OTHER_ROLE, _BOUNDED),
        Request("iam:AttachRolePolicy", ROLE, _ADMINISTRATOR),
        Request("iam:AttachRolePolicy", ROLE, {**_BOUNDED, **_ADMINISTRATOR}),
        Request("iam:AttachRolePolicy", ROLE, {"iam:PolicyARN": f"{MANAGED}/service-role/AWSLambdaBasicExecutionRole"}),
        Request("iam:PutRolePermissionsBoundary", ROLE, _OTHER_BOUNDARY),
        Request("iam:DeleteRolePermissionsBoundary", ROLE, _BOUNDED),
        Request("iam:UpdateAssumeRolePolicy", ROLE, _BOUNDED),
        *(
            Request(f"iam:{action}", policy)
            for policy in _POLICIES
            for action in ("CreatePolicyVersion", "SetDefaultPolicyVersion", "DeletePolicy", "DeletePolicyVersion")
        ),
        *(
            Request(f"iam:{action}", f"arn:aws:iam::{ACCOUNT}:user/{STACK}-mallory")
            for action in ("CreateUser", "CreateAccessKey", "AttachUserPolicy", "PutUserPolicy", "CreateLoginProfile")
        ),
        *(
            Request("iam:PassRole", ROLE, {"iam:PassedToService": f"{service}.amazonaws.com"})
            for service in ("ec2", "cloudformation", "ecs-tasks", "glue", "events", "scheduler", "states")
        ),
        Request("iam:PassRole", _OTHER_ROLE, {"iam:PassedToService": "lambda.amazonaws.com"}),
        Request("sts:AssumeRole", _OTHER_ROLE),
        Request(
            "iam:CreateServiceLinkedRole",
            f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling",
            {"iam:AWSServiceName": "autoscaling.amazonaws.com"},
        ),
        *(
            Request(f"cloudformation:{action}", f"{_STACK_ARN}/{STACK}-iam/1a2b")
            for action in ("CreateChangeSet", "ExecuteChangeSet", "DeleteStack")
        ),
        Request("cloudformation:CreateChangeSet", f"{_STACK_ARN}/{STACK}-0a1b2c3d-CompanionStack/1a2b"),
        Request("cloudformation:CreateChangeSet", f"{_STACK_ARN}/billing/1a2b"),
        Request("lambda:UpdateFunctionCode", f"arn:aws:lambda:eu-central-1:{ACCOUNT}:function:billing"),
        Request(
            "lambda:CreateEventSourceMapping",
            "*",
            {"lambda:FunctionArn": f"arn:aws:lambda:eu-central-1:{ACCOUNT}:function:billing"},
        ),
        Request("lambda:TagResource", f"arn:aws:lambda:eu-central-1:{ACCOUNT}:function:billing"),
        Request("secretsmanager:GetSecretValue", EXAMPLES["AWS::SecretsManager::Secret"]),
        Request("dynamodb:PutItem", EXAMPLES["AWS::DynamoDB::Table"]),
        Request("dynamodb:DeleteTable", f"arn:aws:dynamodb:eu-central-1:{ACCOUNT}:table/billing"),
        Request("s3:GetObject", "arn:aws:s3:::billing/records"),
    ],
    ids=str,
)
def test_an_attack_is_denied(request_: Request) -> None:
    """The policies deny roles without the boundary, changes of policies, and passing roles to other services."""
    assert not allows(DEPLOYER, request_)
