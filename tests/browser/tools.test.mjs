// The sandbox's own pages: overview, clock, faults, requests, inbox and switches, as a strategy's author uses them.

import assert from "node:assert/strict";
import test from "node:test";

import { CALLBACK, newestCode, signIn } from "./portal.mjs";
import { open, until, useBrowser } from "./support.mjs";

useBrowser();

/** The time that the clock of the page shows, in milliseconds. */
async function shownTime(page) {
  const text = await page.locator("time").first().innerText();
  const found = text.match(/(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)/);
  assert.ok(found, text);
  return Date.parse(`${found[1]}T${found[2]}+05:30`);
}

const notice = (page, text) => page.getByRole("status").getByText(text).waitFor();

test("the overview has what a client needs, and copies it", async (t) => {
  const { sandbox, context, page } = await open(t);
  await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: sandbox.url });
  await page.goto("/");
  const text = await page.getByRole("main").innerText();
  for (const account of sandbox.accounts) {
    for (const value of Object.values(account).filter((value) => value !== "" && !["samco", "angelone", account.secret_api_key].includes(value))) assert.ok(text.includes(value), value);
  }
  await page.getByRole("button", { name: "Copy Samco base URL" }).click();
  const copied = () => page.evaluate(() => navigator.clipboard.readText());
  assert.equal(await copied(), sandbox.url);
  const { client_code: owner } = sandbox.account("angelone");
  const code = await page.getByRole("article").filter({ hasText: owner }).locator("output").innerText();
  await page.getByRole("button", { name: `Copy TOTP code of ${owner}` }).click();
  assert.equal(await copied(), code);
  await page.getByRole("button", { name: `Copy Client code of ${owner}` }).click();
  assert.equal(await copied(), owner);
  await page.getByRole("button", { name: "Copy command" }).click();
  assert.equal(await copied(), await page.locator("pre").innerText());
  // The first step is a command that works as it stands there.
  const command = await page.locator("pre").innerText();
  const [, url, body] = command.replaceAll("\\\n", "").match(/curl -s (\S+) .*-d '(.*)'/);
  const reply = await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body });
  assert.equal((await reply.json()).status, "Success");
  await page.reload();
  await page.getByRole("article").filter({ hasText: sandbox.account().account }).getByText("1 live session").waitFor();
});

test("the source address of the page is what brokers see", async (t) => {
  const { sandbox, page } = await open(t);
  const account = sandbox.account();
  const { sessionToken: token } = (await sandbox.login(account)).body;
  const seen = async () => (await sandbox.api("GET", "/ip/whoami", { token })).body;
  assert.equal((await seen()).matchedAs, "PRIMARY");
  await page.goto("/");
  await page.getByRole("radio", { name: /^A fixed address/ }).check();
  await page.getByLabel("Address", { exact: true }).fill("198.51.100.7");
  await page.getByRole("button", { name: "Set source address" }).click();
  await notice(page, "The source address is set.");
  assert.deepEqual([(await seen()).srcIp, (await seen()).matches], ["198.51.100.7", false]);
  await page.getByText("Your IP: 198.51.100.7").waitFor();
  await page.getByLabel("Address", { exact: true }).fill("not an address");
  await page.getByRole("button", { name: "Set source address" }).click();
  await page.getByText("not an IP address").waitFor();
  await page.getByLabel("Address", { exact: true }).fill("");
  await page.getByRole("button", { name: "Set source address" }).click();
  await page.getByText("Give the address").waitFor();
  assert.equal((await seen()).srcIp, "198.51.100.7");
  await page.getByRole("radio", { name: /^Home/ }).check();
  await page.getByRole("button", { name: "Set source address" }).click();
  await notice(page, "The source address is set.");
  assert.equal((await seen()).matches, true);
});

test("the chip at the bottom of every page is always seen, and explains itself to pointers and keyboards", async (t) => {
  const { page } = await open(t);
  /** Whether all of it is on the screen, without scrolling. */
  const seen = async (target) => {
    const { x, y, width, height } = await target.boundingBox();
    const screen = page.viewportSize();
    assert.ok(x >= 0 && y >= 0 && x + width <= screen.width && y + height <= screen.height, `${page.url()} ${[x, y, width, height]}`);
    assert.equal(await page.evaluate(() => scrollY), 0);
  };
  for (const path of ["/", "/inbox", "/clock", "/faults", "/requests", "/switches"]) {
    await page.goto(path);
    const chip = page.getByRole("link", { name: /^Your IP:/ });
    const tooltip = page.getByRole("contentinfo").getByRole("tooltip", { includeHidden: true });
    if (await chip.count()) {
      await seen(chip);
      assert.equal(await tooltip.isVisible(), false, path);
      await chip.focus();
      await tooltip.waitFor({ state: "visible" });
      await seen(tooltip);
      await page.keyboard.press("Escape");
      await tooltip.waitFor({ state: "hidden" });
      await chip.blur();
      await chip.hover();
      await tooltip.waitFor({ state: "visible" });
    }
  }
  assert.ok(await page.getByRole("link", { name: /^Your IP:/ }).count(), "no chip");
});

