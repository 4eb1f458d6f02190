"""What people and pages see: the script for browsers."""
