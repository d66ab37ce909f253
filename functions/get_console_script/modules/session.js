/**
 * The session of a user: sign in by OpenID Connect (authorization code with PKCE), get the token for the API, sign out.
 *
 * Tokens are in memory only. The tab's storage has what a sign-in under way needs (state, nonce, verifier, deep link),
 * until its answer arrives, and whether the tab was signed in. After a reload the page asks the provider once, without
 * a prompt, whether the user is still signed in there.
 *
 * The tokens come from the token endpoint over TLS, so their signatures are not checked here (OpenID Connect Core 1.0,
 * section 3.1.3.7); the API checks them.
 */

const ANSWER_MILLISECONDS = 15_000;
const REVOCATION_MILLISECONDS = 3_000;
const RETRY_MILLISECONDS = 500;
/** How long a renewal that failed is not tried again while the token still works. */
const PAUSE_MILLISECONDS = 10_000;
/** A token is renewed this long before it expires, or in the last tenth of a shorter life. */
const MARGIN_MILLISECONDS = 60_000;
const CLOCK_SKEW_SECONDS = 60;
const LONGEST_DESCRIPTION = 300;

const SIGN_IN_AGAIN = "Sign in again.";
const CANNOT_CHECK = "An administrator of this service can correct its identity provider's settings.";

/** A failure to sign in or to stay signed in. */
export class SessionError extends Error {
  /**
   * @param {string} message - what happened, for people.
   * @param {string} hint - what to do about it.
   * @param {boolean} [isTransient] - whether it may pass: the provider does not answer, or is in trouble. The session
   *   has not ended.
   */
  constructor(message, hint, isTransient = false) {
    super(message);
    this.name = "SessionError";
    this.hint = hint;
    this.isTransient = isTransient;
  }
}

/**
 * Return the session of this page.
 *
 * @param {object} config - the client and its provider.
 * @param {string} config.issuer - the provider.
 * @param {string} config.clientId - the public client.
 * @param {string} config.audience - `aud` of the tokens that the API takes.
 * @param {string} config.scope - the scopes to ask for.
 * @param {string} config.redirectUri - the address of this page.
 * @param {string} config.authorizationEndpoint - of the provider.
 * @param {string} config.tokenEndpoint - of the provider.
 * @param {string} [config.endSessionEndpoint] - of the provider, if it has one.
 * @param {string} [config.revocationEndpoint] - of the provider, if it has one.
 * @param {boolean} [config.issParameterSupported] - whether each answer of the provider has `iss` (RFC 9207).
 * @param {object} [platform] - what the page can do.
 * @returns {Session} the session, signed out until `start` has finished.
 */
export function createSession(config, platform = browserPlatform()) {
  return new Session(config, platform);
}

/** A session. */
class Session {
  #config;
  #platform;
  #saved;
  #current = null;
  #started = null;
  /** Asks for another user after a sign-in that failed: the provider would answer with the same one. */
  #prompt = null;
  #leaving = null;
  #renewal = null;

  /** Called once when the session has ended because it cannot be renewed. */
  onEnd = () => {};

  constructor(config, platform) {
    this.#config = config;
    this.#platform = platform;
    this.#saved = new Saved(platform.storage, `keywright ${config.clientId} ${config.redirectUri} `);
  }

  /**
   * Return the user who is signed in, as the tokens name them; null if signed out.
   *
   * @returns {{id: string, name: string | null, email: string | null} | null}
   */
  get user() {
    return this.#current?.user ?? null;
  }

