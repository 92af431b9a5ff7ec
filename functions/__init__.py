"""Lambda handlers. They need what Lambda's Python runtime has (the standard library and boto3) and `contracts`."""
