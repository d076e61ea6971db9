"""`eiderdown serve`: the server's processes."""

from typing import Annotated

import typer

from eiderdown.output import console
from serving.settings import Settings


def serve(
    host: Annotated[str, typer.Option(help="Another than a loopback address needs tokens.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, help="Server processes; with several, one that dies is replaced.")] = 1,
) -> None:
    """Answer over HTTP from the current release; documentation of the interface is at /docs.

    SIGTERM or Ctrl+C ends it when what was accepted is answered, a second one at once.
    """
    # Here, since it takes long to import, which no other command needs.
    from serving.access.guard import check_binding
    from serving.process.listening import listen
    from serving.process.server import serve as serve_here
    from serving.process.workers import Workers

    check_binding(host, Settings.from_environment())
    listener = listen(host, port)
    at = f"[{host}]" if ":" in host else host
    console.print(f"http://{at}:{listener.getsockname()[1]}", highlight=False)
    status = serve_here(listener) if workers == 1 else Workers(listener, workers).run()
    raise typer.Exit(status)
