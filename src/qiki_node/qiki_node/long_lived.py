"""Objects that live as long as a node, which garbage collections in flight would walk in vain.

They are frozen, and collections of the others are few: what a node has left behind in cycles, when it was configured
anew or its world began again, is freed by `renew` alone.
"""

import gc


def freeze() -> None:
    """Except the objects of now from collections, which would make callbacks late."""
    gc.collect()
    gc.freeze()


def renew() -> None:
    """Free what was left since `freeze`, and except what is there now; where no object is frozen, do nothing."""
    if gc.get_freeze_count():
        gc.unfreeze()
        freeze()
