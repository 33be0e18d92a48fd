// HTTP clients for Node, each with connections that are kept, as many as there are workers.

import { once } from "node:events";
import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { createRequire } from "node:module";
import net from "node:net";
import { text } from "node:stream/consumers";
import tls from "node:tls";

import { calls, urlOf } from "./meter.mjs";

function authority(settings) {
  return settings.ca_file ? readFileSync(settings.ca_file) : undefined;
}

/** A module of the peers' own folder. */
export function pinned(folder, name) {
  return createRequire(`${folder}/`)(name);
}

function keepAlive(settings) {
  const { Agent } = settings.url.startsWith("https:") ? https : http;
  return new Agent({ keepAlive: true, ca: authority(settings) });
}

async function agent(settings) {
  const kept = keepAlive(settings);
  const client = settings.url.startsWith("https:") ? https : http;
  const url = urlOf(settings);
  const call = () =>
    new Promise((resolve, reject) => {
      const request = client.get(url, { agent: kept, headers: settings.headers }, (reply) => {
        text(reply).then((body) => resolve(JSON.parse(body))).catch(reject);
      });
      request.on("error", reject);
    });
  await calls(settings, call);
  kept.destroy();
}

async function ownFetch(settings) {
  // It takes further authorities from the environment, where the driver names them.
  const url = urlOf(settings);
  await calls(settings, async () => (await fetch(url, { headers: settings.headers })).json());
}

async function undici(settings, folder) {
  const { Agent, request } = pinned(folder, "undici");
  const dispatcher = new Agent({ connect: { ca: authority(settings) } });
  const url = urlOf(settings);
  await calls(settings, async () => (await request(url, { headers: settings.headers, dispatcher })).body.json());
  await dispatcher.close();
}

async function axios(settings, folder) {
  const kept = keepAlive(settings);
  const client = pinned(folder, "axios").create({ httpAgent: kept, httpsAgent: kept, proxy: false, headers: settings.headers });
  const url = urlOf(settings);
  await calls(settings, async () => (await client.get(url)).data);
  kept.destroy();
}

/** The same bytes each time on one socket a worker; of the head only its length is read, and of the body the JSON. */
function exchange(socket, request) {
  let arrived = Buffer.alloc(0);
  let waiting;
  socket.on("data", (data) => {
    arrived = arrived.length === 0 ? data : Buffer.concat([arrived, data]);
    const end = arrived.indexOf("\r\n\r\n");
    if (end < 0) return;
    const head = arrived.latin1Slice(0, end);
    const length = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1]);
    if (!head.startsWith("HTTP/1.1 200") || Number.isNaN(length)) return waiting.reject(new Error(head));
    if (arrived.length < end + 4 + length) return;
    const body = arrived.utf8Slice(end + 4, end + 4 + length);
    arrived = Buffer.alloc(0);
    waiting.resolve(JSON.parse(body));
  });
  socket.on("error", (error) => waiting.reject(error));
  socket.on("close", () => waiting?.reject(new Error("the broker closed the connection")));
  return () =>
    new Promise((resolve, reject) => {
      waiting = { resolve, reject };
      socket.write(request);
    });
}

async function rawSocket(settings) {
  const url = new URL(urlOf(settings));
  const headers = { host: url.host, ...settings.headers };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const request = `GET ${url.pathname}${url.search} HTTP/1.1\r\n${lines.join("")}\r\n`;
  const secure = url.protocol === "https:";
  const sockets = [];
  const of = async () => {
    const at = { host: url.hostname, port: Number(url.port), noDelay: true };
    const socket = secure ? tls.connect({ ...at, ca: authority(settings) }) : net.connect(at);
    sockets.push(socket);
    await once(socket, secure ? "secureConnect" : "connect");
    return exchange(socket, request);
  };
  await calls(settings, { of });
  for (const socket of sockets) socket.destroy();
}

export const PEERS = { agent, fetch: ownFetch, "undici.request": undici, axios, "raw socket": rawSocket };
