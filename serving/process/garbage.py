"""The garbage collector's rounds, at times of our own: one over all that was imported and loaded takes tens of milliseconds,
and by itself it comes in the middle of a request.
"""

import asyncio
import gc

SECONDS_BETWEEN_ROUNDS = 10.0


async def collect_garbage() -> None:
    """Leave out of the rounds what is there now, and collect what was made since every ten seconds, until cancelled.

    What a request makes is freed without a round; rounds are for what refers to itself, such as an exception's frames.
    """
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        while True:
            await asyncio.sleep(SECONDS_BETWEEN_ROUNDS)
            gc.collect()
            gc.freeze()
    finally:
        gc.enable()
        gc.unfreeze()
