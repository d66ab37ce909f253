// What readers of a page have before they paste a program. A program may define each of it anew.

import { Keywright } from "@keywright/client";

const { KEYWRIGHT_URL: url, TOKEN: token, KEY: key, KEY_ID: id } = process.env;
const keywright = new Keywright(url, { token });
const verification = await keywright.verify(key);
const session = { accessToken: () => token };
Object.assign(globalThis, { Keywright, clientIp: "127.0.0.1", id, key, keywright, session, text: key, token, url, verification });
