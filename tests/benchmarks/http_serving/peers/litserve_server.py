"""A LightGBM model behind LitServe: `litserve_server.py MODEL.txt PORT`. Runs in an environment of its own."""

import sys
from typing import Any

import lightgbm
import litserve
import numpy as np


class Model(litserve.LitAPI):
    """One row of features to one score."""

    def setup(self, device: str) -> None:
        """As LitServe says."""
        self.booster = lightgbm.Booster(model_file=sys.argv[1])

    def decode_request(self, request: dict[str, Any]) -> np.ndarray:
        """As LitServe says."""
        return np.array(request["inputs"])

    def predict(self, x: np.ndarray) -> np.ndarray:
        """As LitServe says."""
        return self.booster.predict(x, num_threads=1)

    def encode_response(self, output: np.ndarray) -> dict[str, Any]:
        """As LitServe says."""
        return {"predictions": output.tolist()}


if __name__ == "__main__":
    server = litserve.LitServer(Model(), accelerator="cpu")
    server.run(
        host="127.0.0.1", port=int(sys.argv[2]), num_api_servers=1, log_level="warning", generate_client_file=False
    )
