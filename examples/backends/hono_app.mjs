// A Hono application whose routes require an API key, served by Node.js.
// Run it: KEYWRIGHT_URL=... AWS_REGION=... node hono_app.mjs

import { serve } from "@hono/node-server";
import { getConnInfo } from "@hono/node-server/conninfo";
import { Keywright } from "@keywright/client";
import { apiKey } from "@keywright/client/hono";
import { Hono } from "hono";

const { KEYWRIGHT_URL, KEYWRIGHT_FUNCTION, PORT = "5050" } = process.env;
const keywright = new Keywright(KEYWRIGHT_FUNCTION ? { function: KEYWRIGHT_FUNCTION } : KEYWRIGHT_URL);
// Each runtime of Hono has a getConnInfo of its own. Without an address, keys with allowed addresses are refused.
const clientIp = (c) => getConnInfo(c).remote.address;
const app = new Hono();

// Show the reports of the key's organization.
app.get("/reports", apiKey(keywright, { permissions: ["analytics:read"], clientIp }), (c) => {
  const { organizationId, name } = c.get("apiKey");
  return c.json({ "reports of": organizationId, "read with": name });
});

serve({ fetch: app.fetch, hostname: "127.0.0.1", port: Number(PORT) });
