"""GET /docs: Swagger UI over /openapi.json, from files on this machine; nothing is fetched from elsewhere."""

from importlib.resources import files

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response

# Of the package only the distribution of Swagger UI that it carries; its own pages would need inline scripts.
_UI = files("fastapi_swagger") / "resources"
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Eiderdown</title>
<link rel="stylesheet" href="docs/swagger-ui.css">
<link rel="icon" href="docs/favicon.png">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
_START = 'SwaggerUIBundle({url: "openapi.json", dom_id: "#swagger-ui", deepLinking: true});\n'

router = APIRouter(include_in_schema=False)


@router.get("/docs")
async def docs() -> Response:
    """The page."""
    return HTMLResponse(_PAGE)


@router.get("/docs/start.js")
async def start() -> Response:
    """What starts Swagger UI: a file, since the page's policy forbids inline scripts."""
    return Response(_START, media_type="text/javascript")


@router.get("/docs/swagger-ui-bundle.js")
def bundle() -> Response:
    """The program of Swagger UI."""
    return Response((_UI / "swagger-ui-bundle.js").read_bytes(), media_type="text/javascript")


@router.get("/docs/swagger-ui.css")
def style() -> Response:
    """The style sheet of Swagger UI."""
    return Response((_UI / "swagger-ui.css").read_bytes(), media_type="text/css")


@router.get("/docs/favicon.png")
def icon() -> Response:
    """The icon of Swagger UI."""
    return Response((_UI / "favicon-32x32.png").read_bytes(), media_type="image/png")
