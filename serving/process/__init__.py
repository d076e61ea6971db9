"""The processes of a server: sockets, workers, HTTP, the end, logs."""
