"""The vocabulary that the program, the worker, the functions and `ops` share. Standard library only."""
