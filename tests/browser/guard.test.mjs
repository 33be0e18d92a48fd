// The guard of every other test: it must notice what it forbids.

import assert from "node:assert/strict";
import test from "node:test";

import { open, until, useBrowser } from "./support.mjs";

useBrowser();

test("a script, another host, a dialog, an exception and an error in the console are all noticed", async (t) => {
  const { page, wrong } = await open(t);
  await page.goto("/");
  assert.deepEqual(wrong, []);
  await page.evaluate(() => {
    const script = document.createElement("script");
    script.textContent = "alert('inline')";
    document.body.append(script);
    const image = document.createElement("img");
    image.src = "http://tracker.example/pixel.png";
    document.body.append(image);
    console.error("a complaint");
    setTimeout(() => alert("a dialog"), 1);
    setTimeout(() => {
      throw new Error("an exception");
    }, 1);
  });
  const expected = [/^console: .*inline script/, /^policy: script-src-elem/, /^policy: img-src http:\/\/tracker\.example/, /^console: a complaint/, /^dialog: a dialog/, /^exception: .*an exception/];
  const missed = () => expected.filter((pattern) => !wrong.some((line) => pattern.test(line)));
  await until(() => missed().length === 0, () => `${missed()} among ${JSON.stringify(wrong, null, 1)}`);
  wrong.length = 0;
  // The policy stops these before they are requests. A link is followed.
  await page.evaluate(() => location.assign("http://tracker.example/"));
  await until(() => wrong.some((line) => line.startsWith("request: http://tracker.example/")), () => JSON.stringify(wrong));
  wrong.length = 0;
});
