// CommonJS users have the same types.

import preopen = require("preopen");
import sandbox = require("preopen/sandbox");

const session: preopen.Session = new preopen.Session(preopen.samco.fromEnv());
export const started: Promise<sandbox.Sandbox> = sandbox.Sandbox.start();
export const token: Promise<preopen.Token> = session.token();
