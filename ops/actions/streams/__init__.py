"""What operators see of streams: how far their consumers are, who holds what, and the records themselves."""
