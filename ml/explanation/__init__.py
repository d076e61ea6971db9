"""What a version makes of its features."""
