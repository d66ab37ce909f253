"""Everything that is stored, and the only place that knows how: DynamoDB for data, Secrets Manager for the pepper."""
