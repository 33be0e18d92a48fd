// The oldest Node that this package runs on. Imported first, so that an older one is told before anything else breaks.

const FLOOR = [22, 12] as const;

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < FLOOR[0] || (major === FLOOR[0] && minor < FLOOR[1])) {
  throw new Error(`preopen needs Node >= ${FLOOR.join(".")}: this is Node ${process.versions.node}`);
}

export {};
