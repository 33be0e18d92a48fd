// Every page of the sandbox, in a state worth looking at: what axe-core checks and `cargo xtask screenshots` photographs.

import { confirm, newestCode, proposeApp, signIn } from "./portal.mjs";

const root = new URL("../../", import.meta.url);

/** An address inside the repository. */
export function at(path) {
  return new URL(path, root);
}

/** A page of the sandbox, to which everybody comes by its address. */
const page = (name, path, about) => ({ name, path, about, visit: (tab) => tab.goto(path) });

/** A page of the dashboard, for whoever is signed in. */
const dashboard = (name, path, about, visit = async (tab) => tab.goto(path)) => ({
  name,
  path,
  about,
  async visit(tab, sandbox) {
    await tab.goto("/app/api-keys");
    if (new URL(tab.url()).pathname === "/app/login") await signIn(tab, sandbox.account());
    await visit(tab, sandbox);
  },
});

/** A page that apps send browsers to. */
const sentTo = (name, path, query, about) => page(name, `${path}?${new URLSearchParams(query)}`, about);
const OAUTH = "/app/oauth/authorize";

/** `name` is that of the picture, `about` its line in `docs/dashboard.md`. */
export const PAGES = [
  page("overview", "/", "Where clients connect, the clock, and the made-up accounts with their credentials, TOTP codes and live sessions."),
  page("first-steps", "/#steps", "Further down there: what to try first, and the address that requests seem to come from."),
  page("inbox", "/inbox", "Every email and SMS that the brokers sent: one-time codes and API keys."),
  page("clock", "/clock", "The virtual clock: to the next 08:00, seven days ahead, or at another speed."),
  page("faults", "/faults", "What waits to go wrong, and a form for more."),
  page("requests", "/requests", "What reached the brokers, without secrets."),
  page("switches", "/switches", "What the brokers' documents leave open, each with its default and the reason for it."),
  {
    ...page("sign-in", "/app/login", "Samco's dashboard: signing in."),
    async visit(tab) {
      await tab.context().clearCookies();
      await tab.goto("/app/login");
    },
  },
  dashboard("api-keys", "/app/api-keys", "The apps of an account. Five places; deactivated apps keep theirs."),
  dashboard("new-app", "/app/api-keys/new", "A new app: a name, and where it sends browsers.", async (tab) => {
    await tab.goto("/app/api-keys/new");
    await tab.getByLabel("App name").fill("Opening range");
    await tab.getByLabel("Redirect URL").fill("https://strategy.example/callback");
  }),
  dashboard("confirm", "/app/confirm/N", "Every change needs the one-time code that was sent by SMS and email.", (tab) => proposeApp(tab, { name: "Opening range", redirect: "https://strategy.example/callback" })),
  dashboard("secret", "/app/confirm/N", "The secret of a new app, shown once.", async (tab) => {
    await proposeApp(tab, { name: "Overnight", redirect: "https://strategy.example/callback" });
    const code = await newestCode(tab);
    await confirm(tab, code);
    await tab.getByRole("button", { name: "Copy API secret" }).waitFor();
  }),
  dashboard("app", "/app/api-keys/1", "One app: its details, a new key, a new secret, deactivation, and what each revokes."),
  dashboard("static-ips", "/app/static-ips", "A primary and a secondary address for each app, and when the next change is possible.", async (tab) => {
    await tab.goto("/app/static-ips");
    await tab.getByRole("button", { name: /^Edit primary IP/ }).first().focus();
  }),
  dashboard("static-ip", "/app/static-ips/2/secondary", "Registering an address."),
  sentTo("oauth-consent", OAUTH, { api_key: "sandbox-samco-key-1", redirect_url: "http://127.0.0.1:8765/callback", state: "of-the-app" }, "Samco's OAuth page, at which the owner of an app pastes its secret."),
  sentTo("oauth-refused", OAUTH, { api_key: "sandbox-samco-key-1", redirect_url: "https://elsewhere.example/" }, "The same page for a request that nobody may approve."),
  sentTo("publisher-login", "/publisher-login", { api_key: "sandbox-angelone-key-1", state: "of-the-app" }, "SmartAPI's publisher login."),
];

