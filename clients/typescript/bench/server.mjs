// The service of the benchmark, in a process of its own: it answers that every key is valid, and prints its address.

import { createServer } from "node:http";

const answer = JSON.stringify({
  data: {
    valid: true,
    code: "VALID",
    id: "019b7e3c-9585-719d-81cb-3b8af1c594c2",
    organizationId: "5f0c2c0e-9a3d-4b6e-8f57-0d6f2b8a1c01",
    name: "Nightly import",
    permissions: ["sessions:read"],
    missingPermissions: [],
    metadata: { plan: "pro", seats: 5 },
    expiresAt: null,
    allowedIps: null,
    rateLimit: null,
    quota: null,
    retryAfterSeconds: null,
    leak: null,
  },
  error: null,
});

const server = createServer((request, response) => {
  request.resume().on("end", () => {
    response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(answer) });
    response.end(answer);
  });
});
server.listen(0, "127.0.0.1", () => process.send(`http://127.0.0.1:${server.address().port}/v1`));
process.on("disconnect", () => process.exit());