  /**
   * Finish a sign-in if the provider has sent the browser back, and restore the deep link; after a reload, ask the
   * provider. While the browser leaves the page, the promise stays pending.
   *
   * @returns {Promise<"signed-in" | "signed-out">}
   * @throws {SessionError} if the sign-in has failed.
   */
  start() {
    this.#started ??= this.#start().catch((error) => {
      this.#prompt = error.isTransient ? null : "login";
      throw error;
    });
    return this.#started;
  }

  async #start() {
    const url = new URL(this.#platform.href());
    if (url.searchParams.has("code") || url.searchParams.has("error")) {
      const request = this.#saved.take("request");
      this.#platform.replaceState(this.#config.redirectUri + (request?.hash ?? url.hash));
      // Without a request of this tab it is an answer that was used before (Back, a bookmark) or a forged one.
      if (request) return this.#finish(request, url.searchParams);
      this.#saved.check();
    }
    if (!this.#saved.take("wasSignedIn")) return "signed-out";
    await this.#authorize({ prompt: "none" }); // once: the mark is set again by the next sign-in
    return pending();
  }

  /**
   * Send the browser to the provider. It comes back to this page; the promise stays pending.
   *
   * @throws {SessionError} if the browser cannot sign in.
   */
  async signIn() {
    this.#leaving ??= this.#authorize({ prompt: this.#prompt }).finally(() => {
      this.#leaving = null;
    });
    await this.#leaving;
    return pending();
  }

  async #authorize({ prompt }) {
    if (!this.#platform.digest) {
      throw new SessionError("This page needs an encrypted connection to sign in.", "Open it with https.");
    }
    this.#saved.check();
    const config = this.#config;
    const request = {
      state: this.#platform.random(),
      nonce: this.#platform.random(),
      verifier: this.#platform.random(),
      hash: new URL(this.#platform.href()).hash,
      silent: prompt === "none",
    };
    const challenge = encode(await this.#platform.digest(new TextEncoder().encode(request.verifier)));
    this.#saved.put("request", request);
    const url = withParameters(config.authorizationEndpoint, {
      response_type: "code",
      client_id: config.clientId,
      redirect_uri: config.redirectUri,
      scope: config.scope,
      state: request.state,
      nonce: request.nonce,
      code_challenge: challenge,
      code_challenge_method: "S256",
      // Auth0 needs it for a JWT as access token. An ID token has the client as its audience, without being asked to.
      ...(config.audience === config.clientId ? {} : { audience: config.audience }),
      ...(prompt ? { prompt } : {}),
    });
    this.#platform.leave(url, request.silent);
  }

  async #finish(request, answer) {
    const config = this.#config;
    const issuer = answer.get("iss");
    if (answer.getAll("state").length !== 1 || answer.get("state") !== request.state) {
      throw new SessionError("This answer does not belong to the sign-in of this tab.", SIGN_IN_AGAIN);
    }
    if ((issuer === null && config.issParameterSupported) || (issuer !== null && issuer !== config.issuer)) {
      throw new SessionError("This answer is from another identity provider.", SIGN_IN_AGAIN);
    }
    if (answer.has("error")) {
      if (request.silent) return "signed-out"; // login_required, or the provider knows no prompt=none
      throw refusal("The identity provider has refused the sign-in", {
        error: answer.get("error"),
        error_description: answer.get("error_description"),
      });
    }
    const tokens = await this.#ask({
      grant_type: "authorization_code",
      code: answer.get("code"),
      redirect_uri: config.redirectUri,
      code_verifier: request.verifier,
    });
    this.#current = this.#read(tokens, { nonce: request.nonce });
    this.#saved.put("wasSignedIn", true);
    return "signed-in";
  }

  /**
   * Return the token for the API. It is renewed before it expires; concurrent callers share a renewal.
   *
   * @param {object} [options] - what the caller knows.
   * @param {boolean} [options.refresh] - whether the API has refused a token.
   * @param {string} [options.refused] - that token.
   * @returns {Promise<string>}
   * @throws {SessionError} if there is no token that may work. `user` is null then if the session has ended.
   */
  async token({ refresh = false, refused = null } = {}) {
    const current = this.#current;
    if (!current) throw ended();
    if (refresh && refused !== null && refused !== current.token) return current.token; // renewed in between
    if (!this.#renewal && !refresh && this.#remaining(current) > current.margin) return current.token;
    this.#renewal ??= this.#renew(current, refresh).finally(() => {
      this.#renewal = null;
    });
    return this.#renewal;
  }

  /** Return the milliseconds until a token expires. The later of two clocks counts: one stops in sleep, one is set. */
  #remaining({ lifetime, received }) {
    return lifetime - Math.max(this.#platform.monotonic() - received.monotonic, this.#platform.wall() - received.wall);
  }

  async #renew(current, refresh) {
    const works = () => !refresh && this.#remaining(current) > 0;
    if (current.refreshToken === null) {
      if (works()) return current.token;
      throw this.#end(current);
    }
    if (works() && this.#platform.monotonic() < current.retryAt) return current.token;
    let tokens;
    try {
      tokens = await this.#askTwice({ grant_type: "refresh_token", refresh_token: current.refreshToken });
    } catch (error) {
      if (this.#current !== current) throw ended();
      if (!error.isTransient) throw this.#end(current);
      current.retryAt = this.#platform.monotonic() + PAUSE_MILLISECONDS;
      if (works()) return current.token;
      throw error;
    }
    if (this.#current !== current) {
      // Signed out meanwhile.
      this.#revoke(tokens.refresh_token);
      throw ended();
    }
    try {
      this.#current = this.#read(tokens, { before: current });
      // A token that is not replaced is not used again, but still works.
      this.#current.spent = this.#current.refreshToken === null ? current.refreshToken : null;
    } catch (error) {
      this.#end(current);
      throw error;
    }
    return this.#current.token;
  }

  /** End the session; return the error for those who wait for its token. */
  #end(current) {
    if (this.#current === current) {
      this.#forget();
      this.#revoke(current.spent);
      this.onEnd();
    }
    return ended();
  }

  #forget() {
    this.#current = null;
    this.#saved.take("wasSignedIn");
    this.#saved.take("request");
  }

  /**
   * Sign out, here and at the provider if it has an endpoint for it; then the promise stays pending.
   *
   * @returns {Promise<void>}
   */
  async signOut() {
    const config = this.#config;
    const refreshToken = this.#current?.refreshToken ?? this.#current?.spent;
    const sessionId = this.#current?.sessionId ?? null;
    this.#forget();
    await this.#revoke(refreshToken);
    if (!config.endSessionEndpoint) return;
    // No id_token_hint: a token in an address would be in histories and logs.
    const url = withParameters(config.endSessionEndpoint, {
      client_id: config.clientId,
      post_logout_redirect_uri: config.redirectUri,
      logout_uri: config.redirectUri, // Cognito
      ...(sessionId === null ? {} : { logout_hint: sessionId }), // Auth0 asks for confirmation without it
    });
    this.#platform.leave(url, false);
    await pending();
  }

  /** Revoke a refresh token, if that can be done soon. */
  async #revoke(refreshToken) {
    if (!refreshToken || !this.#config.revocationEndpoint) return;
    const body = new URLSearchParams({
      token: refreshToken,
      token_type_hint: "refresh_token",
      client_id: this.#config.clientId,
    });
    const options = { keepalive: true };
    await this.#send(this.#config.revocationEndpoint, body, REVOCATION_MILLISECONDS, options).catch(() => {});
  }

  /** Send a token request, and once more if it failed and that may have been a passing failure. */
  async #askTwice(parameters) {
    try {
      return await this.#ask(parameters);
    } catch (error) {
      if (!error.isTransient) throw error;
      await this.#platform.pause(RETRY_MILLISECONDS);
      return this.#ask(parameters);
    }
  }

  async #ask(parameters) {
    const body = new URLSearchParams({ ...parameters, client_id: this.#config.clientId });
    let response, content;
    try {
      response = await this.#send(this.#config.tokenEndpoint, body, ANSWER_MILLISECONDS);
      content = await response.json();
    } catch {
      content = null;
    }
    if (response?.ok && isObject(content)) return content;
    if (!response) {
      throw new SessionError("The identity provider does not answer.", "Check your connection, and try again.", true);
    }
    if (response.ok || response.status >= 500 || response.status === 429 || response.status === 408) {
      const message = `The identity provider failed (${response.status}).`;
      throw new SessionError(message, "Try again in a minute.", true);
    }
    throw refusal(`The identity provider has refused the request (${response.status})`, content ?? {});
  }

  #send(address, body, milliseconds, options = {}) {
    return this.#platform.fetch(address, {
      method: "POST",
      body,
      credentials: "omit",
      cache: "no-store",
      redirect: "error",
      referrerPolicy: "no-referrer",
      signal: AbortSignal.timeout(milliseconds),
      ...options,
    });
  }

  /** Check the tokens of an answer; return what the session is from now on. */
  #read(tokens, { nonce = null, before = null }) {
    const config = this.#config;
    const identity = claimsOf(tokens.id_token);
    if (identity) this.#checkIdentity(identity, nonce ?? before.nonce, before);
    else if (!before) {
      const hint = "An administrator of this service can add openid to the parameter ConsoleScope.";
      throw new SessionError("The identity provider has sent no ID token.", hint);
    }
    const access = claimsOf(tokens.access_token);
    const isAccess = audiences(access).includes(config.audience);
    if (before && !isAccess && !identity) throw ended(); // a renewal may leave out the ID token
    if (!isAccess && !audiences(identity).includes(config.audience)) {
      throw new SessionError(
        `The identity provider has sent no token for this API, whose audience is ${config.audience}.`,
        `The access token ${named(access)}; the ID token ${named(identity)}. ` +
          "An administrator of this service can set OidcAudience to one of these, or configure the identity provider.",
      );
    }
    const claims = isAccess ? access : identity;
    const expiresIn = isAccess ? seconds(tokens.expires_in) : null;
    const lifetime = (expiresIn ?? seconds(claims.exp - claims.iat) ?? Infinity) * 1000;
    return {
      token: isAccess ? tokens.access_token : tokens.id_token,
      refreshToken: textOf(tokens.refresh_token),
      lifetime,
      margin: Math.min(MARGIN_MILLISECONDS, lifetime / 10),
      received: { monotonic: this.#platform.monotonic(), wall: this.#platform.wall() },
      spent: null,
      retryAt: -Infinity,
      nonce: nonce ?? before.nonce,
      subject: identity?.sub ?? before.subject,
      sessionId: textOf(identity?.sid) ?? before?.sessionId ?? null, // OpenID Connect Front-Channel Logout 1.0, section 3
      user: this.#userOf(identity ? { ...access, ...identity } : null) ?? before.user,
    };
  }

  /** Check the claims of an ID token (OpenID Connect Core 1.0, sections 3.1.3.7 and 12.2). */
  #checkIdentity(claims, nonce, before) {
    const config = this.#config;
    const wrong =
      (claims.iss !== config.issuer && "iss") ||
      (!audiences(claims).includes(config.clientId) && "aud") ||
      ((claims.azp ?? (audiences(claims).length > 1 ? null : config.clientId)) !== config.clientId && "azp") ||
      (!(claims.exp + CLOCK_SKEW_SECONDS > this.#platform.wall() / 1000) && "exp") ||
      ((typeof claims.sub !== "string" || !claims.sub || (before && claims.sub !== before.subject)) && "sub") ||
      ((before && claims.nonce === undefined ? nonce : claims.nonce) !== nonce && "nonce");
    if (wrong === "exp") {
      throw new SessionError("The ID token has expired.", "Check the clock of this device, and sign in again.");
    }
    if (wrong) throw new SessionError(`The ID token is not for this sign-in: ${wrong} is wrong.`, CANNOT_CHECK);
  }

  #userOf(claims) {
    if (!claims) return null;
    return {
      id: claims.sub,
      name: textOf(claims.name) ?? textOf(claims.preferred_username),
      email: textOf(claims.email),
    };
  }
}

