// A right store of a program's own, and wrong ones: each has one bug.

import { setTimeout as sleep } from "node:timers/promises";

/** Keeps texts in this process. */
export class MemoryStore {
  kept = new Map();
  claimed = new Set();
  calls = [];

  describe() {
    return "a store of the tests";
  }

  read(account) {
    this.calls.push("read");
    return this.kept.get(account);
  }

  claim(account) {
    this.calls.push("claim");
    if (this.claimed.has(account)) return null;
    this.claimed.add(account);
    return this.makeClaim(account);
  }

  makeClaim(account) {
    return new MemoryClaim(this, account, this.kept.get(account));
  }
}

export class MemoryClaim {
  constructor(store, account, value) {
    Object.assign(this, { store, account, value });
  }

  write(value) {
    this.store.calls.push("write");
    this.store.kept.set(this.account, value);
    return true;
  }

  release() {
    this.store.calls.push("release");
    this.store.claimed.delete(this.account);
  }
}

/** The same object, whose methods give promises. */
export function asynchronous(inner) {
  return new Proxy(inner, {
    get(target, name) {
      const found = Reflect.get(target, name, target);
      if (typeof found !== "function" || name === "describe" || name === "constructor") return found;
      return async (...given) => {
        await sleep(1);
        const result = found.apply(target, given);
        return result instanceof MemoryClaim ? asynchronous(result) : result;
      };
    },
  });
}

/** A store whose claims have these methods in place of their own; each gets the claim first. */
export function withClaim(methods) {
  return class extends MemoryStore {
    makeClaim(account) {
      const claim = super.makeClaim(account);
      for (const [name, method] of Object.entries(methods)) claim[name] = (...given) => method(claim, ...given);
      return claim;
    }
  };
}

const write = (claim, value) => MemoryClaim.prototype.write.call(claim, value);
const release = (claim) => MemoryClaim.prototype.release.call(claim);

const WRITTEN = "what is written is read back, by the writer and by others";
const SECOND = "a second claim is refused at once";

/** The bug: a store that has it, and checks that must notice it. */
export const WRONG = {
  "no exclusion": [
    class extends MemoryStore {
      claim(account) {
        return this.makeClaim(account);
      }
    },
    [SECOND],
  ],
  "a race": [
    class extends MemoryStore {
      async claim(account) {
        if (this.claimed.has(account)) return null;
        await sleep(20);
        this.claimed.add(account);
        return this.makeClaim(account);
      }
    },
    ["of many who claim at the same time one succeeds"],
  ],
  "stale claims": [
    class extends MemoryStore {
      async claim(account) {
        const seen = this.kept.get(account);
        await sleep(30);
        const claim = super.claim(account);
        if (claim !== null) claim.value = seen;
        return claim;
      }
    },
    ["no claimed update is lost"],
  ],
  "blind claims": [
    class extends MemoryStore {
      makeClaim(account) {
        return new MemoryClaim(this, account, undefined);
      }
    },
    ["a claim tells what is stored when it begins"],
  ],
  "no claims": [
    class extends MemoryStore {
      claim() {
        return null;
      }
    },
    ["a released claim is free", WRITTEN],
  ],
  "one value for all": [
    class extends MemoryStore {
      read() {
        return super.read("all");
      }
      claim() {
        return super.claim("all");
      }
    },
    ["accounts do not know of each other"],
  ],
  "blank instead of nothing": [
    class extends MemoryStore {
      read(account) {
        return super.read(account) ?? "";
      }
    },
    ["what was never written reads as nothing"],
  ],
  "reads that wait": [
    class extends MemoryStore {
      async read(account) {
        for (const end = performance.now() + 3000; this.claimed.has(account) && performance.now() < end; ) await sleep(10);
        return super.read(account);
      }
    },
    ["reading does not wait for a claim"],
  ],
  "claims that wait": [
    class extends MemoryStore {
      async claim(account) {
        for (const end = performance.now() + 4000; this.claimed.has(account) && performance.now() < end; ) await sleep(10);
        return super.claim(account);
      }
    },
    [SECOND],
  ],
  "forgets": [
    withClaim({
      release(claim) {
        claim.store.kept.delete(claim.account);
        release(claim);
      },
    }),
    ["a claim tells what is stored when it begins"],
  ],
  "short values": [withClaim({ write: (claim, value) => write(claim, value.slice(0, 1000)) }), ["a value is kept as it is, of any length"]],
  "mangled values": [withClaim({ write: (claim, value) => write(claim, value.toLowerCase()) }), ["a value is kept as it is, of any length"]],
  "lost writes": [withClaim({ write: () => true }), [WRITTEN]],
  "late writes": [
    withClaim({
      write(claim, value) {
        claim.late = value;
        return true;
      },
      release(claim) {
        if (claim.late !== undefined) write(claim, claim.late);
        release(claim);
      },
    }),
    [WRITTEN, "those who wait are told of a change in time"],
  ],
  "sessions that stay": [
    withClaim({
      write(claim, value) {
        const [session, guard] = value.split("|");
        return write(claim, `${session || (claim.store.kept.get(claim.account) ?? "|").split("|")[0]}|${guard}`);
      },
    }),
    ["a session can be removed while its guard stays"],
  ],
  "never released": [withClaim({ release: () => undefined }), ["a released claim is free", "a dropped claim becomes free"]],
  "claims that are lost at once": [withClaim({ write: () => false }), [WRITTEN]],
};
