"""What every component is made of: base class, naming, validation rules, IAM statements, errors."""