test("the clock moves as its buttons say, and ends sessions", async (t) => {
  const { sandbox, page } = await open(t);
  const { sessionToken: token } = (await sandbox.login(sandbox.account())).body;
  const alive = async () => (await sandbox.api("GET", "/ip/whoami", { token })).status;
  assert.equal(await alive(), 200);
  const start = await sandbox.now();
  await page.goto("/clock");
  assert.equal(await shownTime(page), start);
  const at = async (expected) => {
    await page.getByRole("status").getByText(/clock is|speed is/).waitFor();
    const [now, shown] = [await sandbox.now(), await shownTime(page)];
    assert.deepEqual([new Date(now).toISOString(), new Date(shown).toISOString()], [expected, expected].map((time) => new Date(time).toISOString()));
  };
  await page.getByLabel("Advance by").fill("90");
  await page.getByLabel("Unit").selectOption("minutes");
  await page.getByRole("button", { name: "Advance", exact: true }).click();
  await at("2026-11-23T11:30:00+05:30");
  assert.equal(await alive(), 200);
  await page.getByRole("button", { name: "To 08:00 IST" }).click();
  await at("2026-11-24T08:00:00+05:30");
  assert.equal(await alive(), 401);
  await page.getByRole("button", { name: "To 09:15 IST" }).click();
  await at("2026-11-24T09:15:00+05:30");
  await page.getByRole("button", { name: "To 00:00 IST" }).click();
  await at("2026-11-25T00:00:00+05:30");
  await page.getByRole("button", { name: "+7 days" }).click();
  await at("2026-12-02T00:00:00+05:30");
  await page.getByLabel("Advance to (IST)").fill("15:20");
  await page.getByRole("button", { name: "Go there" }).click();
  await at("2026-12-02T15:20:00+05:30");
  await page.getByLabel("Date and time (IST)").fill("2026-11-20T08:59:30");
  await page.getByRole("button", { name: "Set time" }).click();
  await at("2026-11-20T08:59:30+05:30");

  await page.getByLabel("Speed").fill("fast");
  await page.getByRole("button", { name: "Set speed" }).click();
  await page.getByText("ust be a number").waitFor();
  await page.getByLabel("Speed").fill("600");
  await page.getByRole("button", { name: "Set speed" }).click();
  await notice(page, "The speed is set.");
  // Without a reload, too.
  const before = await shownTime(page);
  await until(async () => (await shownTime(page)) > before + 60_000, () => "a later time on the page");
});

test("a fault hits as often as the page says, and can be cleared", async (t) => {
  const { sandbox, page } = await open(t);
  const { sessionToken: token } = (await sandbox.login(sandbox.account())).body;
  const quote = () => fetch(`${sandbox.url}/quote/getQuote?symbolName=SBIN`, { headers: { "x-session-token": token } });
  await page.goto("/faults");
  await page.getByText("No faults.").waitFor();
  await page.getByLabel("Path").fill("/quote/*");
  await page.getByLabel("How many", { exact: true }).fill("2");
  await page.getByLabel("Status").fill("503");
  await page.getByLabel("Body", { exact: true }).fill("<h1>Service Unavailable</h1>");
  await page.getByLabel("Headers").fill("Retry-After: 7");
  await page.getByRole("button", { name: "Add fault" }).click();
  await notice(page, "The fault waits for requests.");
  const first = await quote();
  assert.deepEqual([first.status, first.headers.get("retry-after"), await first.text()], [503, "7", "<h1>Service Unavailable</h1>"]);
  await page.reload();
  const row = page.getByRole("row").filter({ hasText: "/quote/*" });
  assert.match(await row.innerText(), /503/);
  assert.deepEqual((await row.getByRole("cell").allInnerTexts()).slice(-2), ["1", "1"], "left and hits");

  await page.getByLabel("Status").fill("9999");
  await page.getByRole("button", { name: "Add fault" }).click();
  await page.getByText(/Must be|must be|is wrong/).first().waitFor();
  assert.equal(await page.getByLabel("Status").inputValue(), "9999", "what was typed is kept");
  assert.equal(await page.getByLabel("Status").getAttribute("aria-invalid"), "true");

  await page.getByRole("button", { name: "Clear all faults" }).click();
  await notice(page, "All faults are gone.");
  assert.notEqual((await quote()).status, 503);
});

test("common faults fill the form in, and are taken as they are", async (t) => {
  const { sandbox, page } = await open(t);
  await page.goto("/faults");
  const links = page.getByText("Fill the form in with a common one").getByRole("link");
  const names = await links.allInnerTexts();
  assert.ok(names.length >= 5, names.join());
  for (const name of names) {
    await page.getByRole("link", { name, exact: true }).click();
    await page.getByRole("button", { name: "Add fault" }).click();
    await notice(page, "The fault waits for requests.");
  }
  const { faults } = await sandbox.control("GET", "/faults");
  assert.equal(faults.length, names.length);
  assert.equal(new Set(faults.map(({ id, ...fault }) => JSON.stringify(fault))).size, names.length, "each is another one");
  assert.equal((await fetch(`${sandbox.url}/quote/getQuote?symbolName=SBIN`)).status, 503, "an outage comes first");
});

