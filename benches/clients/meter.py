"""How a client process measures itself, after a warm-up, with every payload checked."""

import asyncio
import json
import threading
import time


def check(data):
    """A client that sends nothing, or reads nothing, cannot win."""
    if data["quoteDetails"]["symbolName"] != "INFY":
        raise SystemExit("wrong payload")


def say(**found):
    """The one line that the driver reads."""
    print(json.dumps(found))


class Stopwatch:
    """CPU of this process (all threads, user and system) and wall time, per call."""

    def __init__(self, calls):
        self.calls = calls
        self.cpu, self.wall = time.process_time(), time.perf_counter()

    def report(self, sent):
        """`sent` is every request that was made, warm-up included."""
        wall, cpu = time.perf_counter() - self.wall, time.process_time() - self.cpu
        each = 1e6 / self.calls
        say(cpu_us=cpu * each, wall_us=wall * each, rate=self.calls / wall, calls=self.calls, sent=sent)


def blocking(call, settings, check=check, already=0):
    """One call after another, in one thread; `already` were sent on the way here."""
    for _ in range(settings["warm_up"]):
        check(call())
    watch = Stopwatch(settings["calls"])
    for _ in range(settings["calls"]):
        check(call())
    watch.report(already + settings["warm_up"] + settings["calls"])


def threads(call, settings):
    """The same from several threads, which share the calls evenly."""

    def share(count):
        try:
            for _ in range(count):
                check(call())
        except BaseException as error:
            failed.append(error)

    def run(calls):
        each = calls // settings["workers"]
        running = [threading.Thread(target=share, args=(each,)) for _ in range(settings["workers"])]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
        if failed:
            raise failed[0]

    failed = []
    run(settings["warm_up"])
    watch = Stopwatch(settings["calls"])
    run(settings["calls"])
    watch.report(settings["warm_up"] + settings["calls"])


async def concurrent(call, settings):
    """The same from several tasks of one event loop."""

    async def some(count):
        for _ in range(count):
            check(await call())

    async def run(calls):
        share = calls // settings["workers"]
        await asyncio.gather(*(some(share) for _ in range(settings["workers"])))

    await run(settings["warm_up"])
    watch = Stopwatch(settings["calls"])
    await run(settings["calls"])
    watch.report(settings["warm_up"] + settings["calls"])
