"""A release with what a server adds to it: the queue, the cache and the numbers of each model, which go with it."""

from pathlib import Path

from serving.metrics.metrics import Metrics
from serving.metrics.refusals import Refusals
from serving.predictions.served_model import ServedModel
from serving.predictions.target import Target
from serving.problems import Problem
from serving.releases.loaded import LoadedParts
from serving.releases.release import Release
from serving.settings import Settings


class ServedRelease(Release):
    """What one request sees from its start to its end."""

    def __init__(
        self, folder: Path, parts: LoadedParts, settings: Settings, metrics: Metrics, refusals: Refusals
    ) -> None:
        """Load a release and score a row with each of its models. Raises what loading or scoring raises."""
        super().__init__(folder, parts)
        self.models: dict[str, dict[int, ServedModel]] = {}
        for (model, version), predictor in sorted(self.predictors.items()):
            slo_ms = self.manifest.serving.get(model, {}).get("slo_ms", settings.slo_ms)
            served = ServedModel(predictor, self.name, slo_ms / 1000, settings, metrics, refusals)
            self.models.setdefault(model, {})[version] = served

    def target(self, model: str, alias: str | None = None, version: int | None = None) -> Target:
        """What answers a request for a model: the version that it names, or the champion.

        Raises Problem 404 where there is none.
        """
        versions = self.models.get(model)
        if versions is None:
            raise Problem(404, f"no such model in the release; the models are {', '.join(self.models) or 'none'}")
        if version is None:
            alias = "champion" if alias is None else alias
            aliases = self.aliases.get(model, {})
            if alias not in aliases:
                raise Problem(
                    404, f"no such alias of {model}; the aliases are {', '.join(aliases) or 'none'}", ("alias",)
                )
            version = aliases[alias]
        served = versions.get(version)
        if served is None:
            raise Problem(404, f"no such version of {model}; the versions are {sorted(versions)}", ("version",))
        return served

    async def finish(self) -> None:
        """Wait until what is queued is scored."""
        for versions in self.models.values():
            for served in versions.values():
                await served.finish()
