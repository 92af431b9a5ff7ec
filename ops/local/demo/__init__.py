"""Sends events through every pattern of the local stack and tells what happened."""