/** Values that the tab keeps until it is closed. */
class Saved {
  #storage;
  #prefix;

  constructor(storage, prefix) {
    this.#storage = storage;
    this.#prefix = prefix;
  }

  /** Throw unless the browser lets the page keep values. */
  check() {
    try {
      this.#storage().setItem(`${this.#prefix}check`, "1");
      this.#storage().removeItem(`${this.#prefix}check`);
    } catch {
      throw new SessionError(
        "The browser does not let this page keep what a sign-in needs.",
        "Allow this site to save data (cookies) on your device, and try again.",
      );
    }
  }

  /** Keep a value, if the browser allows it. */
  put(name, value) {
    try {
      this.#storage().setItem(this.#prefix + name, JSON.stringify(value));
    } catch {
      // A sign-in has checked before; all else works without.
    }
  }

  /** Return a value and remove it; null if there is none. */
  take(name) {
    try {
      const text = this.#storage().getItem(this.#prefix + name);
      this.#storage().removeItem(this.#prefix + name);
      return JSON.parse(text);
    } catch {
      return null;
    }
  }
}

/** Return what a page in a browser can do. */
function browserPlatform() {
  return {
    href: () => location.href,
    replaceState: (url) => history.replaceState(null, "", url),
    leave: (url, replace) => {
      // A page that returns from the browser's cache starts again. Not `once`: the first event can be that of loading.
      addEventListener("pageshow", (event) => event.persisted && location.reload());
      if (replace) location.replace(url);
      else location.assign(url);
    },
    storage: () => sessionStorage, // a getter that may throw
    fetch: (url, options) => fetch(url, options),
    random: () => encode(crypto.getRandomValues(new Uint8Array(32))),
    digest: crypto.subtle ? (bytes) => crypto.subtle.digest("SHA-256", bytes) : null, // not without TLS
    monotonic: () => performance.now(),
    wall: () => Date.now(),
    pause: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
  };
}

