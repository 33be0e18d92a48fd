"""Many callers who ask for a token of the same session at once, before anybody has logged in."""

import asyncio
import json
import threading
import time

from http_clients import session


def report(cpu, asked, served, callers, generations):
    if set(generations) != {1} or len(generations) != callers:
        raise SystemExit(f"{len(generations)} callers got sessions {sorted(set(generations))}")
    # Times of the clock on the wall: the broker's request log has those of its replies.
    times = {"asked_at": max(asked), "first_at": min(served), "last_at": max(served)}
    print(json.dumps({"cpu_us": cpu * 1e6, **times, "calls": callers, "sent": 1}))


def in_threads(settings):
    live, callers = session(settings), settings["calls"]
    asked, served, generations = [], [], []
    ready = threading.Barrier(callers + 1)

    def ask():
        ready.wait()
        asked.append(time.time())
        generation = live.token().generation
        served.append(time.time())
        generations.append(generation)

    waiting = [threading.Thread(target=ask) for _ in range(callers)]
    for thread in waiting:
        thread.start()
    cpu = time.process_time()
    ready.wait()
    for thread in waiting:
        thread.join()
    report(time.process_time() - cpu, asked, served, callers, generations)


def in_tasks(settings):
    async def main():
        asked, served = [], []
        async with session(settings, "AsyncSession") as live:

            async def ask():
                asked.append(time.time())
                generation = (await live.token()).generation
                served.append(time.time())
                return generation

            cpu = time.process_time()
            generations = await asyncio.gather(*(ask() for _ in range(settings["calls"])))
            report(time.process_time() - cpu, asked, served, settings["calls"], generations)

    asyncio.run(main())


PEERS = {"herd threads": in_threads, "herd asyncio": in_tasks}
