"""A release with what a server adds to it: the queue, the cache and the numbers of each model, which go with it."""

from pathlib import Path

from ml.errors import DeclarationError
from ml.experiments.declaration import CONTROL, ENSEMBLES
from ml.experiments.released import NotRunnableError, declared_experiments, released_experiment
from serving.experiments.ensemble import Ensemble
from serving.experiments.experiment import Experiment
from serving.experiments.split import Split
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
        self._settings, self._metrics, self._refusals = settings, metrics, refusals
        self.models: dict[str, dict[int, ServedModel]] = {}
        for model, version in sorted(self.predictors):
            self.models.setdefault(model, {})[version] = self._serve(model, version)
        self.experiments: dict[str, Experiment] = {}
        """By the model that clients ask for."""
        self.waiting: dict[str, str] = {}
        """Of models whose experiment is not in force: why."""
        for model in declared_experiments(self.manifest):
            try:
                self.experiments[model] = self._experiment(model)
            except (NotRunnableError, DeclarationError) as error:
                self.waiting[model] = str(error)

    def _serve(self, model: str, version: int, is_apart: bool = False) -> ServedModel:
        slo_ms = self.manifest.serving.get(model, {}).get("slo_ms", self._settings.slo_ms)
        predictor = self.predictors[model, version]
        others = self._settings, self._metrics, self._refusals
        return ServedModel(predictor, self.name, slo_ms / 1000, *others, is_apart=is_apart)

    def _experiment(self, model: str) -> Experiment:
        """Raises NotRunnableError and DeclarationError."""
        released = released_experiment(self.manifest, model)
        policy = released.spec.policy
        is_ensemble = policy in ENSEMBLES
        arms = {}
        for name, (arm, version) in released.versions.items():
            # What may be slow, or hang, is not to hold up the event loop: a canary is nobody's choice yet.
            is_apart = is_ensemble or (policy == "canary" and name != CONTROL)
            arms[name] = self._serve(arm, version, is_apart=True) if is_apart else self.models[arm][version]
        return (Ensemble if is_ensemble else Split)(released, self.name, arms, self._metrics)

    def target(self, model: str, alias: str | None = None, version: int | None = None) -> Target:
        """What answers a request for a model: the version that it names, or else its experiment, or else the champion.

        Raises Problem 404 where there is none.
        """
        versions = self.models.get(model)
        if versions is None:
            raise Problem(404, f"no such model in the release; the models are {', '.join(self.models) or 'none'}")
        if version is None and alias is None and model in self.experiments:
            return self.experiments[model]
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
        for experiment in self.experiments.values():
            await experiment.finish()
