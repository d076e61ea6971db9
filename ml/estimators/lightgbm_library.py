"""The predict side of LightGBM's shared library, by its C interface (`include/LightGBM/c_api.h`).

The Python package loads the same library, but takes up to a second to import, with scipy, pandas and scikit-learn: a
server, a canary and a run that trains nothing need none of that. The scores are the same bits.
"""

import ctypes
import functools
import importlib.util
import sys
from pathlib import Path

import numpy as np

from ml.errors import ArtifactError

_DOUBLE, _ROW_MAJOR, _NORMAL, _ALL_TREES = 1, 1, 0, -1
_ONE_THREAD = b"num_threads=1"
_SUFFIXES = {"darwin": "lib/lib_lightgbm.dylib", "win32": "bin/lib_lightgbm.dll"}


@functools.cache
def _library() -> ctypes.CDLL:
    package = importlib.util.find_spec("lightgbm")
    assert package is not None and package.origin is not None, "lightgbm is a dependency"
    library = ctypes.CDLL(str(Path(package.origin).parent / _SUFFIXES.get(sys.platform, "lib/lib_lightgbm.so")))
    library.LGBM_GetLastError.restype = ctypes.c_char_p
    # Without this it writes to standard output when it loads a model.
    library.LGBM_RegisterLogCallback(_silent)
    return library


_silent = ctypes.CFUNCTYPE(None, ctypes.c_char_p)(lambda message: None)


def _call(name: str, *arguments: object) -> None:
    if getattr(_library(), name)(*arguments):
        raise ArtifactError(f"LightGBM: {_library().LGBM_GetLastError().decode(errors='replace')}")


class Booster:
    """A loaded model with one output. Safe to call from many threads; a call lets go of the interpreter's lock."""

    def __init__(self, model: bytes) -> None:
        """Load a model whose text was checked: a text that is none can end the process."""
        self._handle = ctypes.c_void_p()
        _call("LGBM_BoosterLoadModelFromString", model, ctypes.byref(ctypes.c_int()), ctypes.byref(self._handle))

    def predict(self, matrix: np.ndarray) -> np.ndarray:
        """Scores of shape (rows,), float64, of a matrix of shape (rows, features). One thread."""
        matrix = np.ascontiguousarray(matrix, dtype=np.float64)
        scores = np.empty(matrix.shape[0], dtype=np.float64)
        _call(
            "LGBM_BoosterPredictForMat",
            self._handle,
            matrix.ctypes.data_as(ctypes.c_void_p),
            ctypes.c_int(_DOUBLE),
            ctypes.c_int32(matrix.shape[0]),
            ctypes.c_int32(matrix.shape[1]),
            ctypes.c_int(_ROW_MAJOR),
            ctypes.c_int(_NORMAL),
            ctypes.c_int(0),
            ctypes.c_int(_ALL_TREES),
            _ONE_THREAD,
            ctypes.byref(ctypes.c_int64()),
            scores.ctypes.data_as(ctypes.c_void_p),
        )
        return scores

    def __del__(self) -> None:
        if self._handle:
            _library().LGBM_BoosterFree(self._handle)
