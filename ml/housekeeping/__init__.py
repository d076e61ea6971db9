"""The home folder as a whole: what can go from it, and its backup."""
