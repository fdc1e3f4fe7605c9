"""In which set a work is: the quick one has few works that say much, the full one all that take no special patience."""

FULL = frozenset({"full"})
QUICK = frozenset({"quick", "full"})
