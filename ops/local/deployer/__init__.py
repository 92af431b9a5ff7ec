"""Runs the project's real Pulumi program and creates its resources in the embedded AWS through boto3."""
