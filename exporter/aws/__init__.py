"""The only package that calls boto3: clients, credentials, responses to records, and one error for each failed call."""
