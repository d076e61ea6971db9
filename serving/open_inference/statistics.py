"""What was counted of models, as Triton's statistics extension has it: of all worker processes, since they started."""

from collections.abc import Iterable
from typing import Any

from prometheus_client.core import Metric

_STAGES = {
    "queue": ("queue",),
    "compute_input": ("look_up", "features"),
    "compute_infer": ("predict",),
    "compute_output": ("log", "serialise"),
}
"""Triton's stages as sums of ours."""

Series = dict[tuple[str, ...], float]


class Statistics:
    """The numbers of a scrape. Times are in nanoseconds; a count of a stage is of batches, of `success` of requests."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._series: Series = {
            (sample.name, *sample.labels.values()): sample.value for metric in metrics for sample in metric.samples
        }

    def of(self, model: str, version: int) -> dict[str, Any]:
        """A version's statistics."""
        labels = (model, str(version))
        predictions = sum(self._get("eiderdown_predictions_total", *labels, status) for status in ("ok", "incomplete"))
        stages = {name: self._stages(labels, parts) for name, parts in _STAGES.items()}
        requests = self._get("eiderdown_stage_seconds_count", *labels, "parse")
        total = sum(stage["ns"] for stage in stages.values())
        return {
            "name": model,
            "version": str(version),
            "inference_count": int(predictions),
            "execution_count": int(self._get("eiderdown_batch_rows_count", *labels)),
            "inference_stats": {
                "success": {"count": int(requests), "ns": total},
                **stages,
                "cache_hit": {"count": int(self._get("eiderdown_cache_total", *labels, "hit")), "ns": 0},
                "cache_miss": {"count": int(self._get("eiderdown_cache_total", *labels, "miss")), "ns": 0},
            },
            "batch_stats": [],
        }

    def _stages(self, labels: tuple[str, str], parts: tuple[str, ...]) -> dict[str, int]:
        seconds = sum(self._get("eiderdown_stage_seconds_sum", *labels, part) for part in parts)
        count = self._get("eiderdown_stage_seconds_count", *labels, parts[0])
        return {"count": int(count), "ns": round(seconds * 1e9)}

    def _get(self, *key: str) -> float:
        return self._series.get(key, 0.0)
