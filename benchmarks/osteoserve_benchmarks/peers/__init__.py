"""What others compute of the same volume, as context: each does another task than ours."""
