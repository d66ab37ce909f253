"""The stores: DynamoDB for data, Secrets Manager for the pepper, SQS for events that cannot be applied."""
