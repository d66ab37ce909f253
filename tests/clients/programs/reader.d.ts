// The types of what reader.mjs defines.

import { Keywright as Client, type Verification } from "@keywright/client";
declare global {
  const Keywright: typeof Client;
  const keywright: Client;
  const verification: Verification;
  const clientIp: string, id: string, key: string, text: string, token: string, url: string;
  const session: { accessToken(): string };
}
