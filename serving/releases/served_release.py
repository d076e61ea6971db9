"""A release with what a server adds to it: the queue, the cache and the numbers of each model, which go with it."""

from pathlib import Path

from serving.metrics.metrics import Metrics
from serving.metrics.refusals import Refusals
from serving.predictions.served_model import ServedModel
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

    async def finish(self) -> None:
        """Wait until what is queued is scored."""
        for versions in self.models.values():
            for served in versions.values():
                await served.finish()
