"""What tritonclient's HTTP client gets, as JSON: `triton_client.py HOST:PORT MODEL`, with the columns of a request on stdin.

Runs in an environment of its own; the client is used as its documentation does. Columns: name to [datatype, values].
"""

import json
import sys

import numpy as np
import tritonclient.http as http
from tritonclient.utils import InferenceServerException, triton_to_np_dtype


def inputs(columns: dict, is_binary: bool, is_column: bool) -> list:
    """A tensor of each column, [rows], or [rows, 1] where is_column."""
    found = []
    for name, (datatype, values) in columns.items():
        array = np.array(values, triton_to_np_dtype(datatype))
        if is_column:
            array = array.reshape(-1, 1)
        tensor = http.InferInput(name, list(array.shape), datatype)
        found.append(tensor.set_data_from_numpy(array, binary_data=is_binary))
    return found


def outputs(result: http.InferResult) -> dict:
    """The values of each output by its name."""
    arrays = {output["name"]: result.as_numpy(output["name"]) for output in result.get_response()["outputs"]}
    return {
        name: [value.decode() if isinstance(value, bytes) else value for value in array.tolist()]
        for name, array in arrays.items()
    }


def refusal(call, *arguments: object, **named: object) -> list:
    """The status and the message of what the server refuses."""
    try:
        call(*arguments, **named)
    except InferenceServerException as error:
        return [error.status(), error.message()]
    raise AssertionError("it was not refused")


def main() -> None:
    """Print what the server gave."""
    url, model = sys.argv[1:]
    columns = json.load(sys.stdin)
    with http.InferenceServerClient(url, concurrency=4) as client:
        asked = {"json": inputs(columns, is_binary=False, is_column=False), "binary": inputs(columns, True, True)}
        by_name = [http.InferRequestedOutput("score", binary_data=False), http.InferRequestedOutput("status")]
        waiting = [client.async_infer(model, asked["binary"], request_id=f"number {place}") for place in range(8)]
        answers = {
            "json to binary": client.infer(model, asked["json"]),
            "binary to binary": client.infer(model, asked["binary"], model_version="1", request_id="mine"),
            "json to both": client.infer(model, asked["json"], outputs=by_name),
            "binary to both": client.infer(model, asked["binary"], outputs=by_name, timeout=60_000_000),
        }
        later = [answer.get_result() for answer in waiting]
        print(
            json.dumps(
                {
                    "answers": {name: outputs(answer) for name, answer in answers.items()},
                    "later": [[answer.get_response()["id"], outputs(answer)] for answer in later],
                    "id": answers["binary to binary"].get_response()["id"],
                    "live": client.is_server_live(),
                    "ready": client.is_server_ready(),
                    "model_ready": [client.is_model_ready(model), client.is_model_ready(model, "1")],
                    "not_ready": [client.is_model_ready("nobody"), client.is_model_ready(model, "7")],
                    "server": client.get_server_metadata(),
                    "metadata": client.get_model_metadata(model),
                    "configuration": client.get_model_config(model, "1"),
                    "index": client.get_model_repository_index(),
                    "statistics": client.get_inference_statistics(model),
                    "statistics of all": client.get_inference_statistics(),
                    "refusals": [
                        refusal(client.infer, "nobody", asked["json"]),
                        refusal(client.infer, model, asked["binary"][1:]),
                        refusal(client.infer, model, asked["json"], request_compression_algorithm="gzip"),
                        refusal(client.infer, model, asked["json"], sequence_id=3),
                        refusal(client.load_model, model),
                        refusal(client.unload_model, model),
                        refusal(client.get_system_shared_memory_status),
                        refusal(client.register_cuda_shared_memory, "region", b"", 0, 1),
                        refusal(client.get_trace_settings),
                        refusal(client.update_log_settings, {}),
                    ],
                }
            )
        )


if __name__ == "__main__":
    main()
