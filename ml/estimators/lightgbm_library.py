"""What LightGBM's shared library knows beyond scores, by its C interface (`include/LightGBM/c_api.h`).

The Python package loads the same library, but takes up to a second to import, with scipy, pandas and scikit-learn: a
server and a run that trains nothing need none of that.
"""

import ctypes
import functools
import importlib.util
import json
import sys
from pathlib import Path

import numpy as np

from ml.errors import ArtifactError

_DOUBLE, _ROW_MAJOR, _ALL_TREES = 1, 1, -1
_CONTRIBUTIONS = 3
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


@functools.cache
def parameter_names() -> frozenset[str]:
    """The names of LightGBM's parameters, with their aliases."""
    length = ctypes.c_int64()
    _call("LGBM_DumpParamAliases", ctypes.c_int64(0), ctypes.byref(length), None)
    text = ctypes.create_string_buffer(length.value)
    _call("LGBM_DumpParamAliases", length, ctypes.byref(length), text)
    aliases: dict[str, list[str]] = json.loads(text.value)
    return frozenset([*aliases, *(alias for others in aliases.values() for alias in others)])


class Booster:
    """A loaded model. Safe to call from many threads; a call lets go of the interpreter's lock. One thread a call."""

    def __init__(self, model: bytes, features: int, outputs: int) -> None:
        """Load a model whose text was checked, for so many features and outputs: a text that is none can end the process."""
        self._features, self._outputs = features, outputs
        self._handle = ctypes.c_void_p()
        _call("LGBM_BoosterLoadModelFromString", model, ctypes.byref(ctypes.c_int()), ctypes.byref(self._handle))

    def contributions(self, matrix: np.ndarray) -> np.ndarray:
        """What each feature, and last the base value, adds to the raw score: (rows, features + 1), or with outputs between."""
        width = self._outputs * (self._features + 1)
        matrix = np.ascontiguousarray(matrix, dtype=np.float64)
        found = np.empty((matrix.shape[0], width), dtype=np.float64)
        _call(
            "LGBM_BoosterPredictForMat",
            self._handle,
            matrix.ctypes.data_as(ctypes.c_void_p),
            ctypes.c_int(_DOUBLE),
            ctypes.c_int32(matrix.shape[0]),
            ctypes.c_int32(matrix.shape[1]),
            ctypes.c_int(_ROW_MAJOR),
            ctypes.c_int(_CONTRIBUTIONS),
            ctypes.c_int(0),
            ctypes.c_int(_ALL_TREES),
            _ONE_THREAD,
            ctypes.byref(ctypes.c_int64()),
            found.ctypes.data_as(ctypes.c_void_p),
        )
        return found if self._outputs == 1 else found.reshape(len(matrix), self._outputs, self._features + 1)

    def __del__(self) -> None:
        if self._handle:
            _library().LGBM_BoosterFree(self._handle)
