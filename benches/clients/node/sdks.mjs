// The brokers' own Node clients, made as documented.

import { createHmac } from "node:crypto";
import { createRequire } from "node:module";

import { pinned } from "./http_clients.mjs";
import { calls } from "./meter.mjs";

/** A code of RFC 6238 for now. */
function totp(secret) {
  const letters = [...secret.replace(/=+$/, "").toUpperCase()];
  const bits = letters.map((letter) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(letter).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => Number.parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000)));
  const mac = createHmac("sha1", key).update(counter).digest();
  const code = mac.readUInt32BE(mac.at(-1) & 0xf) & 0x7fff_ffff;
  return String(code % 1_000_000).padStart(6, "0");
}

/** It asks a public service for this machine's address while it is made; here it is told one at once. */
export function smartapi(folder) {
  const require = createRequire(`${folder}/node_modules/smartapi-javascript/`);
  const filename = require.resolve("public-ip");
  require.cache[filename] = { id: filename, filename, loaded: true, exports: { v4: async () => "192.0.2.1" } };
  return pinned(folder, "smartapi-javascript").SmartAPI;
}

async function angelone(settings, folder) {
  const SmartAPI = smartapi(folder);
  const { url, api_key, client_code, pin, totp_secret } = settings.angelone;
  const client = new SmartAPI({ api_key, root: url });
  const login = await client.generateSession(client_code, pin, totp(totp_secret));
  if (login.status !== true) throw new Error(`smartapi-javascript cannot log in: ${JSON.stringify(login)}`);
  const right = (reply) => {
    if (reply.data?.clientcode !== client_code) throw new Error(`wrong payload: ${JSON.stringify(reply)}`);
  };
  await calls(settings, () => client.getProfile(), right);
}

async function kite(settings, folder) {
  const { KiteConnect } = pinned(folder, "kiteconnect");
  const client = new KiteConnect({ api_key: "key", root: settings.url });
  client.setAccessToken("token");
  const right = (profile) => {
    if (profile.user_id !== "SBX001") throw new Error(`wrong payload: ${JSON.stringify(profile)}`);
  };
  await calls(settings, () => client.getProfile(), right);
}

export const PEERS = { "smartapi-javascript": angelone, kiteconnect: kite };
