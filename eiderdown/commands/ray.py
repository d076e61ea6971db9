"""`eiderdown ray`: the server as a Ray Serve deployment."""

from typing import Annotated

import typer

from eiderdown.output import console
from ml.errors import DeclarationError
from ml.release.manifest import current_release, releases_folder
from serving.settings import Settings


def ray(
    least: Annotated[int, typer.Option(min=1, help="The least number of replicas.")] = 1,
    most: Annotated[int, typer.Option(min=1, help="The greatest number of replicas.")] = 4,
    host: Annotated[str, typer.Option(help="Another than a loopback address needs tokens.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Of Ray's HTTP proxy on each node.")] = 8000,
    address: Annotated[
        str | None, typer.Option(help="A running cluster's, such as 10.0.0.1:6379, or auto; else one is started here.")
    ] = None,
    target: Annotated[
        float, typer.Option(min=0.1, help="Requests in flight per replica; more of them start replicas.")
    ] = 8.0,
    upscale_delay: Annotated[float, typer.Option(min=0, help="Seconds of load before replicas start.")] = 10.0,
    downscale_delay: Annotated[float, typer.Option(min=0, help="Seconds without load before replicas end.")] = 300.0,
    cpus: Annotated[float, typer.Option(min=0, help="CPUs of the cluster that a replica takes.")] = 1.0,
) -> None:
    """Serve on Ray, with as many replicas as the load needs; the home folder is one that all nodes share.

    SIGTERM or Ctrl+C ends it when the requests in flight are answered, a second one at once.
    """
    # Here, since it takes long to import, which no other command needs.
    from serving.access.guard import check_binding
    from serving.process.listening import listen
    from serving.ray_serve.environment import prepare_ray

    check_binding(host, Settings.from_environment())
    if least > most:
        raise DeclarationError(f"--least {least} is more than --most {most}.")
    if address is None:
        # Both sooner, and in fewer words, than Ray says it; its proxy would even share a port that is taken.
        current_release(releases_folder())
        listen(host, port).close()
    prepare_ray(is_joined=address is not None)
    try:
        from serving.ray_serve.cluster import serve_on_ray
        from serving.ray_serve.deployment import Scaling
    except ModuleNotFoundError as error:
        raise DeclarationError(f"the package {error.name} is not installed: pip install 'eiderdown[ray]'.") from None
    at = f"[{host}]" if ":" in host else host
    scaling = Scaling(least, most, target, upscale_delay, downscale_delay, cpus)
    serve_on_ray(host, port, scaling, address, lambda: console.print(f"http://{at}:{port}", highlight=False))
