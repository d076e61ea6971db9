"""The loop that keeps the warehouse up to date: new files or time start a build, which may decide to train anew."""
