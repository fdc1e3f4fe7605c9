"""The loops that are compared, and how a program comes to each of them."""

import asyncio

BASE, TWIN = "uvloop", "twin"  # one program twice: what differs between the two is noise
STOCK, SELECTOR, PROACTOR = "asyncio", "selector", "proactor"
OURS = (SELECTOR, PROACTOR)
CHOICE = (STOCK, BASE, *OURS)

MODULES = {STOCK: "asyncio", BASE: "uvloop", TWIN: "uvloop", SELECTOR: "swift_asyncio", PROACTOR: "swift_asyncio"}

# What follows the import in a program that makes its first loop.
FIRST_LOOP = {
    STOCK: "asyncio.new_event_loop()",
    BASE: "uvloop.new_event_loop()",
    TWIN: "uvloop.new_event_loop()",
    SELECTOR: 'swift_asyncio.new_event_loop("selector")',
    PROACTOR: 'swift_asyncio.new_event_loop("proactor")',
}


def new_loop(name: str) -> asyncio.AbstractEventLoop:
    """A loop of the module that has it. Nobody pays for the import of another one's module."""
    if name == STOCK:
        return asyncio.new_event_loop()
    if name in OURS:
        import swift_asyncio

        return swift_asyncio.new_event_loop(name)
    import uvloop

    return uvloop.new_event_loop()
