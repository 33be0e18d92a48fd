// Other HTTP clients with a session's token, as one function each: what drop-ins.test.mjs puts through the same cases.

import { Readable } from "node:stream";

import axios from "axios";
import * as undici from "undici";
import * as undiciFloor from "undici-floor";

import { attach } from "preopen/axios";
import { createFetch } from "preopen/fetch";
import { createInterceptor } from "preopen/undici";

/** What a reply is here, whatever the client. */
async function ofResponse(response) {
  return { status: response.status, text: await response.text() };
}

function withFetch(session, fetch, before = (url, init) => [url, init]) {
  return async (method, url, { body, signal, headers, stream } = {}) => {
    const given = stream === undefined ? { body } : { body: Readable.toWeb(Readable.from([stream])), duplex: "half" };
    return ofResponse(await fetch(...before(url, { method, signal, headers, ...given })));
  };
}

function withAxios(session, settings) {
  const instance = axios.create({ validateStatus: () => true, responseType: "text", transformResponse: (text) => text, ...settings });
  attach(instance, session);
  return async (method, url, { body, signal, headers, stream } = {}) => {
    const data = stream === undefined ? body : Readable.from([stream]);
    const { status, data: text } = await instance.request({ method, url, data, signal, headers });
    return { status, text };
  };
}

function withUndici(session, { Agent, interceptors, request }) {
  const dispatcher = new Agent().compose(interceptors.redirect({ maxRedirections: 3 }), createInterceptor(session));
  return async (method, url, { body, signal, headers, stream } = {}) => {
    const given = stream === undefined ? body : Readable.from([stream]);
    const reply = await request(url, { method, body: given, signal, headers, dispatcher });
    return { status: reply.statusCode, text: await reply.body.text() };
  };
}

/** By name: a function of a session that gives `(method, url, { body, signal, headers, stream }) => { status, text }`. */
export const CLIENTS = {
  fetch: (session) => withFetch(session, createFetch(session)),
  "fetch of a Request": (session) => withFetch(session, createFetch(session), (url, init) => [new Request(url, init)]),
  "fetch of undici's": (session) => withFetch(session, createFetch(session, { fetch: undici.fetch })),
  axios: (session) => withAxios(session, {}),
  "axios over fetch": (session) => withAxios(session, { adapter: "fetch" }),
  undici: (session) => withUndici(session, undici),
  "undici 7": (session) => withUndici(session, undiciFloor),
  "undici's fetch": (session) => {
    const dispatcher = new undici.Agent().compose(createInterceptor(session));
    return withFetch(session, undici.fetch, (url, init) => [url, { ...init, dispatcher }]);
  },
};
