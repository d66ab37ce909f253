// An Express application whose routes require an API key.
// Run it: KEYWRIGHT_URL=... AWS_REGION=... node express_app.mjs

import { Keywright } from "@keywright/client";
import { apiKey } from "@keywright/client/express";
import express from "express";

const { KEYWRIGHT_URL, KEYWRIGHT_FUNCTION, PORT = "5050" } = process.env;
const keywright = new Keywright(KEYWRIGHT_FUNCTION ? { function: KEYWRIGHT_FUNCTION } : KEYWRIGHT_URL);
const app = express();

// Show the reports of the key's organization.
app.get("/reports", apiKey(keywright, { permissions: ["analytics:read"] }), (request, response) => {
  const { organizationId, name } = request.apiKey;
  response.json({ "reports of": organizationId, "read with": name });
});

app.listen(Number(PORT), "127.0.0.1");