/** Return a promise for as long as the browser leaves the page. */
function pending() {
  return new Promise(() => {});
}

function ended() {
  return new SessionError("Your session has ended.", SIGN_IN_AGAIN);
}

/** Return the error for a refusal of the provider. */
function refusal(what, { error: code, error_description: description }) {
  const known = typeof code === "string" && /^[\w.-]{1,60}$/.test(code) ? `: ${code}` : "";
  const reason = typeof description === "string" ? description.slice(0, LONGEST_DESCRIPTION) : "";
  return new SessionError(`${what}${known}.`, reason ? `It says: ${reason}` : SIGN_IN_AGAIN);
}

/** Return the claims of a JWT; null if the text is none. */
function claimsOf(token) {
  const parts = typeof token === "string" ? token.split(".") : [];
  if (parts.length !== 3) return null;
  try {
    const binary = atob(parts[1].replaceAll("-", "+").replaceAll("_", "/"));
    const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0));
    const claims = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    return isObject(claims) ? claims : null;
  } catch {
    return null;
  }
}

function textOf(value) {
  return typeof value === "string" && value ? value : null;
}

function audiences(claims) {
  return claims?.aud === undefined ? [] : [claims.aud].flat();
}

/** Return the audiences of a token, as the rest of a sentence. */
function named(claims) {
  return claims ? `has the audience ${audiences(claims).join(", ") || "(none)"}` : "is not a JWT";
}

function seconds(value) {
  const number = typeof value === "string" && value ? Number(value) : value;
  return Number.isFinite(number) ? Math.max(number, 0) : null;
}

function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function encode(bytes) {
  const text = btoa(String.fromCharCode(...new Uint8Array(bytes)));
  return text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function withParameters(address, parameters) {
  const url = new URL(address);
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return url.href;
}
