"""N-d strided copy, fill and comparison with the fill value."""

from typing import Any

import numpy as np
from typing_extensions import Buffer

def copy(dst: Buffer | np.ndarray[Any, Any], src: Buffer | np.ndarray[Any, Any]) -> None: ...
def fill(dst: Buffer | np.ndarray[Any, Any], item: bytes) -> None: ...
def equals_fill(data: Buffer | np.ndarray[Any, Any], item: bytes) -> bool: ...
