"""Shows and sets how a service scales."""
