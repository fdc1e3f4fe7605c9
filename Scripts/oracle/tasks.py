"""Group N: futures and tasks."""

import asyncio

from scenario import Trail, quiet_loop, refusal, registry

scenarios, scenario = registry()
