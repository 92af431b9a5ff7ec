"""Where dead-lettered messages can go back to: a small class for each kind of place."""
