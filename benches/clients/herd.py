"""Many callers who ask for a token of the same session at once, before anybody has logged in."""

import asyncio
import itertools
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


def in_threads(settings, wait=lambda live: live.token()):
    """`wait` gives a caller the token. The threads end when all are served: their end, with which the
    interpreter and the system are busy for longer than with the serving, is in no number."""
    live, callers = session(settings), settings["calls"]
    asked, served, generations = [], [], []
    count = itertools.count(1)
    ready, over, end = threading.Barrier(callers + 1), threading.Lock(), threading.Event()
    over.acquire()

    def ask():
        ready.wait()
        asked.append(time.time())
        generation = wait(live).generation
        served.append(time.time())
        generations.append(generation)
        if next(count) == callers:
            over.release()
        end.wait()

    waiting = [threading.Thread(target=ask, daemon=True) for _ in range(callers)]
    for thread in waiting:
        thread.start()
    cpu = time.process_time()
    ready.wait()
    if not over.acquire(timeout=120):
        raise SystemExit(f"only {len(served)} callers were served")
    cpu = time.process_time() - cpu
    end.set()
    report(cpu, asked, served, callers, generations)


def at_an_event(settings):
    """What the interpreter takes for the same: one caller asks, the others wait for its event."""
    opened, first, tokens = threading.Event(), itertools.count(), []

    def wait(live):
        if next(first) == 0:
            tokens.append(live.token())
            opened.set()
        opened.wait()
        return tokens[0]

    in_threads(settings, wait)


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


PEERS = {"herd threads": in_threads, "herd event": at_an_event, "herd asyncio": in_tasks}
