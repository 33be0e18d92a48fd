// Every page of the sandbox, in a state worth looking at: what axe-core checks and `cargo xtask screenshots` photographs.

const root = new URL("../../", import.meta.url);

/** An address inside the repository. */
export function at(path) {
  return new URL(path, root);
}

/** A page at an address of its own. */
const page = (name, path, about) => ({ name, path, about, visit: (tab) => tab.goto(path) });

const consent = (query) => `/app/oauth/authorize?${new URLSearchParams(query)}`;

/** Its name is that of its picture; `about` is its line in `docs/dashboard.md`. */
export const PAGES = [
  page("overview", "/", "Where clients connect, the accounts with their credentials and TOTP codes, and the source address."),
  page("inbox", "/inbox", "Every email and SMS that the brokers sent: one-time codes and API keys."),
  page("clock", "/clock", "The virtual clock: to the next 08:00, a week ahead, or a thousand times faster."),
  page("faults", "/faults", "What waits to go wrong, and a form for more."),
  page("requests", "/requests", "What reached the brokers, without secrets."),
  page("switches", "/switches", "What the brokers' documents leave open, each with its default and a reason."),
  page("oauth-consent", consent({ api_key: "sandbox-samco-key-1", redirect_url: "http://127.0.0.1:8765/callback", state: "of-the-app" }), "Samco's OAuth page, at which the owner of an app pastes its secret."),
  page("oauth-refused", consent({ api_key: "sandbox-samco-key-1", redirect_url: "https://elsewhere.example/" }), "The same page for a request that nobody may approve."),
  page("publisher-login", "/publisher-login?api_key=sandbox-angelone-key-1&state=of-the-app", "SmartAPI's publisher login."),
];

/** Pictures of these are also taken in the dark, and on a phone. */
export const DARK = ["overview", "api-keys", "static-ips"];
export const PHONES = ["overview", "api-keys", "static-ips", "inbox", "oauth-consent"];

/** A morning in the life of a sandbox, so that no page is empty. */
export async function stage(sandbox, tab) {
  const account = sandbox.account();
  await sandbox.control("POST", "/faults", { broker: "samco", path: "/quote/*", status: 503, times: 3 });
  await sandbox.control("POST", "/faults", { broker: "angelone", path: "/rest/secure/*", probability: 0.2, delay_ms: 1500 });
  const { sessionToken: token } = (await sandbox.login(account)).body;
  await sandbox.api("GET", "/ip/whoami", { token });
  await sandbox.api("GET", "/limit/getLimits", { token });
  await fetch(`${sandbox.url}/quote/getQuote?symbolName=SBIN`, { headers: { "x-session-token": token } });
  await sandbox.api("GET", "/ip/whoami");
  await sandbox.api("POST", "/otp/generateOtp", { body: { uid: account.account } });
  await sandbox.control("PATCH", "/switches", { samco_expired_status: 403 });
}

/** `docs/dashboard.md`, which shows the pictures. */
export function document() {
  const picture = (name, suffix, what) => `[![${what}](dashboard/${name}${suffix}.png)](dashboard/${name}${suffix}.png)`;
  const lines = PAGES.map(({ name, path, about }) => {
    const more = [DARK.includes(name) && `[dark](dashboard/${name}-dark.png)`, PHONES.includes(name) && `[on a phone](dashboard/${name}-phone.png)`].filter(Boolean);
    const where = path ? ` \`${path.split("?")[0]}\`` : "";
    return `## ${name}${where}\n\n${about}${more.length ? ` Also ${more.join(", ")}.` : ""}\n\n${picture(name, "", about)}\n`;
  });
  return `# The dashboard of the sandbox\n\n\`cargo xtask screenshots\` takes these pictures and writes this page; a test sees to it that no page is missing.\n\n${lines.join("\n")}`;
}