/** Pictures of these are also taken in the dark, and on a phone. */
export const DARK = ["overview", "static-ips"];
export const PHONES = ["inbox", "api-keys", "static-ips", "oauth-consent"];

/** The kind of page that an address is one of. */
export function kindOf(path) {
  return path.split(/[?#]/)[0].replace(/(?<=\/)(\d+|N)(?=\/|$)/g, "N").replace(/\/(primary|secondary)$/, "/slot");
}

/** A morning in the life of a sandbox, so that no page is empty. */
export async function stage(sandbox) {
  const owner = sandbox.account();
  const act = async (action) => {
    const { proposal } = await sandbox.control("POST", "/portal", { account: owner.account, action });
    const { messages } = await sandbox.control("GET", `/inbox?account=${owner.account}`);
    await sandbox.control("POST", "/portal/confirm", { account: owner.account, proposal, otp: messages.at(-1).value });
  };
  await sandbox.control("PUT", "/clock", { now: "2026-11-20T10:12:00+05:30" });
  await act({ edit_app: { app: 1 } });
  await act({ create_app: { name: "Gap fill", redirect_url: "http://127.0.0.1:8765/callback" } });
  await act({ create_app: { name: "Old momentum", redirect_url: "https://momentum.example/callback" } });
  await act({ deactivate: { app: 3 } });
  await act({ set_address: { app: 2, slot: "primary", ip: "203.0.113.10" } });
  await act({ set_address: { app: 2, slot: "secondary", ip: "198.51.100.24" } });
  await sandbox.control("PUT", "/clock", { now: "2026-11-23T09:15:00+05:30" });
  await sandbox.control("POST", "/faults", { broker: "samco", path: "/quote/*", status: 503, times: 3 });
  await sandbox.control("POST", "/faults", { broker: "angelone", path: "/rest/secure/*", probability: 0.2, delay_ms: 1500 });
  const { sessionToken: token } = (await sandbox.login(owner)).body;
  await sandbox.api("GET", "/ip/whoami", { token });
  await sandbox.api("GET", "/limit/getLimits", { token });
  await fetch(`${sandbox.url}/quote/getQuote?symbolName=SBIN`, { headers: { "x-session-token": token } });
  await sandbox.control("POST", "/clock/advance", { seconds: 42 });
  await sandbox.api("GET", "/ip/whoami");
  await sandbox.api("POST", "/otp/generateOtp", { body: { uid: owner.account } });
  await sandbox.control("PATCH", "/switches", { samco_expired_status: 403 });
}

/** `docs/dashboard.md`, which shows the pictures. */
export function document() {
  const parts = PAGES.map(({ name, path, about }) => {
    const also = [
      [DARK, "dark", "in the dark"],
      [PHONES, "phone", "on a phone"],
    ].flatMap(([names, suffix, words]) => (names.includes(name) ? [`[${words}](dashboard/${name}-${suffix}.png)`] : []));
    const words = name.replaceAll("-", " ").replace(/\boauth\b/, "OAuth").replace(/\bapi\b/, "API").replace(/\bip(s?)\b/, "IP$1");
    const known = { Api: "API", keys: "Keys", ip: "IP", ips: "IPs", Oauth: "OAuth" };
    const title = (words[0].toUpperCase() + words.slice(1)).replace(/\w+/g, (word) => known[word] ?? word);
    const more = also.length > 0 ? ` Also ${also.join(" and ")}.` : "";
    return `## ${title}\n\n\`${path.split("?")[0]}\`: ${about}${more}\n\n![${about}](dashboard/${name}.png)\n`;
  });
  return `# The pages of the sandbox\n\nWhat they do is told in [sandbox.md](sandbox.md). \`cargo xtask screenshots\` takes the pictures and writes this page; a test of\n\`tests/browser\` fails when a page has none.\n\n${parts.join("\n")}`;
}
