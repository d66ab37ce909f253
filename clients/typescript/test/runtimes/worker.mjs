// Runs the check in workerd, the runtime of Cloudflare Workers.

import { check } from "./check.mjs";

// As in a worker of a user: the client is made before there is a request, when nothing random may be read.
import { Keywright } from "@keywright/client";
new Keywright("https://api.example.com/v1", { reuseSeconds: 60 });

export default {
  async test(_controller, { settings }) {
    globalThis.process = { env: settings.variables }; // which workers have with a compatibility flag only
    await check(settings);
  },
};
