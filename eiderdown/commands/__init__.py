"""Command groups of the command line, a file each; cli.py adds them."""
