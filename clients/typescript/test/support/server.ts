/** A server in this process, which answers what a test says. */

import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";

/** A request as the server got it. */
export interface Request {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** An answer: a status, a body (an object is sent as JSON), and headers; or a function that answers in its own way. */
export type Reply =
  | { readonly status?: number; readonly body?: unknown; readonly headers?: Readonly<Record<string, string>> }
  | ((response: ServerResponse, request: Request) => void);

/** A running server. */
export interface Server {
  readonly url: string;
  readonly requests: Request[];
}

/** Start a server that gives one reply after the other, the last one ever again. It ends with the test. */
export async function serve(context: TestContext, ...replies: [Reply, ...Reply[]]): Promise<Server> {
  const requests: Request[] = [];
  const server = createServer((incoming, response) => {
    void received(incoming).then((request) => {
      const reply = replies[Math.min(requests.push(request), replies.length) - 1] as Reply;
      if (typeof reply === "function") return reply(response, request);
      const { status = 200, body = "", headers = {} } = reply;
      response.writeHead(status, { "x-request-id": `request-${requests.length}`, ...headers });
      return response.end(typeof body === "string" ? body : JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  context.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, requests };
}

/** Reply with data in the envelope of Keywright. */
export function data(value: unknown, more: object = {}): Reply {
  return { body: { data: value, error: null, ...more } };
}

/** Reply with an error in the envelope of Keywright. */
export function failure(status: number, code: string, headers: Readonly<Record<string, string>> = {}): Reply {
  const error = {
    code,
    message: `Message of ${code}`,
    hint: "A hint.",
    docs: `https://api.example.com/v1/docs#${code}`,
  };
  return { status, headers, body: { data: null, error } };
}

/** Close the connection without an answer. */
export const reset: Reply = (response) => {
  response.socket?.resetAndDestroy();
};

/** Never answer. */
export const silence: Reply = () => {};

async function received(incoming: IncomingMessage): Promise<Request> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  const url = new URL(incoming.url ?? "", "http://127.0.0.1");
  return {
    method: incoming.method ?? "",
    path: url.pathname,
    query: url.searchParams,
    headers: incoming.headers,
    body: Buffer.concat(chunks).toString(),
  };
}
