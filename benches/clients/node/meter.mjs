// What every client measures, and how it tells the driver.

/** One line for the driver; `sent` is every request that was made, warm-up included. */
export function say(found) {
  console.log(JSON.stringify(found));
}

/** CPU of the process and wall time of `run(count)`, each. `sent` is what the whole process sent. */
export async function measure(count, sent, run) {
  const cpu = process.cpuUsage();
  const wall = performance.now();
  await run(count);
  const used = process.cpuUsage(cpu);
  const took = performance.now() - wall;
  say({ cpu_us: (used.user + used.system) / count, wall_us: (took * 1000) / count, rate: (count * 1000) / took, calls: count, sent });
}

/** A client that sends nothing, or reads nothing, cannot win. */
export function check(data) {
  if (data.quoteDetails.symbolName !== "INFY") throw new Error(`wrong payload: ${JSON.stringify(data)}`);
}

/** So many calls by so many workers, after a warm-up. Each worker has its own `call`, which gives what `right` looks at. */
export async function calls(settings, call, right = check) {
  const workers = await Promise.all(Array.from({ length: settings.workers }, (_, n) => (typeof call === "function" ? call : call.of(n))));
  const run = async (count) => {
    const share = count / settings.workers;
    if (!Number.isInteger(share)) throw new Error(`${count} calls cannot be shared by ${settings.workers} workers`);
    const some = async (one) => {
      for (let n = 0; n < share; n += 1) right(await one());
    };
    await Promise.all(workers.map(some));
  };
  await run(settings.warm_up);
  await measure(settings.calls, settings.warm_up + settings.calls, run);
}

/** What is asked for. */
export function urlOf(settings) {
  return `${settings.url}${settings.path}?${new URLSearchParams(settings.params)}`;
}