test("requests are listed, filtered, counted and forgotten", async (t) => {
  const { sandbox, page } = await open(t);
  await page.goto("/requests");
  await page.getByText("No requests.").waitFor();
  const { sessionToken: token } = (await sandbox.login(sandbox.account())).body;
  await sandbox.api("GET", "/ip/whoami", { token });
  await sandbox.api("GET", "/ip/whoami");
  await page.reload();
  const rows = page.getByRole("table").getByRole("row");
  assert.equal(await rows.count(), 4);
  assert.match(await rows.nth(1).innerText(), /GET \/ip\/whoami[\s\S]*401/, "newest first");
  assert.match(await rows.nth(3).innerText(), /POST \/session\/token[\s\S]*200[\s\S]*SBX001/);
  assert.ok(!(await page.content()).includes(token), "no secret");
  await page.getByLabel("Path").fill("/session/*");
  await page.getByRole("button", { name: "Filter" }).click();
  await until(async () => (await rows.count()) === 2, () => "one request");
  await page.getByLabel("Broker").selectOption("Angel One");
  await page.getByRole("button", { name: "Filter" }).click();
  await page.getByText("No requests.").waitFor();
  await page.getByRole("button", { name: "Clear log" }).click();
  await notice(page, "The log is empty again.");
  assert.equal((await sandbox.control("GET", "/requests")).count, 0);
});

test("the inbox shows what brokers sent, by account, and can be emptied", async (t) => {
  const { sandbox, page } = await open(t);
  await page.goto("/inbox");
  await page.getByText("No messages.").waitFor();
  const [first, second] = sandbox.accounts.filter(({ broker }) => broker === "samco");
  for (const { account } of [first, second]) await sandbox.api("POST", "/otp/generateOtp", { body: { uid: account } });
  const code = (await sandbox.control("GET", `/inbox?account=${second.account}`)).messages[0].value;
  assert.equal(await newestCode(page), code);
  await page.reload();
  await page.getByLabel("Account").selectOption(first.account);
  await page.getByRole("button", { name: "Show" }).click();
  await page.getByText("2 messages").waitFor();
  assert.ok(!(await page.getByRole("table").innerText()).includes(second.account));
  await page.getByRole("button", { name: "Delete all messages" }).click();
  await page.getByText("No messages.").waitFor();
  assert.deepEqual((await sandbox.control("GET", "/inbox")).messages, []);
});

test("a switch is set, refused and put back", async (t) => {
  const { sandbox, page } = await open(t);
  await page.goto("/switches");
  const all = await sandbox.control("GET", "/switches");
  for (const name of Object.keys(all)) assert.equal(await page.getByLabel(name, { exact: true }).count(), 1, name);
  await page.getByLabel("samco_expired_status", { exact: true }).fill("403");
  await page.getByRole("button", { name: "Save samco_expired_status" }).click();
  await notice(page, "samco_expired_status is set.");
  const { sessionToken: token } = (await sandbox.login(sandbox.account())).body;
  await sandbox.control("POST", "/clock/advance", { to: "08:00 IST" });
  assert.equal((await sandbox.api("GET", "/ip/whoami", { token })).status, 403);
  await page.getByLabel("samco_expired_status", { exact: true }).fill("12");
  await page.getByRole("button", { name: "Save samco_expired_status" }).click();
  await page.locator("#problem-samco_expired_status").waitFor();
  await page.getByLabel("samco_ip_scope", { exact: true }).selectOption("all");
  await page.getByRole("button", { name: "Save samco_ip_scope" }).click();
  await notice(page, "samco_ip_scope is set.");
  await page.getByRole("button", { name: "Reset samco_expired_status" }).click();
  await notice(page, "samco_expired_status is set.");
  const value = async (name) => (await sandbox.control("GET", "/switches"))[name].value;
  assert.deepEqual([await value("samco_expired_status"), await value("samco_ip_scope")], [401, "all"]);
  await page.getByRole("button", { name: "Set all to defaults" }).click();
  await notice(page, "All switches are at their defaults.");
  assert.deepEqual(await sandbox.control("GET", "/switches"), all);
});

test("every page works without scripts", async (t) => {
  const { sandbox, page } = await open(t, { javaScript: false });
  await page.goto("/clock");
  await page.getByRole("button", { name: "+1 day" }).click();
  assert.equal(new Date(await sandbox.now()).toISOString(), new Date("2026-11-24T10:00:00+05:30").toISOString());
  await page.goto("/");
  assert.equal(await page.getByRole("button", { name: /^Copy/ }).count(), 0, "no button that cannot work");
  await signIn(page, sandbox.account());
  await page.goto("/");
  assert.ok((await page.getByRole("main").innerText()).includes(CALLBACK));
});
